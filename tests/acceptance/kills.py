"""A daemon that is killed again and again while others work. Called by the tests of kills."""

from __future__ import annotations

import random
import time

from tests.acceptance.harness import Daemon

LONGEST_LIFE = 0.9  # seconds; starting takes about half of that, so some kills come before it streams and some after


class Kills:
    """`left`: how many are still to come."""

    def __init__(self, daemon: Daemon, count: int, chance: random.Random) -> None:
        self._daemon = daemon
        self._chance = chance
        self.left = count

    def next(self) -> None:
        """Let the daemon live for a moment, kill it and start it again; a pause when none is left."""
        if self.left:
            self.left -= 1
            time.sleep(LONGEST_LIFE * self._chance.random())
            self._daemon.kill()
            self._daemon.start()
        else:
            time.sleep(0.05)
