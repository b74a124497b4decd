import time

import pytest

from bybitd.net.errors import IpBanned, OutcomeUnknown, OverBudget, RestError
from bybitd.net.rest import RestReply
from bybitd.public_feed.fetching import AT_ONCE, Fetcher, Urgency


class HandWorker:
    """Keeps jobs until `end` ends the oldest of them."""

    def __init__(self, room=100):
        self.jobs, self.room = [], room

    def submit(self, job, done):
        if len(self.jobs) >= self.room:
            return False
        self.jobs.append((job, done))
        return True

    def end(self, result=None, error=None):
        _, done = self.jobs.pop(0)
        done(result, error)


def fetching(worker, later=None):
    return Fetcher(worker, lambda: None, None, later)


def reply(ret_code=0, ret_msg="OK"):
    return RestReply(
        ret_code=ret_code,
        ret_msg=ret_msg,
        result={},
        ret_ext_info={},
        time_ms=1,
        limit=None,
        remaining=None,
        reset_ms=None,
        sent_ns=1,
        received_ns=2,
    )


def test_few_calls_are_made_at_once_and_the_most_urgent_of_the_others_next():
    worker, ended = HandWorker(), []
    fetcher = fetching(worker)

    def ask(name, urgency):
        fetcher.ask(urgency, name, {}, lambda *_: ended.append(name))

    for name in ("a", "b", "c"):
        ask(name, Urgency.CANDLES)
    ask("book", Urgency.FULL_BOOK)
    ask("trades", Urgency.TRADES)
    assert len(worker.jobs) == AT_ONCE
    assert fetcher.describe() == {"asked": 2, "failed": 0, "waiting": 5}
    for _ in range(5):
        worker.end(reply())
    assert ended == ["a", "b", "trades", "book", "c"]


@pytest.mark.parametrize(
    ("result", "error", "problem"),
    [
        (reply(), None, ""),
        (reply(10001, "params error"), None, "retCode 10001 params error"),
        (None, OutcomeUnknown("/v5/x: ReadTimeoutError after sending"), "/v5/x: ReadTimeout"),
    ],
)
def test_an_answer_is_a_good_one_or_a_problem(result, error, problem):
    worker, ended = HandWorker(), []
    fetcher = fetching(worker)
    fetcher.ask(Urgency.TRADES, "/v5/x", {}, lambda *answer: ended.append(answer))
    worker.end(result, error)
    ((got, told),) = ended
    assert (got is not None) == (problem == "")
    assert told.startswith(problem)
    assert fetcher.failed == (problem != "")


def test_without_an_address_nothing_is_sent():
    worker = HandWorker()
    fetching(worker).ask(Urgency.TRADES, "/v5/x", {}, lambda *_: None)
    with pytest.raises(RestError, match="not known yet") as caught:
        worker.jobs[0][0]()
    assert not caught.value.sent


def test_a_worker_that_is_full_is_asked_again_when_a_call_has_ended():
    worker, ended = HandWorker(room=1), []
    fetcher = fetching(worker)
    for name in ("a", "b"):
        fetcher.ask(Urgency.TRADES, name, {}, lambda *_, name=name: ended.append(name))
    worker.end(reply())
    worker.end(reply())
    assert ended == ["a", "b"]


def test_what_waits_is_forgotten_at_the_end():
    worker, ended = HandWorker(), []
    fetcher = fetching(worker)
    for name in "abc":
        fetcher.ask(Urgency.TRADES, name, {}, lambda *_: ended.append(1))
    fetcher.close()
    worker.end(reply())
    worker.end(reply())
    assert ended == [1, 1]
    assert worker.jobs == []


def test_where_the_budget_is_used_up_all_wait_and_none_is_lost_or_told_of_it():
    worker, ended, waits = HandWorker(), [], []
    fetcher = fetching(worker, lambda seconds, callback: waits.append((seconds, callback)))
    for name in "abc":
        fetcher.ask(Urgency.TRADES, name, {}, lambda *_, name=name: ended.append(name))
    until_ms = time.time_ns() // 1_000_000 + 3_000
    for _ in range(AT_ONCE):
        worker.end(error=OverBudget("/v5/x", until_ms))
    assert (worker.jobs, ended, fetcher.describe()["waiting"]) == ([], [], 3)
    ((seconds, go_on),) = waits
    assert 0 < seconds <= 3
    go_on()
    for _ in range(3):
        worker.end(reply())
    assert ended == ["a", "b", "c"]


def test_a_ban_is_a_problem_that_is_told():
    worker, ended = HandWorker(), []
    fetcher = fetching(worker)
    fetcher.ask(Urgency.TRADES, "/v5/x", {}, lambda *answer: ended.append(answer))
    worker.end(error=IpBanned("/v5/x", 1))
    ((got, problem),) = ended
    assert got is None
    assert "banned" in problem
