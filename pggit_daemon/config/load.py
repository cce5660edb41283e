"""From a file, or from one connection string, to a checked `Config`.

In: what --config, --dsn and the environment say. Out: `Config`, or a ConfigError that lists everything that
is wrong with the file at once. Called by `cli/`, and again on SIGHUP.
"""

from __future__ import annotations

import os
import pwd
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.conninfo import conninfo_to_dict
from pydantic import ValidationError

from pggit_daemon.config.explain import explain
from pggit_daemon.config.model import Config
from pggit_daemon.config.tools import read_folder
from pggit_daemon.errors import ConfigError
from pggit_daemon.tools.overlaps import rivals
from pggit_daemon.tools.preset import packaged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pggit_daemon.tools.preset import Preset

CONFIG_VARIABLE = "PGGIT_DAEMON_CONFIG"
DEFAULT_PATH = Path("/etc/pggit-daemon/config.toml")
_CHECK = "pggit-daemon config check"


def find_path(option: Path | None, environment: Mapping[str, str]) -> Path | None:
    """Choose the file that counts: --config, then $PGGIT_DAEMON_CONFIG, then /etc; None when there is none."""
    if option is not None:
        return option
    if named := environment.get(CONFIG_VARIABLE):
        return Path(named)
    return DEFAULT_PATH if DEFAULT_PATH.exists() else None


def load(path: Path) -> Config:
    """Read and check a file."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise ConfigError(f"{path}: {reason}", hint=_readable(path, exc)) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: not UTF-8 at byte {exc.start}") from exc
    config = parse(text, origin=str(path))
    folder = config.daemon.tools_folder
    # A relative folder stands beside the file.
    presets = read_folder(path.parent / folder) if folder is not None else {}
    return _with_presets(config, presets, origin=str(path))


def _with_presets(config: Config, presets: Mapping[str, Preset], *, origin: str) -> Config:
    """The same with these presets beside its own. A table that two of them fit would be nobody's."""
    own = {**presets, **{tool.tool: tool for tool in config.tools}}
    known = {**dict(packaged()), **own}
    for name in own:
        if others := rivals(name, known):
            raise ConfigError(
                f"{origin}: preset {name} fits the same tables as {', '.join(others)}: they would be nobody's",
                hint="give it names, schemas, a key or companions that tell it apart, or another rank; "
                "to replace one of the package's, give it its name",
            )
    return config.with_presets(presets)


def _readable(path: Path, exc: OSError) -> str:
    """Say what makes the file readable."""
    if isinstance(exc, PermissionError):
        return (
            f"let the user {_user()} read it and enter its folders (namei -l {path} shows them): "
            f"chown root:GROUP {path} and chmod 0640, with a group of that user; "
            "or hand it to the service with LoadCredential="
        )
    if isinstance(exc, IsADirectoryError):
        return f"name a file in it: {path / 'config.toml'}"
    return f"write it (see config.example.toml), then: {_CHECK}"


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"with the id {os.geteuid()}"


def parse(text: str, *, origin: str) -> Config:
    """Check the text of a file; `origin` is its name in errors."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{origin}: not TOML: {exc}{_line_of(exc, text)}") from exc
    try:
        config = Config.model_validate(data)
    except ValidationError as exc:
        lines = explain(exc, Config)
        if len(lines) == 1:
            raise ConfigError(f"{origin}: {lines[0]}") from exc
        listed = "".join(f"\n  {line}" for line in lines)
        raise ConfigError(f"{origin}: {len(lines)} errors{listed}") from exc
    return config if config.daemon.tools_folder is not None else _with_presets(config, {}, origin=origin)


def _line_of(error: tomllib.TOMLDecodeError, text: str) -> str:
    """What stands in the line that is wrong, as far as it is no value: that may be secret."""
    found = re.search(r"at line (\d+)", str(error))
    lines = text.splitlines()
    if found is None or not 0 < int(found[1]) <= len(lines):
        return ""
    key = re.match(r"\s*([A-Za-z0-9_.-]+\s*=|\[+[^\]=]*\]+)", lines[int(found[1]) - 1])
    if key is None:
        return ""
    again = ", which stands there twice" if "overwrite" in str(error) else ""
    return f": {key[1]}{' …' if key[1].endswith('=') else ''}{again}"


def for_dsn(dsn: str) -> Config:
    """Make the configuration of one database from its connection string, all else as by default."""
    try:
        return Config.model_validate({"database": [{"name": _label(dsn), "dsn": dsn}]})
    except ValidationError as exc:
        # Of what was given there is the connection string alone, and it may hold a password.
        raise ConfigError(f"--dsn: {exc.errors()[0]['msg'].removeprefix('Value error, ')}") from exc


def _label(dsn: str) -> str:
    """Name the database: by its own name where that may stand in a label."""
    try:
        name = str(conninfo_to_dict(dsn).get("dbname") or "default")
    except Exception:  # noqa: BLE001  (whatever libpq dislikes is reported by the model, with the key)
        return "default"
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:63].lstrip(".-") or "default"
