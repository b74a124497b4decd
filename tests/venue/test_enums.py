from __future__ import annotations

import pytest

from bybitd.venue.enums import OrderStatus


@pytest.mark.parametrize(
    "word", ["Filled", "Cancelled", "PartiallyFilledCanceled", "Rejected", "Deactivated"]
)
def test_an_order_that_is_over_is_terminal_and_not_open(word: str) -> None:
    status = OrderStatus.parse(word)
    assert status == word
    assert status.is_terminal
    assert not status.is_open


@pytest.mark.parametrize("word", ["New", "PartiallyFilled", "Untriggered"])
def test_an_order_that_rests_is_open_and_not_terminal(word: str) -> None:
    status = OrderStatus.parse(word)
    assert status.is_open
    assert not status.is_terminal


@pytest.mark.parametrize("word", ["", "PendingCancel", "Created", "PartiallyFilledCancelled"])
def test_a_word_that_is_not_known_is_never_terminal(word: str) -> None:
    status = OrderStatus.parse(word)
    assert status is OrderStatus.UNKNOWN
    assert not status.is_terminal
    assert not status.is_open
