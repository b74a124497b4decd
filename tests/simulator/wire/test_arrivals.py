"""The exchange's own count of requests: what arrived, and what came of it."""

from bybitd.simulator.wire.arrivals import Arrivals


def summary(order_id, link_id="", category="linear"):
    return {"category": category, "orderId": order_id, "orderLinkId": link_id}


def test_a_request_that_became_no_order_is_listed_too():
    arrivals = Arrivals()
    arrivals.received(7, "order.create", {"category": "linear", "orderLinkId": "lost"})
    (row,) = arrivals.rows([])
    assert (row["uid"], row["orderLinkId"], row["orderId"]) == (7, "lost", "")
    assert (row["received"], row["acted"]) == ({"order.create": 1}, {})


def test_batches_count_item_by_item_and_like_single_orders():
    arrivals = Arrivals()
    body = {"category": "linear", "request": [{"orderLinkId": "a"}, {"orderLinkId": "b"}, 5]}
    arrivals.received(7, "order.create-batch", body)
    rows = [summary("1", "a"), summary("", "b")]
    arrivals.acted(7, "order.create-batch", body, {"list": rows})
    found = {row["orderLinkId"]: row for row in arrivals.rows([(7, summary("1", "a"))])}
    assert found["a"]["acted"] == {"order.create": 1}
    assert found["b"]["acted"] == {}
    assert found["b"]["received"] == {"order.create": 1}


def test_requests_that_name_an_order_by_its_id_are_counted_with_its_link():
    arrivals = Arrivals()
    arrivals.acted(7, "order.create", {"category": "linear"}, summary("1", "a"))
    for _ in range(2):
        arrivals.received(7, "order.cancel", {"category": "linear", "orderId": "1"})
    arrivals.acted(7, "order.cancel", {"category": "linear"}, summary("1", "a"))
    (row,) = arrivals.rows([(7, summary("1", "a"))])
    assert row["received"] == {"order.cancel": 2}
    assert row["acted"] == {"order.create": 1, "order.cancel": 1}


def test_spot_and_contracts_have_their_own_names():
    arrivals = Arrivals()
    arrivals.received(7, "order.create", {"category": "spot", "orderLinkId": "a"})
    (spot,) = arrivals.rows([(7, summary("1", "a", "spot"))])
    linear, waiting = arrivals.rows([(7, summary("2", "a"))])
    assert spot["received"] == waiting["received"] == {"order.create": 1}
    assert linear["received"] == {}
