from __future__ import annotations

from bybitd.order_execution.flights import Flight, Flights


def flight(*keys: str, creates: bool = True) -> Flight:
    return Flight(
        op="order.create",
        client="grid",
        category="linear",
        units=len(keys),
        text="{}",
        due_ms=0,
        keys=keys,
        creates=creates,
        batch=len(keys) > 1,
    )


def test_an_answered_flight_lands_once() -> None:
    flights, one = Flights(), flight("a")
    flights.add("r-1", one)
    assert flights.carrying("a") is one
    assert flights.land("r-1") is one
    assert flights.land("r-1") is None
    assert flights.carrying("a") is None


def test_a_flight_that_was_given_up_still_lands_when_a_late_answer_comes() -> None:
    flights, one = Flights(), flight("a", "b")
    flights.add("r-1", one)
    assert flights.give_up("r-1") is one
    assert flights.give_up("r-1") is None
    assert (len(flights), flights.carrying("b")) == (0, None)
    assert flights.land("r-1") is one


def test_an_action_carries_no_order() -> None:
    flights = Flights()
    flights.add("r-1", flight("x-1", creates=False))
    assert flights.carrying("x-1") is None
