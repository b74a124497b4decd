from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bybitbus.codes import Outcome
from bybitd.order_execution import ledger
from bybitd.order_execution.errors import IllegalTransition
from bybitd.order_execution.ledger import Basis, Order, State
from tests.order_execution.records import T_MS, WINDOW_MS, received, record, sent

NOW = T_MS * 1_000_000


def open_order() -> Order:
    return ledger.observe(sent(), record("New"), NOW)


def test_the_table_names_every_state_and_leads_nowhere_from_an_end() -> None:
    assert set(ledger.TRANSITIONS) == set(State)
    ends = {state for state, following in ledger.TRANSITIONS.items() if not following}
    assert ends == {State.FILLED, State.CANCELLED, State.REJECTED}


def test_no_transition_of_the_table_leads_back_to_less_knowledge() -> None:
    order = [
        {State.RECEIVED},
        {State.SENT, State.UNKNOWN},
        {State.ACKNOWLEDGED},
        {State.OPEN},
        {State.PART_FILLED},
        {State.FILLED, State.CANCELLED, State.REJECTED},
    ]
    rank = {state: number for number, states in enumerate(order) for state in states}
    for state, following in ledger.TRANSITIONS.items():
        assert all(rank[to] >= rank[state] for to in following)
        assert state not in following


def test_an_order_that_was_not_sent_can_not_be_acknowledged() -> None:
    with pytest.raises(IllegalTransition, match="acknowledged can not follow received"):
        ledger._advance(received(), State.ACKNOWLEDGED, NOW)


def test_an_order_is_sent_once() -> None:
    with pytest.raises(IllegalTransition, match="sent can not follow sent"):
        ledger.sent(sent(), timestamp_ms=T_MS, recv_window_ms=WINDOW_MS, now_ns=NOW)


def test_an_order_is_stamped_anew_only_while_it_waits_for_its_answer() -> None:
    again = ledger.sent_again(sent(), timestamp_ms=T_MS + 9, recv_window_ms=5, now_ns=NOW)
    assert again.state is State.SENT
    assert (again.timestamp_ms, again.valid_until_ms) == (T_MS + 9, T_MS + 14)
    with pytest.raises(IllegalTransition):
        ledger.sent_again(
            ledger.unanswered(sent(), "cut", NOW), timestamp_ms=1, recv_window_ms=5, now_ns=NOW
        )


def test_a_sent_order_knows_until_when_the_exchange_can_accept_it() -> None:
    assert sent().valid_until_ms == T_MS + WINDOW_MS
    assert sent().outcome is Outcome.UNKNOWN


def test_an_acknowledgement_gives_the_order_its_id() -> None:
    order = ledger.acknowledged(sent(), "ex-1", NOW)
    assert (order.state, order.order_id, order.outcome) == (
        State.ACKNOWLEDGED,
        "ex-1",
        Outcome.ACCEPTED,
    )


def test_an_acknowledgement_after_the_fill_changes_only_the_stamp() -> None:
    filled = ledger.observe(sent(), record("Filled", "1"), NOW)
    order = ledger.acknowledged(filled, "ex-1", NOW + 5)
    assert (order.state, order.cum_exec_qty) == (State.FILLED, "1")
    assert order.acknowledged_ns == NOW + 5


def test_a_second_acknowledgement_changes_nothing() -> None:
    order = ledger.acknowledged(sent(), "ex-1", NOW)
    assert ledger.acknowledged(order, "ex-1", NOW + 5) is order


def test_a_lost_acknowledgement_makes_it_unknown_and_never_rejected() -> None:
    order = ledger.unanswered(sent(), "no answer in time", NOW)
    assert (order.state, order.outcome) == (State.UNKNOWN, Outcome.UNKNOWN)


def test_an_order_that_its_events_have_shown_is_not_unknown_when_its_answer_is_lost() -> None:
    order = open_order()
    assert ledger.unanswered(order, "no answer in time", NOW) is order


