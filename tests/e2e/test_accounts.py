"""Several accounts of one daemon: kept apart, each with its own key, and none of the keys told."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bybitbus.client import Client
from bybitbus.subscriber import Subscriber
from tests.e2e.conftest import Daemon, running

pytestmark = pytest.mark.e2e

ORDER = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}
ORDER |= {"qty": "0.010", "price": "1000.00"}
KEY_IDS = {"by-file": "rsa-key-id-by-file", "by-env": "rsa-key-id-by-env"}
ACCOUNTS = ("main", *KEY_IDS, "by-cred")
CONFIG = """
environment: sim
log: {{level: debug}}
feeds: {{spot: {{enabled: false}}, inverse: {{enabled: false}}, option: {{enabled: false}}}}
accounts:
  main: {{}}
  by-file: {{api_key: rsa-key-id-by-file, api_secret_file: "{folder}/by-file.pem"}}
  by-env: {{api_key: rsa-key-id-by-env, api_secret_env: SECRET_OF_BY_ENV}}
  by-cred: {{api_key: rsa-key-id-by-cred, api_secret_file: by-cred.pem}}
simulator:
  rate_limits: false
  public_keys:
    by-file: "{folder}/by-file.public.pem"
    by-env: "{folder}/by-env.public.pem"
    by-cred: "{folder}/by-cred.public.pem"
"""


def make_key(folder: Path, name: str) -> str:
    """Write the public half of a new RSA key and return the private one."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / f"{name}.public.pem").write_bytes(public)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The private key of each account that has its own; where they lie is set up for the daemon."""
    folder = tmp_path_factory.mktemp("keys")
    made = {name: make_key(folder, name) for name in ("by-file", "by-env", "by-cred")}
    (folder / "by-file.pem").write_text(made["by-file"])
    (folder / "by-cred.pem").write_text(made["by-cred"])
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SECRET_OF_BY_ENV", made["by-env"])
        environment.setenv("CREDENTIALS_DIRECTORY", str(folder))
        yield {**made, "folder": str(folder)}


@pytest.fixture(scope="module")
def accounts(secrets: dict[str, str]) -> Iterator[Daemon]:
    with running(CONFIG.format(folder=secrets["folder"])) as daemon:
        yield daemon


def test_each_account_trades_with_its_own_key_and_sees_only_its_own(accounts: Daemon) -> None:
    topics = [f"private.{name}.order." for name in ACCOUNTS]
    topics += [f"gateway.order.{name}." for name in ACCOUNTS]
    with Client(accounts.run_dir) as client, Subscriber(accounts.run_dir, topics) as events:
        heard: dict[str, set[str]] = {topic: set() for topic in topics}
        for name in ACCOUNTS:
            # The same orderLinkId everywhere: ids are each account's own.
            client.request("order.create", {**ORDER, "orderLinkId": "same-1"}, account=name)
            client.request("order.create", {**ORDER, "orderLinkId": f"of-{name}"}, account=name)
        wanted = {name: {"same-1", f"of-{name}"} for name in ACCOUNTS}
        for _ in range(2000):
            if all(
                heard[f"{kind}.{name}{rest}"] >= wanted[name]
                for name in ACCOUNTS
                for kind, rest in (("private", ".order."), ("gateway.order", "."))
            ):
                break
            event = events.receive(50)
            if event is not None:
                rows = event.body.get("data", [event.body])
                heard[event.topic] |= {row.get("orderLinkId", "") for row in rows}
        for name in ACCOUNTS:
            assert heard[f"private.{name}.order."] == wanted[name]
            assert heard[f"gateway.order.{name}."] == wanted[name]
            listed = client.request("account.orders", {"category": "linear"}, account=name)["list"]
            assert {row["orderLinkId"] for row in listed} == wanted[name]
            found = client.request("order.status", {"orderLinkId": f"of-{name}"}, account=name)
            assert found["state"] == "open"
            journal = accounts.state_dir / f"{name}.journal.db"
            db = sqlite3.connect(journal)
            assert {row[0] for row in db.execute("SELECT link_id FROM orders")} == wanted[name]
            db.close()


