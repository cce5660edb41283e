"""The state machine: random statements on two sessions; whenever all is quiet, record and catalog are equal.

In: an `Arena` (fresh databases on a server). Out: hypothesis fails with the shortest run that still goes wrong. Called
by the test and the bench. What a run does follows from hypothesis' choices alone: nothing runs at the same time, a
statement that would wait for the other session's lock fails after `lock_timeout`, and what there is comes sorted.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import psycopg
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sandbox.databases import Databases
from tests.random_ddl.driver import Action, Counts, Difference, Driver, Kind, prepare_roles
from tests.random_ddl.generate import step
from tests.random_ddl.grammar import FAMILIES, WEIGHTS
from tests.random_ddl.shrink import Shrinking

BEGINNING = Path(__file__).with_name("beginning.sql").read_text(encoding="utf-8")
FULL = 120  # so many things, and drops become likely
SHRINK_TRIES = 200

SESSIONS = st.sampled_from((0, 0, 0, 1))
WEIGHTED = [name for name in FAMILIES for _ in range(WEIGHTS.get(name, 1))]


@dataclass(slots=True)
class Arena:
    """Where runs happen: clones of `templates`, databases with pggit-daemon installed (`prepare` makes them)."""

    server: Databases
    templates: Sequence[str]
    counts: Counts = field(default_factory=Counts)
    numbers: itertools.count[int] = field(default_factory=itertools.count)
    found: str | None = None

    @classmethod
    def prepare(cls, server: Databases, installed: str) -> Arena:
        """Make another template, in which there is something of everything already."""
        beginning = f"{installed}_beginning"
        server.create_database(beginning, installed)
        with psycopg.connect(server.dsn(beginning), autocommit=True) as conn:
            prepare_roles(conn)
            conn.execute(BEGINNING.encode())
        return cls(server, (installed, beginning))

    def open(self, template: str, counts: Counts) -> tuple[str, Driver]:
        name = f"random_{next(self.numbers)}"
        self.server.create_database(name, template)
        return name, Driver(self.server.dsn(name), counts)

    def close(self, name: str, driver: Driver) -> None:
        driver.close()
        self.server.drop_database(name)

    def differences_after(self, template: str, actions: Sequence[Action]) -> list[Difference]:
        """What is wrong at the end of these, on a database of their own."""
        name, driver = self.open(template, Counts())
        try:
            for action in actions:
                driver.act(action)
            driver.finish()
            return driver.differences()
        finally:
            self.close(name, driver)

    def explained(self, template: str, actions: Sequence[Action], differences: Sequence[Difference]) -> str:
        """The differences, and the shortest run that leads to one of the same kind.

        Sought once: hypothesis runs a failure again to show it.
        """
        if self.found is not None:
            return self.found
        kind = differences[0].kind
        left = Shrinking(
            list(actions),
            lambda tried: any(d.kind == kind for d in self.differences_after(template, tried)),
            SHRINK_TRIES,
        ).run()
        self.found = "\n".join(
            ["record and catalog differ:", *map(str, differences), f"on a clone of {template}, after", *map(str, left)]
        )
        return self.found


class RandomDdl(RuleBasedStateMachine):
    """One run, on a database of its own."""

    arena: ClassVar[Arena]
    database = ""

    @initialize(bare=st.booleans(), families=st.lists(st.sampled_from(sorted(FAMILIES)), min_size=0, max_size=12))
    def start(self, bare: bool, families: list[str]) -> None:  # noqa: FBT001  # hypothesis passes it by name
        """On an empty database, or on one that has much; some families come more often, so that runs differ."""
        self.template = self.arena.templates[0 if bare else -1]
        self.database, self.driver = self.arena.open(self.template, self.arena.counts)
        self.families = WEIGHTED + families * 8

    @rule(session=SESSIONS, choice=st.integers(0, 2**64 - 1))
    def statement(self, session: int, choice: int) -> None:
        self._statement(session, choice)

    @rule(session=SESSIONS, choice=st.integers(0, 2**64 - 1))
    def another(self, session: int, choice: int) -> None:
        self._statement(session, choice)

    @rule(session=SESSIONS, choices=st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=6))
    def several(self, session: int, choices: list[int]) -> None:
        for choice in choices:
            self._statement(session, choice)

    @rule(session=SESSIONS, choices=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=5))
    def transaction(self, session: int, choices: list[int]) -> None:
        self._act(Action(session, Kind.BEGIN))
        for choice in choices:
            self._statement(session, choice)
        self._act(Action(session, Kind.COMMIT))

    @rule(session=SESSIONS, choices=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=3))
    def begin(self, session: int, choices: list[int]) -> None:
        """A transaction stays open over the next rules, beside what the other session does."""
        self._act(Action(session, Kind.BEGIN))
        for choice in choices:
            self._statement(session, choice)
        self._act(Action(session, Kind.SAVEPOINT))

    @rule(session=SESSIONS, choice=st.integers(0, 2**64 - 1))
    @precondition(lambda self: not self.driver.quiet())
    def roll_back_to_savepoint(self, session: int, choice: int) -> None:
        self._act(Action(session, Kind.SAVEPOINT))
        self._statement(session, choice)
        self._act(Action(session, Kind.ROLLBACK_TO))

    @rule(kind=st.sampled_from((Kind.COMMIT, Kind.COMMIT, Kind.COMMIT, Kind.ROLLBACK)))
    @precondition(lambda self: not self.driver.quiet())
    def end(self, kind: Kind) -> None:
        for session in (0, 1):
            self._act(Action(session, kind))

    @rule()
    @precondition(lambda self: not self.driver.quiet())
    def commit(self) -> None:
        self.driver.finish()

    def teardown(self) -> None:
        if not self.database:
            return  # it did not even start
        try:
            self.driver.finish()
            self.the_record_equals_the_catalog()
        finally:
            self.arena.close(self.database, self.driver)

    def _statement(self, session: int, choice: int) -> None:
        rng = random.Random(choice)  # noqa: S311  # no secret
        live = self.driver.look(session)
        family = "drops" if live.size > FULL and rng.random() < 0.5 else rng.choice(self.families)
        action = step(session, family, rng, live)
        if action is not None:
            self._act(action)

    def _act(self, action: Action) -> None:
        self.arena.counts.steps += 1
        self.driver.act(action)

    @invariant()
    def the_record_equals_the_catalog(self) -> None:
        if not self.driver.quiet():
            return
        differences = self.driver.differences()
        if differences:
            log = list(self.driver.log)
            self.driver.log.clear()
            self.driver.resume()
            raise AssertionError(self.arena.explained(self.template, log, differences))


def run(arena: Arena, *, examples: int, steps: int, by_seed: int | None = None) -> None:
    """Run it; AssertionError with the shortest run that goes wrong. Without a seed it is the same run every time."""
    made = type("RandomDdlHere", (RandomDdl,), {"arena": arena})
    if by_seed is not None:
        made = seed(by_seed)(made)
    run_state_machine_as_test(made, settings=profile(examples, steps, derandomize=by_seed is None))


def profile(examples: int, steps: int, *, derandomize: bool) -> settings:
    """No deadline, as the machine may be busy; no shrinking, as `shrink.py` does that better; nothing remembered."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=derandomize,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
