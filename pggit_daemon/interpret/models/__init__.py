"""How tools keep their history, one class for each way: rows, head, state, events."""

from pggit_daemon.interpret.models.base import Model
from pggit_daemon.interpret.models.events import Events
from pggit_daemon.interpret.models.head import Head
from pggit_daemon.interpret.models.rows import Rows
from pggit_daemon.interpret.models.state import State

MODELS: dict[str, type[Model]] = {"rows": Rows, "head": Head, "state": State, "events": Events}
"""By the word that presets have for it."""

__all__ = ["MODELS", "Model"]
