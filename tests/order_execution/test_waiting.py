from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bybitd.order_execution.waiting import (
    MOST,
    MOST_OF_A_CLIENT,
    Line,
    Waiter,
    WaitingRoom,
    urgent,
)


def waiter(client: str, item: str = "", units: int = 1, due_ms: float = 1000.0) -> Waiter[str]:
    return Waiter(client=client, units=units, due_ms=due_ms, item=item)


def room_with(*waiting: Waiter[str]) -> tuple[WaitingRoom[str], Line[str]]:
    room: WaitingRoom[str] = WaitingRoom()
    line = room.line("create", urgent=False)
    for one in waiting:
        room.add(line, one)
    return room, line


def drain(room: WaitingRoom[str], line: Line[str], most: int = 1000) -> list[Waiter[str]]:
    left = []
    while (first := line.first()) is not None and len(left) < most:
        room.leave(first)
        left.append(first)
    return left


def test_clients_take_turns_and_what_one_asked_for_first_leaves_first() -> None:
    room, line = room_with(
        *(waiter("a", f"a{number}") for number in range(4)),
        waiter("b", "b0"),
        waiter("b", "b1"),
        waiter("c", "c0"),
    )
    left = [one.item for one in drain(room, line)]
    assert left == ["a0", "b0", "c0", "a1", "b1", "a2", "a3"]
    assert len(room) == 0


def test_a_client_that_asks_for_much_at_once_does_not_get_more_than_the_others() -> None:
    room, line = room_with(
        *(waiter("batches", units=10) for _ in range(10)),
        *(waiter("singles") for _ in range(100)),
    )
    taken = {"batches": 0, "singles": 0}
    while all(taken[name] < 50 for name in taken):
        first = line.first()
        assert first is not None
        room.leave(first)
        taken[first.client] += first.units
    assert abs(taken["batches"] - taken["singles"]) <= 10


def test_a_client_that_comes_and_goes_gets_no_more_turns_than_one_that_waits() -> None:
    room, line = room_with(*(waiter("patient") for _ in range(50)), waiter("hasty"))
    turns = []
    for _ in range(40):
        first = line.first()
        assert first is not None
        room.leave(first)
        turns.append(first.client)
        if first.client == "hasty":
            room.add(line, waiter("hasty"))
    assert turns.count("hasty") == turns.count("patient")


def test_a_newcomer_does_not_have_to_wait_for_all_that_another_asked_for() -> None:
    room, line = room_with(*(waiter("many") for _ in range(100)))
    drain(room, line, most=30)
    room.add(line, waiter("new", "here"))
    assert "here" in [one.item for one in drain(room, line, most=2)]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 5)), max_size=40))
def test_never_more_leaves_before_a_request_than_was_said_when_it_came(
    waiting: list[tuple[str, int]],
) -> None:
    room, line = room_with(*(waiter(client, units=units) for client, units in waiting))
    said = line.ahead("a")
    own = waiter("a")
    room.add(line, own)
    before = 0
    for one in drain(room, line):
        if one is own:
            break
        before += one.units
    largest = max([units for _, units in waiting], default=0)
    assert before <= said + 3 * largest  # each other client's head may be large
    assert said <= sum(units for _, units in waiting)


def test_what_is_too_late_is_returned_once_and_holds_up_nobody() -> None:
    room, line = room_with(
        waiter("a", "late", due_ms=10),
        waiter("a", "in time", due_ms=50),
        waiter("b", "b", due_ms=5),
    )
    assert room.next_due_ms() == 5
    assert [one.item for one in room.too_late(10)] == ["b", "late"]
    assert room.too_late(10) == []
    assert [one.item for one in drain(room, line)] == ["in time"]
    assert room.next_due_ms() is None


def test_urgent_lines_go_first() -> None:
    room: WaitingRoom[str] = WaitingRoom()
    for op in ("order.create", "order.amend", "order.cancel", "order.cancel-batch"):
        room.add(room.line(op, urgent=urgent(op)), waiter("a", op))
    order = [first.item for line in room.lines() if (first := line.first()) is not None]
    assert order == ["order.cancel", "order.cancel-batch", "order.amend", "order.create"]


def test_no_client_can_fill_the_room_alone() -> None:
    room, line = room_with(*(waiter("greedy") for _ in range(MOST_OF_A_CLIENT)))
    assert room.full("greedy")
    assert not room.full("other")
    for number in range(MOST - MOST_OF_A_CLIENT):
        room.add(line, waiter(f"client-{number % 50}"))
    assert room.full("other")
    assert len(room.clear()) == MOST
    assert not room.full("greedy")
