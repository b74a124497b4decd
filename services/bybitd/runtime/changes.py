"""What a new configuration changes, and for whom. Pure.

What may change while a program runs is written once, in `in_force`; everything else needs a
restart of the programs that `concerns` names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from bybitd.settings import CATEGORIES, Account, Settings, feed_of

_ACCOUNT_PROGRAMS: Final = ("private-stream-", "order-execution-")
# What one of them goes by alone.
_ALONE: Final = {
    "limits": "order-execution-",
    "clients": "order-execution-",
    "order_timeout_ms": "order-execution-",
    "dcp_s": "private-stream-",
    "private_topics": "private-stream-",
}


def in_force(running: Settings, new: Settings) -> Settings:
    """Return `running` with everything of `new` that holds without a restart."""
    feeds = replace(
        running.feeds,
        linger_s=new.feeds.linger_s,
        book_interval_ms=new.feeds.book_interval_ms,
    )
    accounts = {
        name: _account_in_force(account, new.accounts[name]) if name in new.accounts else account
        for name, account in running.accounts.items()
    }
    return replace(running, log=new.log, feeds=feeds, accounts=accounts)


def _account_in_force(running: Account, new: Account) -> Account:
    return replace(running, limits=new.limits, clients=new.clients)


def changed(before: Settings, after: Settings) -> list[str]:
    """Return the dotted keys of what differs, sorted: single values, and whole entries that are in
    one of the two only (`accounts.second`, `accounts.main.clients.maker`).
    """
    return sorted(_differences(_plain(before), _plain(after), ""))


def concerns(key: str, program: str) -> bool:
    """Tell whether a program goes by the value under a dotted key."""
    section, *rest = key.split(".")
    if section == "simulator":
        # With a public half of its own here, an account signs with its own key.
        signs = rest[0] == "public_keys" and program in _programs(rest[1])
        return program == "simulator" or signs
    if section == "journal":
        return program.startswith("order-execution-")
    if section == "rest":
        return program not in ("bus", "simulator")
    if section == "feeds" and rest[0] not in CATEGORIES:
        return feed_of(program) is not None
    if section == "feeds" and rest[1:] == ["topics"]:
        found = feed_of(program)
        return found is not None and found[0] == rest[0]
    if section == "accounts" and len(rest) > 1:
        alone = _ALONE.get(rest[1])
        return program in ([f"{alone}{rest[0]}"] if alone else _programs(rest[0]))
    # Where the exchange and the folders are, and which programs there are, is everybody's.
    return True


def _programs(account: str) -> list[str]:
    return [f"{prefix}{account}" for prefix in _ACCOUNT_PROGRAMS]


def _plain(settings: Settings) -> Any:
    # Decimals are kept: 1.0 and 1.00 are no change.
    return msgspec.to_builtins(settings, builtin_types=(Decimal,))


def _differences(before: Any, after: Any, key: str) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in before.keys() | after.keys():
            below = f"{key}.{name}" if key else str(name)
            if name in before and name in after:
                yield from _differences(before[name], after[name], below)
            else:
                yield below
    elif before != after:
        yield key
