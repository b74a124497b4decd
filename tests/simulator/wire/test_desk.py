"""Rights, buckets and faults stand before the exchange, the same for both transports."""

import pytest

from bybitd.simulator.refusal import Refusal
from bybitd.simulator.wire.arrivals import Arrivals
from bybitd.simulator.wire.auth import Credential, HmacVerifier
from bybitd.simulator.wire.desk import Desk
from bybitd.simulator.wire.faults import Faults, parse
from bybitd.simulator.wire.limits import RateBook, RateLimits
from bybitd.venue.retcodes import CODES

WHO = Credential("k", 7, False, False, HmacVerifier("s"))
READER = Credential("r", 7, True, False, HmacVerifier("s"))
CREATE, BATCH = "/v5/order/create", "/v5/order/create-batch"


class RecordingExchange:
    """Accepts everything and remembers it."""

    def __init__(self):
        self.posts = []
        self.refuse = None

    def private_post(self, uid, path, body, now_ms):
        if self.refuse:
            raise self.refuse
        self.posts.append((uid, path, body))
        if path.endswith("-batch"):
            rows = [{"orderId": str(n)} for n, _ in enumerate(body["request"])]
            return {"list": rows}, {"list": [{"code": 0, "msg": "OK"}] * len(rows)}
        return {"orderId": "1", "orderLinkId": ""}, {}

    def private_get(self, uid, path, params, now_ms):
        return {"apiKey": "", "readOnly": 0, "uid": uid}


class Fixture:
    def __init__(self):
        self.exchange = RecordingExchange()
        self.faults = Faults()
        self.arrivals = Arrivals()
        self.cuts = []
        self.desk = Desk(
            self.exchange,
            RateBook(RateLimits()),
            self.faults.orders,
            self.arrivals,
            self.cuts.append,
        )

    def arm(self, name, /, **fields):
        self.faults.arm(parse(name, fields), 0)

    def create(self, who=WHO, now_ms=0):
        return self.desk.act(who, CREATE, {"category": "linear"}, now_ms)


@pytest.fixture
def at():
    return Fixture()


def test_a_readonly_key_reads_and_does_not_act(at):
    assert at.create(READER).retCode == 10005
    assert at.exchange.posts == []
    answer = at.desk.read(READER, "/v5/user/query-api", {}, 0)
    assert answer.result == {"apiKey": "r", "readOnly": 1, "uid": 7}


def test_the_eleventh_order_of_a_second_is_too_many(at):
    answers = [at.create() for _ in range(11)]
    assert [a.retCode for a in answers] == [0] * 10 + [10006]
    assert [a.grant.left for a in answers[:3]] == [9, 8, 7]
    assert answers[-1].grant.reset_ms == 1_000
    assert len(at.exchange.posts) == 10
    assert at.create(now_ms=1_000).retCode == 0


def test_of_a_batch_that_does_not_fit_the_first_orders_go_through(at):
    items = [{"symbol": "BTCUSDT", "orderLinkId": f"b{n}"} for n in range(12)]
    answer = at.desk.act(WHO, BATCH, {"category": "linear", "request": items}, 0)
    assert answer.retCode == 0
    assert len(at.exchange.posts[0][2]["request"]) == 10
    assert [c["code"] for c in answer.retExtInfo["list"]] == [0] * 10 + [10006] * 2
    assert answer.result["list"][-1] == {
        "category": "linear",
        "symbol": "BTCUSDT",
        "orderId": "",
        "orderLinkId": "b11",
        "createAt": "",
    }
    again = at.desk.act(WHO, BATCH, {"category": "linear", "request": items}, 500)
    assert again.retCode == 10006


def test_an_option_batch_is_one_unit_and_single_orders_have_another_bucket(at):
    items = [{"symbol": "BTC-1", "orderLinkId": f"b{n}"} for n in range(20)]
    answer = at.desk.act(WHO, BATCH, {"category": "option", "request": items}, 0)
    assert (answer.grant.left, len(at.exchange.posts[0][2]["request"])) == (9, 20)
    assert at.desk.act(WHO, CREATE, {"category": "option"}, 0).grant.left == 9


def test_a_refused_order_has_used_its_unit(at):
    at.exchange.refuse = Refusal(110007, "ab not enough for new order")
    answer = at.create()
    assert (answer.retCode, answer.grant.left) == (110007, 9)


