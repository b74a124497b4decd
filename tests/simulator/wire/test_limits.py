"""Rate limits are rolling windows."""

from hypothesis import given
from hypothesis import strategies as st

from bybitd.simulator.wire.limits import RateBook, RateLimits, RollingWindow


def test_a_window_gives_what_is_left_and_says_when_more_comes():
    window = RollingWindow(10)
    assert window.take(7, 1_000).left == 3
    grant = window.take(5, 1_400)
    assert (grant.granted, grant.left, grant.reset_ms) == (3, 0, 2_000)
    assert window.take(1, 1_999).granted == 0
    assert window.take(9, 2_000).granted == 7
    assert window.take(9, 2_400).granted == 3


def test_the_reset_time_is_now_as_long_as_nothing_is_refused():
    assert RollingWindow(2).take(2, 5_000).reset_ms == 5_000


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 6)), max_size=60), st.integers(1, 12))
def test_no_second_ever_sees_more_than_the_limit(steps, limit):
    window, now, given_out = RollingWindow(limit), 0, []
    for wait, wanted in steps:
        now += wait
        given_out.append((now, window.take(wanted, now).granted))
        assert sum(n for at, n in given_out if at > now - 1_000) <= limit


def test_accounts_operations_and_groups_of_categories_have_their_own_buckets():
    book = RateBook(RateLimits())
    path = "/v5/order/create"
    assert book.take(1, path, "linear", 10, 0).granted == 10
    assert book.take(1, path, "inverse", 1, 0).granted == 0
    assert book.take(1, path, "option", 1, 0).granted == 1
    assert book.take(1, path, "spot", 25, 0).granted == 20
    assert book.take(2, path, "linear", 1, 0).granted == 1
    assert book.take(1, "/v5/order/create-batch", "linear", 20, 0).granted == 10
    assert book.take(1, "/v5/order/cancel-all", "option", 2, 0).granted == 1
    assert book.take(1, "/v5/order/realtime", "linear", 60, 0).granted == 50


def test_limits_can_be_scaled_and_switched_off():
    path = "/v5/order/create"
    assert RateBook(RateLimits(scale=10)).take(1, path, "linear", 500, 0).granted == 100
    off = RateBook(RateLimits(enabled=False, http_per_5s=1, trade_per_s=1))
    assert off.take(1, path, "linear", 500, 0).granted == 500
    assert all(off.take_http(0) and off.take_trade(0) for _ in range(5))


def test_the_address_has_a_limit_for_http_and_one_for_the_trade_sockets():
    book = RateBook(RateLimits(http_per_5s=2, trade_per_s=1))
    assert [book.take_http(at) for at in (0, 10, 5_000, 5_010)] == [True, True, True, True]
    assert [book.take_trade(at) for at in (0, 999, 1_000)] == [True, False, True]


def test_an_address_that_sends_too_much_is_banned_for_ten_minutes_or_as_long_as_is_set():
    for limits, length_ms in ((RateLimits(http_per_5s=1), 600_000),
                              (RateLimits(http_per_5s=1, http_ban_s=0.5), 500)):  # fmt: skip
        book = RateBook(limits)
        assert [book.take_http(at) for at in (0, 5_000)] == [True, True]
        banned_ms = 5_001
        assert not book.take_http(banned_ms)
        assert not book.take_http(banned_ms + length_ms - 1)
        assert book.take_http(banned_ms + max(length_ms, 5_000))
