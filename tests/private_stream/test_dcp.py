"""Arming the exchange's own cancelling, against a client and a worker played by the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from bybitd.errors import ConfigError
from bybitd.net.errors import OutcomeUnknown, RestError
from bybitd.net.rest import RestReply, RestWorker
from bybitd.private_stream.dcp import ASK, PRODUCTS, SET, Dcp, arm
from bybitd.settings_file import parse

ALL = ["SPOT", "DERIVATIVES", "OPTIONS"]


class Exchange:
    """Answers as the exchange does; `codes` refuses a product, `down` gives no answer."""

    def __init__(self) -> None:
        self.windows: dict[str, str] = {}
        self.codes: dict[str, tuple[int, str]] = {}
        self.ask_code = 0
        self.down = False
        self.asked = 0
        self.sent: list[dict[str, Any]] = []

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> RestReply:
        assert path == ASK
        if self.down:
            raise OutcomeUnknown("no answer")
        self.asked += 1
        infos = [
            {"product": product, "dcpStatus": "ON", "timeWindow": window}
            for product, window in self.windows.items()
        ]
        return reply(self.ask_code, "", {} if self.ask_code else {"dcpInfos": infos})

    def post(self, path: str, body: Mapping[str, Any]) -> RestReply:
        assert path == SET
        self.sent.append(dict(body))
        code, text = self.codes.get(body["product"], (0, ""))
        if code == 0:
            self.windows[body["product"]] = str(body["timeWindow"])
        return reply(code, text, {})


def reply(code: int, text: str, result: dict[str, Any]) -> RestReply:
    return RestReply(
        ret_code=code,
        ret_msg=text,
        result=result,
        ret_ext_info={},
        time_ms=0,
        limit=None,
        remaining=None,
        reset_ms=None,
        sent_ns=0,
        received_ns=0,
    )


class Worker:
    """Runs a job when the test says so."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Callable[[], Any], Callable[[Any, RestError | None], None]]] = []

    def submit(self, job: Callable[[], Any], done: Callable[[Any, RestError | None], None]) -> bool:
        self.jobs.append((job, done))
        return True

    def run(self) -> None:
        jobs, self.jobs = self.jobs, []
        for job, done in jobs:
            try:
                result = job()
            except RestError as error:
                done(None, error)
            else:
                done(result, None)


class World:
    """A DCP on a played exchange; `generation` is the comparison of the account, 0 while down."""

    def __init__(self, window_s: int | None = 10) -> None:
        self.exchange, self.worker = Exchange(), Worker()
        self.generation = 0
        self.refused: dict[str, str] = {}
        self.dcp = Dcp(
            window_s,
            cast("RestWorker", self.worker),
            lambda: self.exchange,
            lambda: self.generation,
            lambda: self.refused,
        )

    def turn(self, now_s: float) -> None:
        self.dcp.tick(now_s)
        self.worker.run()

    def shown(self) -> dict[str, Any]:
        return dict(self.dcp.describe()["dcp"])


def test_every_product_is_armed_once_the_account_is_compared() -> None:
    world = World()
    world.turn(0)
    assert world.exchange.sent == []
    assert world.shown()["armed"] == []
    assert set(world.shown()["problems"]) == set(ALL)
    world.generation = 1
    world.turn(1)
    assert world.exchange.sent == [{"product": name, "timeWindow": 10} for name in ALL]
    assert world.shown() == {"window_s": 10, "armed": ALL, "problems": {}}


def test_the_topics_of_all_products_are_wanted_only_where_it_is_configured() -> None:
    assert World().dcp.topics == tuple(PRODUCTS.values())
    left_alone = World(None)
    left_alone.generation = 1
    left_alone.turn(0)
    assert left_alone.dcp.topics == ()
    assert left_alone.dcp.describe() == {}
    assert (left_alone.exchange.asked, left_alone.exchange.sent) == (0, [])


def test_what_has_the_window_already_is_not_set_again_and_another_window_is() -> None:
    exchange = Exchange()
    exchange.windows = {"SPOT": "10", "OPTIONS": "40"}
    assert arm(exchange, 10) == dict.fromkeys(ALL, "")
    assert [body["product"] for body in exchange.sent] == ["DERIVATIVES", "OPTIONS"]
    assert exchange.windows == dict.fromkeys(ALL, "10")