def test_what_one_account_does_leaves_the_others_alone(accounts: Daemon) -> None:
    with Client(accounts.run_dir) as client:
        market = {**ORDER, "orderType": "Market", "orderLinkId": "buy-1"}
        del market["price"]
        client.request("order.create", market, account="by-file")
        sizes = {}
        for _ in range(200):
            for name in ACCOUNTS:
                rows = client.request("account.positions", {"category": "linear"}, account=name)
                sizes[name] = [Decimal(row["size"]) for row in rows["list"]]
            if sizes["by-file"]:
                break
        assert sizes == {"main": [], "by-file": [Decimal("0.01")], "by-env": [], "by-cred": []}
        client.request("order.cancel-all", {"category": "linear", "symbol": "BTCUSDT"})
        left = client.request("account.orders", {"category": "linear"}, account="by-env")["list"]
        assert len(left) == 2


def test_an_account_that_is_not_configured_is_refused_by_name(accounts: Daemon) -> None:
    done = accounts.cli("order", "list", "category=linear", "--account", "nobody")
    assert done.returncode == 1
    assert "nobody" in done.stderr


def fragments(secrets: dict[str, str]) -> list[str]:
    """Return the lines of the private keys, each of which would be enough to know."""
    lines = [
        line for name in ("by-file", "by-env", "by-cred") for line in secrets[name].split("\n")
    ]
    return [line for line in lines if len(line) > 40 and not line.startswith("-----")]


def test_no_secret_is_in_anything_that_the_daemon_writes(
    accounts: Daemon, secrets: dict[str, str]
) -> None:
    made = json.loads((accounts.run_dir / "simulator.keys").read_text())
    told = [row["api_secret"] for row in made] + [row["api_key"] for row in made]
    told += fragments(secrets)
    # Key ids stand in the configuration, since the user wrote them there, and nowhere else.
    told += list(KEY_IDS.values())
    meant = {accounts.run_dir / "simulator.keys", accounts.config}
    files = [path for path in accounts.folder.rglob("*") if path.is_file() and path not in meant]
    assert any(path.suffix == ".log" for path in files)
    assert any(path.suffix == ".db" for path in files)
    for path in files:
        content = path.read_bytes()
        assert not [secret for secret in told if secret.encode() in content], path
    for words in (["config", "show"], ["config", "show", "--json"], ["status", "--json"]):
        options = ["--config", str(accounts.config)] if words[0] == "config" else []
        said = accounts.cli(*words, *options)
        assert said.returncode == 0
        assert not [secret for secret in told if secret in said.stdout + said.stderr], words
    with Client(accounts.run_dir) as client:
        status = json.dumps(client.request("gateway.status"))
    assert not [secret for secret in told if secret in status]


def processes(daemon: Daemon) -> dict[str, int]:
    found: dict[str, Any] = {name: row["pid"] for name, row in daemon.programs().items()}
    return found


def test_a_secret_is_in_the_environment_of_its_own_account_only(
    accounts: Daemon, secrets: dict[str, str]
) -> None:
    lines = [fragment.encode() for fragment in fragments({**secrets, "by-file": "", "by-cred": ""})]
    assert lines
    for name, pid in processes(accounts).items():
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        holds = any(fragment in environment for fragment in lines)
        assert holds == name.endswith("-by-env"), name


def test_no_process_that_holds_a_secret_leaves_a_core_dump(accounts: Daemon) -> None:
    pids = processes(accounts)
    holders = [name for name in pids if name.startswith(("private-", "order-", "simulator"))]
    assert len(holders) == 2 * len(ACCOUNTS) + 1
    for name in holders:
        limits = Path(f"/proc/{pids[name]}/limits").read_text()
        (core,) = [row for row in limits.splitlines() if row.startswith("Max core file size")]
        assert core.split()[4:6] == ["0", "0"], name
