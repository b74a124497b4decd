"""What a new configuration changes: the difference, what of it holds at once, whom it concerns."""

from __future__ import annotations

import pytest

from bybitd.runtime.changes import changed, concerns, in_force
from bybitd.settings import Settings
from bybitd.settings_file import parse

BEFORE = parse(
    """
log: {level: info}
accounts:
  main:
    recv_window_ms: 5000
    limits: {max_order_value: "1000", max_order_qty: {BTCUSDT: "0.5"}}
    clients: {maker: {max_open_orders: 10}}
  second: {}
"""
)
LIVE = """
log: {level: debug}
feeds: {linger_s: 5, book_interval_ms: 50}
accounts:
  main:
    recv_window_ms: 5000
    limits: {max_order_value: "900", max_order_qty: {ETHUSDT: "2"}}
    clients: {taker: {max_open_orders: 10}}
  second: {}
"""
LIVE_KEYS = [
    "accounts.main.clients.maker",
    "accounts.main.clients.taker",
    "accounts.main.limits.max_order_qty.BTCUSDT",
    "accounts.main.limits.max_order_qty.ETHUSDT",
    "accounts.main.limits.max_order_value",
    "feeds.book_interval_ms",
    "feeds.linger_s",
    "log.level",
]


def test_every_value_that_differs_has_its_key_and_an_entry_that_is_new_or_gone_has_one() -> None:
    assert changed(BEFORE, parse(LIVE)) == LIVE_KEYS
    assert changed(BEFORE, parse("accounts: {main: {}}"))[-1] == "accounts.second"
    assert changed(BEFORE, BEFORE) == []


def test_the_same_number_written_otherwise_is_no_change() -> None:
    def settings(value: str) -> Settings:
        return parse(f"accounts: {{main: {{limits: {{max_order_value: {value}}}}}}}")

    assert changed(settings('"10.0"'), settings('"10.00"')) == []
    assert changed(settings('"10.0"'), settings("10")) == []


def test_what_can_change_while_a_program_runs_is_taken_over_whole() -> None:
    after = parse(LIVE)
    assert in_force(BEFORE, after) == after


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("environment: testnet", "environment"),
        ("run_dir: /somewhere", "run_dir"),
        ("bus: {high_water_mark: 1000}", "bus.high_water_mark"),
        ("feeds: {linear: {topics: [tickers.BTCUSDT]}}", "feeds.linear.topics"),
        ("feeds: {linear: {shards: 2}}", "feeds.linear.shards"),
        ("rest: {calls_per_5s: 100}", "rest.calls_per_5s"),
        ("accounts: {main: {recv_window_ms: 6000}}", "accounts.main.recv_window_ms"),
        ("accounts: {main: {api_key_env: ANOTHER}}", "accounts.main.api_key_env"),
        ("accounts: {main: {}, second: {}}", "accounts.second"),
        ("accounts: {other: {}}", "accounts.main"),
        ("journal: {sync: disk}", "journal.sync"),
        ("simulator: {seed: 2}", "simulator.seed"),
    ],
)
def test_what_needs_a_restart_is_left_as_it_is_and_stays_named(text: str, key: str) -> None:
    running = Settings()
    new = parse(text)
    assert in_force(running, new) == running
    assert key in changed(in_force(running, new), new)


def test_each_key_concerns_the_programs_that_go_by_it() -> None:
    programs = parse(
        "accounts: {main: {}, second: {}}\nfeeds: {linear: {shards: 2}, inverse: {enabled: false}}"
    ).programs()

    def those(key: str) -> list[str]:
        return [program for program in programs if concerns(key, program)]

    feeds = [name for name in programs if name.startswith("public-feed-")]
    linear = ["public-feed-linear", "public-feed-linear-2"]
    orders = ["order-execution-main", "order-execution-second"]
    assert those("accounts.main.limits.max_order_value") == orders[:1]
    assert those("accounts.second.clients.maker.symbols") == orders[1:]
    assert those("accounts.main.dcp_s") == ["private-stream-main"]
    assert those("accounts.main.private_topics") == ["private-stream-main"]
    assert those("accounts.main.api_key_file") == ["private-stream-main", orders[0]]
    assert those("journal.sync") == orders
    assert those("simulator.seed") == ["simulator"]
    assert those("simulator.public_keys.second") == [
        *("simulator", "private-stream-second", "order-execution-second")
    ]
    assert those("feeds.linger_s") == feeds
    assert those("feeds.linear.topics") == linear
    assert set(programs) - set(those("rest.calls_per_5s")) == {"simulator", "bus"}
    for key in ("log.level", "environment", "accounts.third", "feeds.linear.shards", "region"):
        assert those(key) == list(programs)
