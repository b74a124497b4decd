from __future__ import annotations

import logging
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bybitd.errors import ConfigError
from bybitd.log import RedactingFormatter, redact
from bybitd.runtime import credentials, exchange
from bybitd.settings import Account, Settings, Simulator

SECRET = "s3cret-of-the-test-account"


def settings(account: Account) -> Settings:
    return Settings(environment="testnet", accounts={"main": account})


def test_the_simulators_key_is_its_own_and_not_there_before_it_made_one(tmp_path: Path) -> None:
    assert credentials.key(Settings(), "main", tmp_path) is None
    made = exchange.SimulatorKey(account="main", uid=1, api_key="simkey", api_secret=SECRET)
    exchange.leave(exchange.keys_path(tmp_path), (made,), 0o600)
    found = credentials.key(Settings(), "main", tmp_path)
    assert found is not None
    assert found.api_key == "simkey"


@pytest.mark.parametrize("way", ["file", "credentials folder", "variable"])
def test_a_secret_comes_from_a_file_the_credentials_folder_or_a_variable(
    way: str, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    account, environ = {
        "file": (Account(api_key="k", api_secret_file=str(tmp_path / "secret")), {}),
        "credentials folder": (
            Account(api_key="k", api_secret_file="secret"),
            {"CREDENTIALS_DIRECTORY": str(tmp_path)},
        ),
        "variable": (Account(api_key="k", api_secret_env="S"), {"S": SECRET}),
    }[way]
    found = credentials.key(settings(account), "main", tmp_path, environ)
    assert found is not None
    made = exchange.SimulatorKey(account="main", uid=1, api_key="k", api_secret=SECRET)
    exchange.leave(exchange.keys_path(tmp_path), (made,), 0o600)
    same = credentials.key(Settings(), "main", tmp_path)
    assert same is not None
    assert found.sign("text") == same.sign("text")


@pytest.mark.parametrize(
    ("account", "words"),
    [
        (Account(), ["accounts.main", "api secret", "api_secret_file"]),
        (Account(api_secret_env="S"), ["accounts.main", "api key", "api_key_file"]),
        (Account(api_key="k", api_secret_env="MISSING"), ["$MISSING is not set"]),
        (Account(api_key="k", api_secret_file="/nowhere/secret"), ["/nowhere/secret", "No such"]),
        (Account(api_key="k", api_secret_env="PEM"), ["PEM"]),
    ],
)
def test_a_missing_or_useless_secret_says_where_it_was_looked_for(
    account: Account, words: list[str]
) -> None:
    environ = {"S": SECRET, "PEM": f"-----BEGIN PRIVATE KEY-----\n{SECRET}"}
    with pytest.raises(ConfigError) as caught:
        credentials.check(settings(account), environ)
    for word in words:
        assert word in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_secret_that_was_read_is_hidden_from_the_log() -> None:
    account = Account(api_key="k", api_secret_env="S")
    credentials.check(settings(account), {"S": "another-secret-text"})
    record = logging.LogRecord("x", logging.INFO, "", 0, "= another-secret-text", (), None)
    assert "another-secret-text" not in RedactingFormatter("p").format(record)


def test_an_account_with_a_registered_key_signs_with_it_at_the_simulator_too(
    tmp_path: Path,
) -> None:
    (tmp_path / "secret").write_text(SECRET)
    account = Account(api_key="own-key", api_secret_file=str(tmp_path / "secret"))
    sim = Settings(
        accounts={"main": account}, simulator=Simulator(public_keys={"main": "main.public.pem"})
    )
    found = credentials.key(sim, "main", tmp_path, {})
    assert found is not None
    assert found.api_key == "own-key"


def test_every_line_of_a_private_key_and_the_id_are_hidden_from_the_log(tmp_path: Path) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    (tmp_path / "pem").write_text(pem)
    account = Account(api_key="id-of-the-key", api_secret_file=str(tmp_path / "pem"))
    assert credentials.key(settings(account), "main", tmp_path, {}) is not None
    lines = [line for line in pem.splitlines() if not line.startswith("-----")]
    assert len(lines) > 3
    for line in (*lines, "id-of-the-key"):
        assert line not in redact(f"cannot use {line}: no")
