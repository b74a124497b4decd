from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bybitd.errors import StartError
from bybitd.net.shared_connects import SharedConnects


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[SharedConnects, SharedConnects]]:
    """What two programs of one run folder have."""
    pair = [SharedConnects(tmp_path / "connects", limit=10, window_s=100) for _ in range(2)]
    yield pair[0], pair[1]
    for each in pair:
        each.close()


def test_the_attempts_of_all_programs_count_together(
    two: tuple[SharedConnects, SharedConnects],
) -> None:
    first, second = two
    for attempt in range(10):
        assert second.wait_s(1000.0 + attempt) == 0
        first.spend(1000.0 + attempt)
    assert second.wait_s(1010.0) == 90.0
    assert first.wait_s(1010.0) == 90.0
    assert second.wait_s(1100.0) == 0


def test_most_of_the_limit_need_not_be_spared(two: tuple[SharedConnects, SharedConnects]) -> None:
    first, second = two
    for _ in range(8):
        assert second.is_ample(500.0)
        first.spend(500.0)
    assert not second.is_ample(500.0)
    assert second.is_ample(601.0)


def test_what_another_boot_has_left_does_not_count(
    two: tuple[SharedConnects, SharedConnects],
) -> None:
    first, second = two
    for _ in range(10):
        first.spend(1_000_000.0)
    assert second.wait_s(50.0) == 0
    for _ in range(10):
        second.spend(50.0)
    assert first.wait_s(51.0) == 99.0


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="connects"):
        SharedConnects(tmp_path / "no such folder" / "connects")
