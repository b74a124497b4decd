"""The private socket, over real sockets."""

import pytest


def test_a_subscription_before_the_login_is_not_authorised(wire):
    client = wire.connect("/v5/private")
    reply = client.ask("subscribe", ["order"], req_id="s")
    assert (reply["success"], reply["ret_msg"]) == (False, "Request not authorized")
    assert (reply["op"], reply["req_id"]) == ("subscribe", "s")


@pytest.mark.parametrize(
    ("login", "text"),
    [({"expires_in_ms": 0}, "Params Error"), ({"secret": "wrong"}, "Error sign")],
)
def test_a_login_that_fails_can_be_repeated(wire, login, text):
    client = wire.connect("/v5/private")
    reply = client.login(**login)
    assert (reply["success"], reply["op"]) == (False, "auth")
    assert reply["ret_msg"].startswith(text)
    assert client.ask("auth", ["nobody", 10**13, "00"])["ret_msg"] == "API key is invalid."
    assert client.login(req_id="again")["req_id"] == "again"


def test_topics_that_do_not_exist_are_named_and_the_good_ones_kept(wire):
    client, trade = wire.private(topics=()), wire.trade()
    reply = client.ask("subscribe", ["order", "ticketInfo"])
    assert reply["success"] is False
    assert "[order]" in reply["ret_msg"]
    assert reply["ret_msg"].endswith("conflict:[ticketInfo].")
    trade.order("order.create", wire.limit_order("p-kept"), "r")
    assert client.topic("order")["data"][0]["orderLinkId"] == "p-kept"


def test_a_categorised_topic_beside_its_all_in_one_topic_is_a_conflict(wire):
    client = wire.private(topics=())
    reply = client.ask("subscribe", ["order", "order.linear"])
    assert reply["ret_msg"].endswith("conflict:[order.linear].")


def test_a_categorised_subscription_gets_its_category_under_its_name(wire):
    linear, spot, trade = (
        wire.private(topics=["order.linear"]),
        wire.private(topics=["order.spot"]),
        wire.trade(),
    )
    trade.order("order.create", wire.limit_order("p-cat"), "r1")
    assert linear.topic("order.linear")["data"][0]["orderLinkId"] == "p-cat"
    body = wire.limit_order("p-cat-spot", category="spot", qty="0.001")
    assert trade.order("order.create", body, "r2")["retCode"] == 0
    assert spot.topic("order.spot")["data"][0]["orderLinkId"] == "p-cat-spot"
    assert {m["topic"] for m in spot.seen if "topic" in m} == {"order.spot"}


def test_events_reach_every_socket_of_the_account_and_no_other_account(wire):
    first, second = wire.private(), wire.private(wire.readonly)
    other = wire.private(wire.other, topics=["order", "wallet", "position"])
    wire.trade().order("order.create", wire.limit_order("p-both"), "r")
    for client in (first, second):
        assert client.topic("order")["data"][0]["orderLinkId"] == "p-both"
    wire.trade(wire.other).order("order.create", wire.limit_order("p-other"), "r")
    assert other.topic("order")["data"][0]["orderLinkId"] == "p-other"
    links = {
        r.get("orderLinkId") for m in other.seen for r in m.get("data", ()) if m["topic"] == "order"
    }
    assert links == {"p-other"}


def test_nothing_comes_after_an_unsubscribe(wire):
    client, trade = wire.private(topics=["order", "wallet"]), wire.trade()
    assert client.ask("unsubscribe", ["order"])["op"] == "unsubscribe"
    trade.order("order.create", wire.limit_order("p-quiet"), "r")
    client.ask("ping")
    assert not [m for m in client.seen if m.get("topic") == "order"]


def test_a_fill_shows_on_order_execution_position_and_wallet(wire):
    client = wire.private(topics=["order", "execution", "position", "wallet"])
    body = wire.limit_order("p-fill", orderType="Market", timeInForce="IOC")
    assert wire.trade().order("order.create", body, "r")["retCode"] == 0
    wanted = {"order", "execution", "position", "wallet"}
    client.wait_for(lambda _: {m.get("topic") for m in client.seen} >= wanted)
    (execution,) = [m for m in client.seen if m.get("topic") == "execution"][:1]
    assert execution["data"][0]["orderLinkId"] == "p-fill"
    assert {"id", "topic", "creationTime", "data"} == set(execution)


@pytest.mark.parametrize(
    ("message", "text"),
    [("hello", "Failed to decode"), ({"op": "x"}, "error:invalid op"), ([], "Failed to decode")],
)
def test_malformed_messages_are_refused_and_the_socket_stays_open(wire, message, text):
    client = wire.connect("/v5/private")
    client.send(message)
    assert client.receive()["ret_msg"].startswith(text)
    assert client.ask("ping", req_id="p")["req_id"] == "p"
