"""The configuration of the daemon and of the commands.

In: a TOML file (`load`), or one connection string (`for_dsn`). Out: a frozen, checked `Config`, or a
ConfigError that names file, key, what was given and what is allowed. Called by `cli/` only; everything
else is handed the values.
"""

from pggit_daemon.config.load import CONFIG_VARIABLE, DEFAULT_PATH, find_path, for_dsn, load, parse
from pggit_daemon.config.model import Columns, Config, Daemon, Database, Source
from pggit_daemon.config.redaction import redact, redact_dsn

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_PATH",
    "Columns",
    "Config",
    "Daemon",
    "Database",
    "Source",
    "find_path",
    "for_dsn",
    "load",
    "parse",
    "redact",
    "redact_dsn",
]
