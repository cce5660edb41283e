"""How tools keep their history, one class for each way: rows, head, state, events."""

from pggit_daemon.interpret.models.base import Model
from pggit_daemon.interpret.models.events import Events
from pggit_daemon.interpret.models.head import Head
from pggit_daemon.interpret.models.rows import Rows
from pggit_daemon.interpret.models.state import State
from pggit_daemon.model.history_model import HistoryModel

MODELS: dict[HistoryModel, type[Model]] = {
    HistoryModel.ROWS: Rows,
    HistoryModel.HEAD: Head,
    HistoryModel.STATE: State,
    HistoryModel.EVENTS: Events,
}

__all__ = ["MODELS", "Model"]