def test_a_late_acknowledgement_settles_an_unknown_order() -> None:
    order = ledger.acknowledged(ledger.unanswered(sent(), "timeout", NOW), "ex-1", NOW)
    assert (order.state, order.reason) == (State.ACKNOWLEDGED, "")


@pytest.mark.parametrize(
    ("status", "filled", "state"),
    [
        ("New", "0", State.OPEN),
        ("Untriggered", "0", State.OPEN),
        ("Triggered", "0", State.OPEN),
        ("SomethingNew", "0", State.OPEN),
        ("SomethingNew", "0.4", State.PART_FILLED),
        ("PartiallyFilled", "0.4", State.PART_FILLED),
        ("New", "0.4", State.PART_FILLED),
        ("Filled", "1", State.FILLED),
        ("Cancelled", "0", State.CANCELLED),
        ("Cancelled", "0.4", State.CANCELLED),
        ("PartiallyFilledCanceled", "0.4", State.CANCELLED),
        ("Deactivated", "0", State.CANCELLED),
        ("Rejected", "0", State.REJECTED),
        ("Rejected", "0.4", State.CANCELLED),
    ],
)
def test_each_status_of_the_exchange_has_its_state(status: str, filled: str, state: State) -> None:
    order = ledger.observe(sent(), record(status, filled), NOW)
    assert (order.state, order.basis, order.order_id) == (state, Basis.EXCHANGE, "ex-1")


def test_a_new_that_comes_after_the_partial_fill_changes_nothing() -> None:
    order = ledger.observe(sent(), record("PartiallyFilled", "0.4", at=9), NOW)
    assert ledger.observe(order, record("New", at=3), NOW) is order


def test_a_second_filled_with_the_marks_of_a_failed_cancel_is_ignored() -> None:
    order = ledger.observe(open_order(), record("Filled", "1", at=5), NOW)
    second = record(
        "Filled",
        "1",
        at=8,
        cancelType="CancelByUser",
        rejectReason="EC_OrigClOrdIDDoesNotExist",
    )
    assert ledger.observe(order, second, NOW) is order


def test_a_cancelled_order_stays_cancelled_when_older_news_come() -> None:
    order = ledger.observe(open_order(), record("Cancelled", "0.4", at=9), NOW)
    assert ledger.observe(order, record("PartiallyFilled", "0.4", at=5), NOW) is order


def test_the_end_of_an_order_may_still_learn_of_more_fills() -> None:
    order = ledger.observe(open_order(), record("Cancelled", "0.2", at=9), NOW)
    more = ledger.observe(order, record("PartiallyFilled", "0.4", at=8), NOW)
    assert (more.state, more.status, more.cum_exec_qty) == (State.CANCELLED, "Cancelled", "0.4")


def test_the_executed_quantity_is_compared_as_a_number() -> None:
    order = ledger.observe(open_order(), record("PartiallyFilled", "0.10", at=5), NOW)
    assert ledger.observe(order, record("PartiallyFilled", "0.1", at=5), NOW) is order
    more = ledger.observe(order, record("PartiallyFilled", "0.9", at=5), NOW)
    assert more.cum_exec_qty == "0.9"


def test_an_amended_price_shows_by_its_newer_record() -> None:
    order = ledger.observe(open_order(), record("New", at=5, price="101"), NOW)
    assert (order.state, order.price) == (State.OPEN, "101")
    assert ledger.observe(order, record("New", at=4, price="100"), NOW) is order


def test_a_record_of_another_order_with_the_same_link_id_is_not_taken() -> None:
    order = open_order()
    assert ledger.observe(order, record("Filled", "1", orderId="ex-2"), NOW) is order


def test_a_refusal_is_final_for_what_was_only_sent() -> None:
    order = ledger.refused(sent(), 110007, "not enough", Basis.REFUSED, NOW)
    assert (order.state, order.ret_code) == (State.REJECTED, 110007)


def test_a_refusal_does_not_undo_an_order_that_was_shown() -> None:
    order = open_order()
    assert ledger.refused(order, 20006, "Duplicate reqId", Basis.REFUSED, NOW) is order


