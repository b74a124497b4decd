from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from bybitd.order_execution.link_ids import MAX_LENGTH, LinkIds, base36


@given(st.integers(0, 2**70))
def test_base_36_can_be_read_back(number: int) -> None:
    assert int(base36(number), 36) == number


@given(st.integers(1, 2**60), st.integers(1, 2**60))
def test_ids_fit_the_exchange_and_two_runs_never_make_the_same(one: int, other: int) -> None:
    first, second = LinkIds("bd", one), LinkIds("bd", other)
    ids = [first.next() for _ in range(50)]
    if one != other:
        ids += [second.next() for _ in range(50)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(rf"[A-Za-z0-9_-]{{1,{MAX_LENGTH}}}", made) for made in ids)
