"""WAL positions: text, order, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pggit_daemon.model.lsn import LSN

POSITIONS = st.integers(min_value=0, max_value=2**64 - 1).map(LSN)


@given(POSITIONS)
def test_text_comes_back_as_the_same_position(lsn: LSN) -> None:
    assert LSN.parse(str(lsn)) == lsn


@given(POSITIONS, POSITIONS)
def test_order_is_that_of_the_wal(one: LSN, other: LSN) -> None:
    """Not that of the text: `A/0` comes after `9/0` and before `10/0`."""
    assert (one < other) == (one.value < other.value)


def test_the_servers_form_is_read() -> None:
    assert LSN.parse("16/B374D848") == LSN(0x16_B374D848)
    assert str(LSN(0x16_0000000A)) == "16/A"


@pytest.mark.parametrize("text", ["", "/", "16", "16/", "/B3", "16/G", "-1/0", "1/2/3", " 1/2", "1/123456789", "0x1/2"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a WAL position"):
        LSN.parse(text)