def test_the_order_behind_a_duplicate_id_is_not_taken_for_ours() -> None:
    order = ledger.refused(sent(), 110072, "duplicate", Basis.DUPLICATE, NOW)
    assert ledger.observe(order, record("New"), NOW) is order


def test_proven_absence_makes_an_unknown_order_rejected() -> None:
    order = ledger.absent(ledger.unanswered(sent(), "timeout", NOW), NOW)
    assert (order.state, order.basis) == (State.REJECTED, Basis.ABSENT)


def test_absence_proves_nothing_of_an_order_that_still_waits_for_its_answer() -> None:
    with pytest.raises(IllegalTransition):
        ledger.absent(sent(), NOW)


def test_what_was_unknown_for_longer_than_the_history_reaches_is_not_called_rejected() -> None:
    order = ledger.absent(ledger.unanswered(sent(), "timeout", NOW), NOW, hidden=True)
    assert (order.state, order.basis) == (State.CANCELLED, Basis.GONE)


def test_absence_of_what_was_acknowledged_means_over_and_not_rejected() -> None:
    order = ledger.absent(ledger.acknowledged(sent(), "ex-1", NOW), NOW)
    assert (order.state, order.basis) == (State.CANCELLED, Basis.GONE)


def test_a_living_order_refutes_our_own_conclusion_that_it_was_absent() -> None:
    order = ledger.absent(ledger.unanswered(sent(), "timeout", NOW), NOW)
    assert ledger.observe(order, record("New"), NOW).state is State.OPEN
    assert ledger.acknowledged(order, "ex-1", NOW).state is State.ACKNOWLEDGED


def test_the_exchange_s_own_rejection_can_not_be_refuted() -> None:
    order = ledger.observe(sent(), record("Rejected", at=3), NOW)
    assert ledger.observe(order, record("New", at=9), NOW) is order


def test_an_order_that_was_never_sent_is_not_found_at_the_exchange() -> None:
    assert ledger.observe(received(), record("New"), NOW).state is State.RECEIVED
    given_up = ledger.not_sent(received(), "restarted", NOW)
    assert ledger.observe(given_up, record("New"), NOW) is given_up


