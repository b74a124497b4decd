from __future__ import annotations

import stat
from pathlib import Path

from bybitd.runtime import exchange
from bybitd.settings import Settings


def test_the_simulator_is_unknown_until_it_has_said_where_it_is(tmp_path: Path) -> None:
    assert exchange.endpoints(Settings(), tmp_path) is None
    endpoint = exchange.SimulatorEndpoint(netloc="127.0.0.1:4711")
    exchange.leave(exchange.endpoint_path(tmp_path), endpoint, 0o640)
    found = exchange.endpoints(Settings(), tmp_path)
    assert found is not None
    assert found.hosts.websocket("linear") == "ws://127.0.0.1:4711/v5/public/linear"
    assert found.authority == ""


def test_a_simulator_with_tls_is_reached_with_its_own_authority(tmp_path: Path) -> None:
    endpoint = exchange.SimulatorEndpoint(netloc="127.0.0.1:1", authority="/x/ca.pem")
    exchange.leave(exchange.endpoint_path(tmp_path), endpoint, 0o640)
    found = exchange.endpoints(Settings(), tmp_path)
    assert found is not None
    assert found.hosts.rest == "https://127.0.0.1:1"
    assert found.authority == "/x/ca.pem"


def test_half_a_file_is_no_file(tmp_path: Path) -> None:
    exchange.endpoint_path(tmp_path).write_text('{"netloc": "127.')
    assert exchange.endpoints(Settings(), tmp_path) is None
    assert exchange.read_keys(tmp_path) == ()


def test_keys_can_be_read_by_their_owner_only_and_show_no_secret(tmp_path: Path) -> None:
    key = exchange.SimulatorKey(account="main", uid=1, api_key="id", api_secret="hush-hush")
    exchange.leave(exchange.keys_path(tmp_path), (key,), 0o600)
    assert stat.S_IMODE(exchange.keys_path(tmp_path).stat().st_mode) == 0o600
    assert exchange.read_keys(tmp_path) == (key,)
    assert "hush-hush" not in repr(key)


def test_production_is_reached_only_where_the_configuration_says_mainnet(tmp_path: Path) -> None:
    for environment in ("sim", "testnet", "demo"):
        found = exchange.endpoints(Settings(environment=environment), tmp_path)
        assert found is None or found.hosts.rest != "https://api.bybit.com"
    main = exchange.endpoints(Settings(environment="mainnet"), tmp_path)
    assert main is not None
    assert main.hosts.rest == "https://api.bybit.com"
