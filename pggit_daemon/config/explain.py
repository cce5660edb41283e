"""pydantic's errors in the words of the file's author.

In: a ValidationError and the model it is about. Out: one line per error: key path, what was given, what is
allowed, and the nearest known key for a misspelt one. Values under secret keys are not repeated.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from pggit_daemon.config.redaction import HIDDEN, is_secret_key, redact, redact_dsn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic_core import ErrorDetails

_GIVEN_LENGTH = 80


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line per error."""
    return [_line(detail, model) for detail in error.errors(include_url=False)]


def key_path(location: Sequence[int | str]) -> str:
    """`database[0].source[1].columns.id`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _line(detail: ErrorDetails, model: type[BaseModel]) -> str:
    location = detail["loc"]
    path = key_path(location)
    kind = detail["type"]
    if kind == "extra_forbidden":
        return f"{path}: unknown key; {suggest(str(location[-1]), keys_of(_model_at(model, location[:-1])))}"
    if kind == "missing":
        return f"{path}: missing; it is required: {_description(model, location)}"
    reason = detail["msg"].removeprefix("Value error, ")
    if kind == "value_error" and (not location or isinstance(location[-1], int)):
        # A rule about a whole section: its message begins with the key inside it.
        return f"{path}.{reason}" if path else reason
    may_be = reason if "allowed:" in reason else f"allowed: {allowed(reason)} ({_description(model, location)})"
    return f"{path} = {given(str(location[-1]), detail['input'])}: {may_be}"


def allowed(message: str) -> str:
    """Put what pydantic allows into words of TOML."""
    words = message.removeprefix("Input should be ").removeprefix("a valid ")
    if words.startswith("dictionary or instance of"):
        return "a table"
    return "an array of tables, each under [[…]]" if words == "tuple" else words


def given(key: str, value: object) -> str:
    """Show what stands in the file, without what is secret."""
    if is_secret_key(key):
        return HIDDEN
    if key == "dsn":
        # Of another type (an array, a table) it may hold anything.
        value = redact_dsn(value) if isinstance(value, str) else HIDDEN
    shown = {True: "true", False: "false"}[value] if isinstance(value, bool) else redact(repr(value))
    return shown if len(shown) <= _GIVEN_LENGTH else shown[:_GIVEN_LENGTH] + "…"


def suggest(key: str, known: Iterable[str]) -> str:
    """The nearest of the known keys, and all of them."""
    names = list(known)
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}allowed: {', '.join(names)}"


def keys_of(model: type[BaseModel]) -> list[str]:
    """List the keys of a section as they stand in the file."""
    return [field.alias or name for name, field in model.model_fields.items()]


def keys_at(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """The keys of the section at a place; none where it is of one of several kinds."""
    try:
        return keys_of(_model_at(model, location))
    except KeyError:
        return []


def _model_at(model: type[BaseModel], location: Sequence[int | str]) -> type[BaseModel]:
    for part in location:
        if isinstance(part, str):
            model = _nested(model)[part]
    return model


def _nested(model: type[BaseModel]) -> Mapping[str, type[BaseModel]]:
    """Find the sections inside a section, by key."""
    found: dict[str, type[BaseModel]] = {}
    for name, field in model.model_fields.items():
        candidates: tuple[Any, ...] = (field.annotation, *get_args(field.annotation))
        for candidate in candidates:
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                found[field.alias or name] = candidate
    return found


def _description(model: type[BaseModel], location: Sequence[int | str]) -> str:
    keys = [part for part in location if isinstance(part, str)]
    owner = _model_at(model, keys[:-1])
    for name, field in owner.model_fields.items():
        if keys and keys[-1] in {name, field.alias}:
            return field.description or ""
    return ""
