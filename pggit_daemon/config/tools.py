"""Presets of the user's own: `[[tool]]` sections, and files of a folder.

In: plain mappings. Out: `Preset`s by name, or an error that names file, section and key. Called by the configuration.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import PlainValidator, ValidationError

from pggit_daemon.config.explain import allowed, given, key_path, keys_at, suggest
from pggit_daemon.errors import ConfigError
from pggit_daemon.tools.preset import Preset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails


class _WrongPresetError(ValueError):
    """All that is wrong with a preset, one line each; in one line where it is a section among others."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


_REASONS = {
    "missing": "missing; it is required",
    "extra_forbidden": "unknown key",
    "union_tag_not_found": "missing; it is required",
}  # where there is no value to show


def _preset(value: object) -> Preset:
    """Read one; ValueError with each key that is wrong."""
    if isinstance(value, Preset):
        return value
    try:
        return Preset.model_validate(value)
    except ValidationError as exc:
        raise _WrongPresetError(_lines(exc)) from None


def _lines(error: ValidationError) -> list[str]:
    return [_line(detail) for detail in error.errors(include_url=False)]


def _line(detail: ErrorDetails) -> str:
    """In the form of the other sections' errors."""
    place, value, words = key_path(detail["loc"]), detail["input"], detail["msg"]
    if detail["type"].startswith("union_tag"):
        # The section is of one of several kinds, and the key that says of which is missing or wrong.
        context = detail["ctx"]
        place = f"{place}.{context['discriminator'].strip(chr(39))}"
        value, words = context.get("tag"), context.get("expected_tags", "")
    if reason := _REASONS.get(detail["type"]):
        known = keys_at(Preset, detail["loc"][:-1]) if detail["type"] == "extra_forbidden" else []
        return f"{place}: {reason}{'; ' + suggest(str(detail['loc'][-1]), known) if known else ''}"
    if detail["type"] == "value_error":
        reason = words.removeprefix("Value error, ")
        return f"{place}: {reason}" if place else reason
    return f"{place} = {given(place, value)}: allowed: {allowed(words)}"


Tool = Annotated[Any, PlainValidator(_preset)]
"""A `[[tool]]` section."""


def read_folder(folder: Path) -> Mapping[str, Preset]:
    """The presets of a folder: its files that end in .toml, by their names without it."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except OSError as exc:
        raise ConfigError(
            f"daemon.tools_folder = {str(folder)!r}: {exc.strerror or type(exc).__name__}",
            hint="make the folder, or leave the key out",
        ) from exc
    return {path.stem: read_file(path) for path in files}


def read_file(path: Path) -> Preset:
    """The preset of a file."""
    document: dict[str, Any] = {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return _preset(document)
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror or type(exc).__name__}") from exc
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"{path}: not TOML: {exc}") from exc
    except ValueError as exc:
        lines = exc.lines if isinstance(exc, _WrongPresetError) else [str(exc)]
        listed = "".join(f"\n  {line}" for line in lines)
        # The whole configuration, or its section as it stands there.
        nested = "database" in document or isinstance(document.get("tool"), list)
        raise ConfigError(
            f"{path}: {exc}" if len(lines) == 1 else f"{path}: {len(lines)} errors{listed}",
            hint="a preset's file holds its keys at the top, not under [[tool]]; for a configuration: "
            "pggit-daemon config check --config FILE"
            if nested
            else None,
        ) from exc