@pytest.mark.parametrize("body", [{"category": 5}, {"category": "linear", "request": "x"}, {}])
def test_bodies_of_wrong_types_reach_the_exchange_which_refuses_them(at, body):
    at.exchange.refuse = Refusal(10001, "params error")
    assert at.desk.act(WHO, BATCH, body, 0).retCode == 10001


def test_an_acknowledgement_lost_before_acting_leaves_no_order(at):
    at.arm("lose_ack", when="before")
    assert at.create().lost is True
    assert at.exchange.posts == []
    assert at.create().lost is False


def test_an_acknowledgement_lost_after_acting_leaves_one(at):
    at.arm("lose_ack", when="after", cut=True)
    answer = at.create()
    assert (answer.lost, answer.cut, len(at.exchange.posts)) == (True, True, 1)


@pytest.mark.parametrize(("act", "orders"), [(False, 0), (True, 1)])
def test_a_forced_answer_acts_only_if_told_to(at, act, orders):
    at.arm("answer", code=10016, act=act)
    answer = at.create()
    assert (answer.retCode, answer.retMsg) == (10016, "Internal server error.")
    assert len(at.exchange.posts) == orders


def test_the_wire_can_be_cut_between_acting_and_telling(at):
    at.arm("lose_ack", when="after", cut_scope="private")
    acted = []
    at.exchange.private_post = lambda *_: acted.append(len(at.cuts)) or ({"orderId": "1"}, {})
    at.create()
    assert (acted, at.cuts) == ([0], ["private"])


def test_an_acknowledgement_can_be_held_back_and_lose_its_req_id(at):
    at.arm("hold_ack", ms=70)
    at.arm("omit_req_id")
    held, bare, plain = at.create(), at.create(), at.create()
    assert (held.hold_ms, held.retCode, held.req_id) == (70, 0, True)
    assert (bare.hold_ms, bare.retCode, bare.req_id) == (0, 0, False)
    assert (plain.hold_ms, plain.req_id, len(at.exchange.posts)) == (0, True, 3)


def test_a_refusal_for_too_many_visits_that_is_made_up_shows_an_empty_bucket(at):
    at.arm("answer", code=10006)
    grant = at.create(now_ms=5).grant
    assert (grant.limit, grant.left, grant.reset_ms) == (10, 0, 1_005)
    assert at.create(now_ms=5).grant.left == 9


def test_a_reading_gets_a_fault_only_when_its_name_is_called(at):
    path = "/v5/order/realtime"
    at.arm("answer", code=10016)
    assert at.desk.read(WHO, path, {"category": "linear"}, 0).retCode == 0
    at.arm("answer", code=10000, op="order.realtime")
    assert at.desk.read(WHO, path, {"category": "linear"}, 0).retCode == 10000
    assert at.desk.read(WHO, path, {"category": "linear"}, 0).retCode == 0
    assert at.create().retCode == 10016


def test_readings_can_lag_behind(at):
    rows = [{"orderId": "1", "createdTime": "1000"}, {"orderId": "2", "createdTime": "1900"}]
    at.exchange.private_get = lambda *_: {"list": rows}
    at.arm("read_lag", ms=200)

    def seen(now_ms):
        answer = at.desk.read(WHO, "/v5/order/history", {"category": "linear"}, now_ms)
        return [row["orderId"] for row in answer.result["list"]]

    assert seen(2_000) == ["1"]
    assert seen(2_100) == ["1", "2"]
    at.arm("read_lag", ms=0)
    assert seen(1_900) == ["1", "2"]


def test_what_arrived_and_what_was_acted_on_is_counted_apart(at):
    body = {"category": "linear", "orderLinkId": "a"}
    at.arm("lose_ack", when="before")
    at.arm("lose_ack", when="after")
    at.exchange.private_post = lambda *_: ({"orderId": "1", "orderLinkId": "a"}, {})
    for _ in range(2):
        at.desk.arrived(WHO, CREATE, body)
        assert at.desk.act(WHO, CREATE, body, 0).lost
    (row,) = at.arrivals.rows([])
    assert (row["received"], row["acted"]) == ({"order.create": 2}, {"order.create": 1})


@pytest.mark.parametrize("code", sorted(set(CODES) - {0}))
def test_every_code_that_the_gateway_knows_can_be_answered(at, code):
    at.arm("answer", code=code)
    answer = at.create()
    assert (answer.retCode, answer.forced, at.exchange.posts) == (code, True, [])
