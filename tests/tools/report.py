"""How tools did, as lines for people, and the exit code that follows."""

from __future__ import annotations

from collections.abc import Sequence

from tests.tools.bench import Done


def show(done: Done, *, verbose: bool = False) -> None:
    """Print what came of one tool in one mode."""
    if done.missing is not None:
        print(f"{done.tool:20} {done.mode.value:10} MISSING: {done.missing[-600:]}")
        return
    verdict = done.verdict
    evidence = ", ".join(f"{count} {name}" for name, count in sorted(verdict.evidence.items()))
    beside = f"{verdict.hands} by hand, {verdict.findings} findings"
    print(f"{done.tool:20} {done.mode.value:10} {verdict} ({beside}): {evidence}")
    for problem in verdict.problems:
        print(f"    {problem[:220]}")
    if done.failure:
        print(f"    FAILED {done.failure[-3000:]}")
    if verbose:
        print(done.told)


def summary(results: Sequence[Done]) -> int:
    """Print how many did well; return the exit code, 1 where one did not."""
    missing = sum(one.missing is not None for one in results)
    good = sum(one.ok for one in results)
    print(f"{good} passed, {len(results) - good - missing} failed, {missing} missing")
    return 0 if good == len(results) else 1
