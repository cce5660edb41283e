"""config.example.toml and docs/configuration.md say what the models really do."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pggit_daemon.config import Columns, Config, Daemon, Database, Source, parse

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "config.example.toml").read_text(encoding="utf-8")
# A key or a section that is commented out has no space after the sign; prose has.
EVERYTHING = re.sub(r"^#(?=[a-z_]+ =|\[)", "", EXAMPLE, flags=re.MULTILINE)

SECTIONS: dict[str, type[BaseModel]] = {
    "[daemon]": Daemon,
    "[[database]]": Database,
    "[[database.source]]": Source,
    "[database.source.columns]": Columns,
}
SUBSECTIONS = {"source", "columns"}  # keys that are sections of their own


def fields() -> Iterator[tuple[str, str, FieldInfo]]:
    for section, model in SECTIONS.items():
        for name, field in model.model_fields.items():
            key = field.alias or name
            if key not in SUBSECTIONS:
                yield section, key, field


def section_text(section: str) -> str:
    """Cut out the part of the example between this section's header and the next one."""
    header = re.search(rf"^#?{re.escape(section)}$", EXAMPLE, re.MULTILINE)
    assert header is not None
    begin = header.end() + 1
    following = re.search(r"^#?\[", EXAMPLE[begin:], re.MULTILINE)
    return EXAMPLE[begin : begin + following.start()] if following else EXAMPLE[begin:]


def test_the_example_is_correct_as_it_stands_and_with_every_key() -> None:
    """Both forms load."""
    parse(EXAMPLE, origin="example")
    config = parse(EVERYTHING, origin="example")
    assert set(Config.model_fields) == {"daemon", "databases", "tools"}
    assert [tool.tool for tool in config.tools] == ["mine"]
    given = {key for section in (config.daemon, config.databases[0]) for key in section.model_fields_set}
    assert given == set(Daemon.model_fields) | set(Database.model_fields)
    (source,) = config.databases[0].sources
    assert source.model_fields_set == set(Source.model_fields)
    assert source.columns.model_fields_set == set(Columns.model_fields)


@pytest.mark.parametrize(("section", "key", "field"), list(fields()), ids=lambda v: v if isinstance(v, str) else "")
def test_each_key_is_described_with_its_real_default(section: str, key: str, field: FieldInfo) -> None:
    """Prose above the key, a line with the default, and a commented-out key that shows it."""
    block = re.search(rf"((?:^# .*\n)+)^(#?){key} = (.*)$", section_text(section), re.MULTILINE)
    assert block is not None, f"{section} {key} is not in the example"
    prose, commented, value = block.groups()
    assert len(prose.splitlines()) >= 2
    last = prose.splitlines()[-1].removeprefix("# ")
    if field.is_required():
        assert last == "Required."
        return
    shown = last.removeprefix("Default: ")
    assert shown != last, f"{key}: the last line says no default"
    if field.default is None:
        assert shown in {"none", "any", "the database's grace_seconds"}
        return
    assert literal(shown) == field.default
    assert type(literal(shown)) is type(field.default)
    if commented:
        assert literal(value) == field.default


@pytest.mark.parametrize(("section", "key", "field"), list(fields()), ids=lambda v: v if isinstance(v, str) else "")
def test_each_key_is_in_the_documentation(section: str, key: str, field: FieldInfo) -> None:
    """docs/configuration.md has a row for each key under its section, with the default."""
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    part = text[text.index(f"## `{section}`") :].split("\n## ")[0]
    row = re.search(rf"^\| `{key}` \| (.*?) \|", part, re.MULTILINE)
    assert row is not None, f"{section} {key} is not documented"
    if not field.is_required() and field.default is not None:
        assert literal(row[1].strip("`")) == field.default


def literal(text: str) -> Any:
    return tomllib.loads(f"value = {text}")["value"]
