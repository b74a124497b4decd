"""What an API key may do (Bybit V5, "Get API Key Information"). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

PATH = "/v5/user/query-api"


class KeyRights(msgspec.Struct, frozen=True, kw_only=True):
    """The rights of a key, as the exchange lists them.

    `withdraws` is also set where the listing can not be read: a right that may be there is taken
    for one that is.
    """

    read_only: bool
    withdraws: bool
    expires: str = ""
    bound_to_ip: bool = False

    def describe(self) -> dict[str, Any]:
        """Return what the status shows."""
        return {
            "readOnly": self.read_only,
            "withdraws": self.withdraws,
            "expiredAt": self.expires,
            "boundToIp": self.bound_to_ip,
        }


def read(result: Mapping[str, Any]) -> KeyRights:
    """Return the rights that the result of the query tells."""
    permissions = result.get("permissions")
    wallet = permissions.get("Wallet") if isinstance(permissions, dict) else None
    read_only = result.get("readOnly") == 1
    if isinstance(wallet, list):
        withdraws = any("withdraw" in str(name).lower() for name in wallet)
    else:
        withdraws = not read_only
    ips = result.get("ips")
    bound = isinstance(ips, list) and bool(ips) and "*" not in ips
    return KeyRights(
        read_only=read_only,
        withdraws=withdraws,
        expires=str(result.get("expiredAt") or ""),
        bound_to_ip=bound,
    )


def refusal(rights: KeyRights, environment: str, *, allowed: bool) -> str:
    """Return why a key must not be used in an environment, "" if it may."""
    if environment != "mainnet" or allowed or not rights.withdraws:
        return ""
    return "the key may withdraw, which trading needs not"
