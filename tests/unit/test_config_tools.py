"""Where history tables are looked for, and presets of the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from pggit_daemon.config import load, parse
from pggit_daemon.errors import ConfigError
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.preset import packaged

GOOD = '[[database]]\nname = "app"\n'
TOOL = """
key = ["version"]
table = { names = ["my_history"], columns = { version = "integer", title = "text" }, key = ["version"] }
proof = [{ by = "transaction" }]
migration = { id = "version", version = ["version"], name = "title" }
"""


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ("true", {"app.a", "app.b", "old.a"}),
        ("false", set()),
        ('["app"]', {"app.a", "app.b"}),
        ('["!old"]', {"app.a", "app.b"}),
        ('["*.a", "!old.*"]', {"app.a"}),
        ('["o?d"]', {"old.a"}),
    ],
)
def test_discover_says_where_to_look(given: str, allowed: set[str]) -> None:
    discovery = parse(f"{GOOD}discover = {given}", origin="c").databases[0].discovery
    tables = (TableName("app", "a"), TableName("app", "b"), TableName("old", "a"))
    assert {str(table) for table in tables if discovery.allows(table)} == allowed


@pytest.mark.parametrize("given", ["1", "[]", "[1]", '["!"]', '"app"', '[""]'])
def test_discover_is_refused_with_what_is_allowed(given: str) -> None:
    with pytest.raises(ConfigError, match=r"database\[0\].discover = .*allowed: true, false, or a list of patterns"):
        parse(f"{GOOD}discover = {given}", origin="c")


def test_without_presets_of_ones_own_there_are_the_packages() -> None:
    assert dict(parse(GOOD, origin="c").databases[0].presets) == dict(packaged())


def test_a_tool_of_ones_own_stands_beside_the_packages() -> None:
    [database] = parse(f'{GOOD}[[tool]]\ntool = "mine"{TOOL}', origin="c").databases
    assert set(database.presets) == {*dict(packaged()), "mine"}


def test_one_of_the_same_name_takes_the_packages_place() -> None:
    [database] = parse(f'{GOOD}[[tool]]\ntool = "flyway"{TOOL}', origin="c").databases
    assert set(database.presets) == {*dict(packaged())}
    assert database.presets["flyway"].table.names == ("my_history",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('tool = "mine"' + TOOL.replace('["version"]', '["verzion"]', 1), "tool[0].mine: not a column of its table"),
        (
            'tool = "mine"' + TOOL.replace('"transaction"', '"hope"'),
            "tool[0].proof[0].by = 'hope': allowed: 'transaction', ",
        ),
        ('tool = "mine"\nmodel = "row"' + TOOL, "tool[0].model = 'row': allowed: 'rows', 'head', 'state' or 'events'"),
        ('tool = "mine"' + TOOL.replace('by = "transaction"', ""), "tool[0].proof[0].by: missing; it is required"),
        ('tool = "mine"' + TOOL + "rank = 'x'", "tool[0].rank = 'x': allowed: integer"),
        ('tool = "mine"' + TOOL + "colour = 1", "tool[0].colour: unknown key"),
        ('tool = "mine"' + TOOL.replace('key = ["version"]', "", 1), "tool[0].key: missing; it is required"),
    ],
)
def test_a_tool_that_is_wrong_is_refused_by_key(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"{GOOD}[[tool]]\n{text}", origin="c")
    assert message in caught.value.message


def test_a_folder_of_presets(tmp_path: Path) -> None:
    """A relative one stands beside the file; a preset's name is its file's."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "mine.toml").write_text(f'tool = "my tool"{TOOL}')
    (tmp_path / "tools" / "README").write_text("no preset")
    config = tmp_path / "c.toml"
    config.write_text(f'[daemon]\ntools_folder = "tools"\n{GOOD}')
    [database] = load(config).databases
    assert database.presets["mine"].tool == "my tool"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("tool = ", "mine.toml: not TOML"),
        ('tool = "x"', "mine.toml: 3 errors\n  table: missing; it is required\n  key: "),
    ],
)
def test_a_file_that_is_wrong_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.toml").write_text(content)
    config = tmp_path / "c.toml"
    config.write_text(f'[daemon]\ntools_folder = "own"\n{GOOD}')
    with pytest.raises(ConfigError) as caught:
        load(config)
    assert message in caught.value.message


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(f'[daemon]\ntools_folder = "nowhere"\n{GOOD}')
    with pytest.raises(ConfigError, match=r"tools_folder = .*nowhere.*No such file"):
        load(config)


def test_a_changed_preset_makes_another_database() -> None:
    """A reload compares databases: one that is read with other presets starts again."""
    plain = parse(GOOD, origin="c").databases[0]
    assert plain == parse(GOOD, origin="c").databases[0]
    assert plain != parse(f'{GOOD}[[tool]]\ntool = "mine"{TOOL}', origin="c").databases[0]
