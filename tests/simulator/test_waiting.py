"""Orders that wait for a price are found when it comes, the nearest first."""

from bybitd.simulator.waiting import FALLING, RISING, Waiting


def taken(waiting, by, tick):
    found = []
    while (order := waiting.take(by, tick)) is not None:
        found.append(order)
    return found


def test_rising_and_falling_orders_see_their_price_and_no_other():
    waiting = Waiting()
    waiting.add("up", "LastPrice", RISING, 110)
    waiting.add("further up", "LastPrice", RISING, 120)
    waiting.add("down", "LastPrice", FALLING, 90)
    waiting.add("mark", "MarkPrice", RISING, 105)
    assert taken(waiting, "LastPrice", 100) == []
    assert taken(waiting, "LastPrice", 110) == ["up"]
    assert taken(waiting, "LastPrice", 90) == ["down"]
    assert taken(waiting, "LastPrice", 200) == ["further up"]
    assert waiting.prices() == ["MarkPrice"]
    assert taken(waiting, "MarkPrice", 105) == ["mark"]
    assert not waiting


def test_an_order_that_waits_for_something_else_now_does_not_see_its_old_price():
    waiting = Waiting()
    waiting.add("a", "LastPrice", RISING, 110)
    waiting.add("a", "LastPrice", FALLING, 90)
    waiting.add("b", "LastPrice", RISING, 110)
    waiting.remove("b")
    waiting.remove("never there")
    assert taken(waiting, "LastPrice", 150) == []
    assert taken(waiting, "LastPrice", 80) == ["a"]
