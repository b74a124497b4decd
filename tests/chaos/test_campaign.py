"""The short form of `make chaos`: real processes, killed and cut off at every step of an order."""

from __future__ import annotations

import random

import pytest

from tests.chaos import campaign, points
from tests.chaos.scenario import draw

RUNS = 24
SEED = 2026


@pytest.mark.timeout(300)
def test_no_order_is_doubled_lost_misreported_or_unsettled_by_kills_and_cuts() -> None:
    result = campaign.run(SEED, RUNS)
    assert result.details == []
    assert not result.faults
    assert result.runs == RUNS


def test_a_seed_draws_the_same_runs_and_every_step_of_the_way_is_struck() -> None:
    def drawn(seed: int) -> list[object]:
        rng = random.Random(seed)
        return [draw(rng, over_rest=number % 2 == 0) for number in range(2000)]

    assert drawn(1) == drawn(1) != drawn(2)
    struck = {scenario.where for scenario in drawn(3) if scenario.kind == "point"}  # type: ignore[attr-defined]
    assert struck == {*points.ORDER_EXECUTION, *points.PRIVATE_STREAM, *points.BUS}
