from __future__ import annotations

import pytest

from bybitd.venue.errors import HostError
from bybitd.venue.hosts import SOCKETS, SimAddress, hosts


def test_the_mainnet_has_its_own_host_for_rest_and_for_streams() -> None:
    there = hosts("mainnet")
    assert there.rest == "https://api.bybit.com"
    assert there.websocket("linear") == "wss://stream.bybit.com/v5/public/linear"
    assert there.websocket("private") == "wss://stream.bybit.com/v5/private"
    assert there.websocket("trade") == "wss://stream.bybit.com/v5/trade"
    assert there.websocket("status") == "wss://stream.bybit.com/v5/public/misc/status"


def test_nothing_but_mainnet_and_demo_data_points_at_a_production_host() -> None:
    testnet = hosts("testnet")
    for url in (testnet.rest, *map(testnet.websocket, SOCKETS)):
        assert "testnet" in url


def test_demo_reads_the_mainnet_market_and_trades_over_rest_only() -> None:
    there = hosts("demo")
    assert there.rest == "https://api-demo.bybit.com"
    assert there.websocket("spot") == "wss://stream.bybit.com/v5/public/spot"
    assert there.websocket("private") == "wss://stream-demo.bybit.com/v5/private"
    with pytest.raises(HostError, match="over REST"):
        there.websocket("trade")


def test_a_region_has_its_own_hosts() -> None:
    assert hosts("mainnet", "tr").websocket("private") == "wss://stream.bybit.tr/v5/private"
    assert hosts("testnet", "jp").rest == "https://api-testnet.manepa.jp"


@pytest.mark.parametrize(("tls", "rest", "ws"), [(False, "http", "ws"), (True, "https", "wss")])
def test_the_simulator_is_where_it_says_it_is(tls: bool, rest: str, ws: str) -> None:
    there = hosts("sim", sim=SimAddress(netloc="127.0.0.1:8123", tls=tls))
    assert there.rest == f"{rest}://127.0.0.1:8123"
    assert there.websocket("option") == f"{ws}://127.0.0.1:8123/v5/public/option"


def test_a_region_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(HostError, match=r"'mars' does not exist on mainnet; there are .*'tr'"):
        hosts("mainnet", "mars")
    with pytest.raises(HostError, match="'tr' does not exist on demo"):
        hosts("demo", "tr")


def test_the_simulator_without_an_address_is_refused() -> None:
    with pytest.raises(HostError, match="not known"):
        hosts("sim")


def test_an_unknown_environment_or_socket_is_refused() -> None:
    with pytest.raises(HostError, match="none of sim, testnet"):
        hosts("production")  # type: ignore[arg-type]
    with pytest.raises(HostError, match="no WebSocket is called 'futures'"):
        hosts("testnet").websocket("futures")