def test_a_window_that_is_not_on_does_not_count() -> None:
    class Off(Exchange):
        def get(self, path: str, params: Mapping[str, Any] | None = None) -> RestReply:
            rows = [{"product": "SPOT", "dcpStatus": "OFF", "timeWindow": "10"}, "rubbish"]
            return reply(0, "", {"dcpInfos": rows})

    exchange = Off()
    arm(exchange, 10)
    assert [body["product"] for body in exchange.sent] == ALL


def test_a_refusal_is_told_by_product_and_asked_for_again_after_the_next_comparison() -> None:
    world = World()
    world.generation = 1
    world.exchange.codes["OPTIONS"] = (10005, "Permission denied")
    world.turn(0)
    assert world.shown()["armed"] == ["SPOT", "DERIVATIVES"]
    assert "10005 Permission denied" in world.shown()["problems"]["OPTIONS"]
    world.turn(100)
    assert len(world.exchange.sent) == 3  # a refusal is no reason to ask for ever
    world.exchange.codes.clear()
    world.generation = 2
    world.turn(101)
    assert world.exchange.sent[3:] == [{"product": "OPTIONS", "timeWindow": 10}]
    assert world.shown()["armed"] == ALL


def test_what_was_set_is_armed_when_the_exchange_shows_it_and_not_before() -> None:
    world = World()
    world.generation = 1
    world.exchange.ask_code = 10005
    world.turn(0)
    assert len(world.exchange.sent) == 3
    assert world.shown()["armed"] == []
    assert set(world.shown()["problems"].values()) == {
        "it was set, and the exchange does not show it yet"
    }
    world.exchange.ask_code = 0
    world.turn(9.9)  # it takes about ten seconds
    assert world.shown()["armed"] == []
    world.turn(10)
    assert world.shown()["armed"] == ALL
    assert len(world.exchange.sent) == 3


@pytest.mark.parametrize(("window_s", "ping_ms"), [(None, 20_000), (3, 1000), (300, 20_000)])
def test_pings_are_closer_than_the_window(window_s: int | None, ping_ms: int) -> None:
    assert World(window_s).dcp.ping_every_ms == ping_ms


def test_without_an_answer_nothing_is_called_armed_and_it_is_tried_again_later() -> None:
    world = World()
    world.generation = 1
    world.exchange.down = True
    world.turn(0)
    assert world.shown()["armed"] == []
    assert "not known" in world.shown()["problems"]["SPOT"]
    world.exchange.down = False
    world.turn(0.5)
    assert world.exchange.asked == 0
    world.turn(1.5)
    assert world.shown()["armed"] == ALL


def test_one_attempt_is_under_way_at_a_time() -> None:
    world = World()
    world.generation = 1
    world.dcp.tick(0)
    world.dcp.tick(1)
    assert len(world.worker.jobs) == 1


def test_a_topic_that_the_exchange_refuses_leaves_its_product_unarmed() -> None:
    world = World()
    world.generation = 1
    world.refused["dcp.option"] = "not allowed"
    world.turn(0)
    assert world.shown()["armed"] == ["SPOT", "DERIVATIVES"]
    assert "dcp.option" in world.shown()["problems"]["OPTIONS"]


def test_nothing_is_called_armed_while_the_private_socket_is_lost() -> None:
    world = World()
    world.generation = 1
    world.turn(0)
    world.generation = 0
    assert world.shown()["armed"] == []
    world.generation = 2
    world.turn(1)
    assert world.shown()["armed"] == ALL
    assert world.exchange.asked == 3  # looked at before, after, and again: found as it was
    assert len(world.exchange.sent) == 3


@pytest.mark.parametrize("window", ["2", "301", "1.5", "yes"])
def test_a_window_that_the_exchange_does_not_know_is_refused_in_the_configuration(
    window: str,
) -> None:
    with pytest.raises(ConfigError, match=r"accounts\.main\.dcp_s"):
        parse(f"accounts:\n  main:\n    dcp_s: {window}\n")
