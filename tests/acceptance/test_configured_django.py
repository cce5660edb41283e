"""Django's table named in the configuration, as somebody has it whose daemon knew no presets."""

from __future__ import annotations

from tests.acceptance.conftest import RealTool
from tests.acceptance.scenes import Scene
from tests.tools.story import FIRST

SOURCE = """
[[database.source]]
name = "django"
table = "public.django_migrations"
tool = "django"
ddl = "after"
columns = { id = "id", name = "name" }
"""


def test_foreign_keys_that_django_defers_are_their_migrations(unfollowed: Scene, real_tool: RealTool) -> None:
    """The first migration shares its transaction with the row; the second does not, and has a session of its own."""
    unfollowed.follow(SOURCE, grace_seconds=10)
    django = real_tool("django", unfollowed.dsn)
    for script in FIRST:
        django.add(script)
        assert django.up().ok
    assert django.down().ok
    kinds = [line.split(":")[0] for line in unfollowed.commits()]
    assert kinds == ["tool", "migration 1/transaction", "migration 2/window", "rollback 2/window"]
    assert "m2_orders_buyer_id_1d9a49a7_fk_m1_users_id" in unfollowed.commits()[2]