class Life(RuleBasedStateMachine):
    """An order at a model of the exchange, with a network that loses, repeats and reorders."""

    def __init__(self) -> None:
        super().__init__()
        self.order = sent()
        self.accepted = False
        self.arrived = False
        self.refused = False
        self.ack_waits = False
        self.status = ""
        self.filled = Decimal(0)
        self.clock = 0
        self.records: list[dict[str, Any]] = []
        self.seen: list[Order] = []

    @property
    def over(self) -> bool:
        return self.status in ("Filled", "Cancelled", "Rejected")

    def emit(self, status: str) -> None:
        # Two events of one order may carry the same updatedTime.
        self.status = status
        self.records.append(record(status, str(self.filled), at=self.clock))

    def take(self, order: Order) -> None:
        self.seen.append(self.order)
        self.order = order

    # What the exchange does

    @precondition(lambda self: not self.arrived and self.clock < WINDOW_MS)
    @rule()
    def request_arrives_and_is_accepted(self) -> None:
        self.arrived = self.accepted = self.ack_waits = True
        self.emit("New")

    @precondition(lambda self: not self.arrived and self.clock < WINDOW_MS)
    @rule()
    def request_arrives_and_is_refused(self) -> None:
        self.arrived = self.refused = self.ack_waits = True

    @precondition(lambda self: self.accepted and not self.over)
    @rule(part=st.sampled_from(["0.1", "0.25"]))
    def a_part_fills(self, part: str) -> None:
        self.filled = min(Decimal(1), self.filled + Decimal(part))
        self.emit("Filled" if self.filled == 1 else "PartiallyFilled")

    @precondition(lambda self: self.accepted and not self.over)
    @rule(status=st.sampled_from(["Cancelled", "Rejected"]))
    def the_order_ends(self, status: str) -> None:
        self.emit(status)

    @precondition(lambda self: self.status == "Filled")
    @rule()
    def a_cancel_loses_the_race(self) -> None:
        self.records.append(record("Filled", "1", at=self.clock, cancelType="CancelByUser"))

    @rule(ms=st.sampled_from([1, 100, WINDOW_MS]))
    def time_passes(self, ms: int) -> None:
        self.clock += ms

    # What the network delivers

    @precondition(lambda self: self.records)
    @rule(data=st.data())
    def any_record_comes_late_early_or_again(self, data: st.DataObject) -> None:
        self.take(ledger.observe(self.order, data.draw(st.sampled_from(self.records)), NOW))

    @precondition(lambda self: self.ack_waits)
    @rule(repeated=st.booleans())
    def the_answer_comes(self, repeated: bool) -> None:
        self.ack_waits = repeated
        if self.accepted:
            self.take(ledger.acknowledged(self.order, "ex-1", NOW))
        else:
            self.take(ledger.refused(self.order, 110007, "no money", Basis.REFUSED, NOW))

    @rule()
    def the_wait_for_the_answer_ends(self) -> None:
        self.take(ledger.unanswered(self.order, "timeout", NOW))

    @rule()
    def it_is_looked_up(self) -> None:
        if self.accepted:
            self.take(ledger.observe(self.order, self.records[-1], NOW))
        elif self.clock > WINDOW_MS and self.order.state is State.UNKNOWN:
            self.take(ledger.absent(self.order, NOW))

    # What must hold

    @invariant()
    def it_never_goes_back(self) -> None:
        if self.seen:
            before = self.seen[-1]
            assert ledger._RANK[self.order.state] >= ledger._RANK[before.state]
            assert Decimal(self.order.cum_exec_qty) >= Decimal(before.cum_exec_qty)
            assert not before.is_over or self.order.state is before.state
            assert self.order.updated_ms >= before.updated_ms

    @invariant()
    def it_never_tells_more_than_happened(self) -> None:
        assert Decimal(self.order.cum_exec_qty) <= self.filled
        if self.order.state is State.REJECTED:
            assert not self.accepted or (self.status == "Rejected" and not self.filled)
        if self.order.state in (State.FILLED, State.CANCELLED):
            assert self.over
        if self.order.outcome is Outcome.ACCEPTED:
            assert self.accepted

    def teardown(self) -> None:
        # However it went, one look-up of an order that exists brings the truth.
        if self.accepted:
            order = ledger.observe(self.order, self.records[-1], NOW)
            assert Decimal(order.cum_exec_qty) == self.filled
            assert order.is_over == self.over


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("created", [T_MS - 3_600_000, T_MS - 61_000])
def test_an_older_order_with_the_same_link_id_is_not_taken_for_ours(created: int) -> None:
    order = ledger.unanswered(sent(), "timeout", NOW)
    assert ledger.observe(order, record("Filled", "1", createdTime=str(created)), NOW) is order


@pytest.mark.parametrize("created", [str(T_MS - 900), str(T_MS + 5000), "", "?"])
def test_an_order_of_about_the_time_of_the_request_is_ours(created: str) -> None:
    order = ledger.unanswered(sent(), "timeout", NOW)
    assert ledger.observe(order, record("New", createdTime=created), NOW).state is State.OPEN


def test_that_it_was_open_before_it_was_gone_is_no_news() -> None:
    order = ledger.unanswered(sent(), "timeout", NOW)
    gone = ledger.absent(order, NOW, asked_ms=T_MS + 90_000_000, hidden=True)
    assert ledger.observe(gone, record("New", at=5), NOW) is gone
    filled = ledger.observe(gone, record("PartiallyFilled", "0.4", at=5), NOW)
    assert (filled.state, filled.cum_exec_qty) == (State.CANCELLED, "0.4")
    ended = ledger.observe(gone, record("Cancelled", at=6), NOW)
    assert (ended.state, ended.status, ended.basis) == (
        State.CANCELLED,
        "Cancelled",
        Basis.EXCHANGE,
    )
    later = ledger.observe(gone, record("New", at=90_000_001), NOW)
    assert later.state is State.OPEN
