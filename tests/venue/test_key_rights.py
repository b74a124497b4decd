from __future__ import annotations

from typing import Any

import pytest

from bybitd.venue import key_rights


def result(wallet: Any = (), **more: Any) -> dict[str, Any]:
    """Return what the query tells of a key."""
    permissions = {"ContractTrade": ["Order", "Position"], "Wallet": list(wallet)}
    return {"readOnly": 0, "permissions": permissions, "ips": ["*"], **more}


@pytest.mark.parametrize("wallet", [["Withdraw"], ["AccountTransfer", "Withdraw"]])
def test_a_key_that_may_withdraw_is_refused_on_mainnet(wallet: list[str]) -> None:
    rights = key_rights.read(result(wallet))
    assert rights.withdraws
    assert "withdraw" in key_rights.refusal(rights, "mainnet", allowed=False)


def test_it_may_be_allowed_by_name() -> None:
    rights = key_rights.read(result(["Withdraw"]))
    assert key_rights.refusal(rights, "mainnet", allowed=True) == ""


@pytest.mark.parametrize("environment", ["sim", "testnet", "demo"])
def test_where_there_is_no_money_it_may_be_used(environment: str) -> None:
    rights = key_rights.read(result(["Withdraw"]))
    assert key_rights.refusal(rights, environment, allowed=False) == ""


@pytest.mark.parametrize("wallet", [[], ["AccountTransfer"], ["SubMemberTransferList"]])
def test_a_key_without_that_right_may_be_used(wallet: list[str]) -> None:
    assert key_rights.refusal(key_rights.read(result(wallet)), "mainnet", allowed=False) == ""


@pytest.mark.parametrize(
    "told", [{"readOnly": 0}, {"readOnly": 0, "permissions": {}}, {"permissions": {"Wallet": "?"}}]
)
def test_a_right_that_can_not_be_read_is_taken_for_one_that_is_there(told: dict[str, Any]) -> None:
    assert key_rights.refusal(key_rights.read(told), "mainnet", allowed=False)


def test_a_key_for_reading_only_withdraws_nothing() -> None:
    rights = key_rights.read({"readOnly": 1})
    assert (rights.read_only, rights.withdraws) == (True, False)


@pytest.mark.parametrize(("ips", "bound"), [(["*"], False), ([], False), (["10.0.0.1"], True)])
def test_whether_it_is_bound_to_an_address_is_told(ips: list[str], bound: bool) -> None:
    assert key_rights.read(result(ips=ips)).bound_to_ip is bound
