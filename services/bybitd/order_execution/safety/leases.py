"""Which strategies have promised to give a sign of life, and which have not (`ipc/PROTOCOL.md`,
"Leases"). Pure: `now_ms` is monotonic, so that setting the wall clock prolongs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

SHORTEST_MS: Final = 500
LONGEST_MS: Final = 86_400_000


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """What a client has promised: to renew within `ttl_ms`, so before `until_ms` (monotonic)."""

    client: str
    ttl_ms: int
    until_ms: int


class Lapse(msgspec.Struct, frozen=True, kw_only=True):
    """A promise that was not kept: what the client had asked for until `at_ns` (Unix) must go."""

    client: str
    at_ns: int


class Leases:
    """The leases of one account, and the lapses that are not dealt with yet, by client."""

    def __init__(self, held: Iterable[Lease] = (), lapsed: Iterable[Lapse] = ()) -> None:
        self._held = {lease.client: lease for lease in held}
        self._lapsed = {lapse.client: lapse for lapse in lapsed}

    @property
    def held(self) -> list[Lease]:
        """Return the leases that hold."""
        return list(self._held.values())

    @property
    def lapsed(self) -> list[Lapse]:
        """Return the lapses that are not dealt with yet."""
        return list(self._lapsed.values())

    def renew(self, client: str, ttl_ms: int, now_ms: int) -> Lease:
        """Let a client promise anew. What it left behind by an earlier lapse must still go."""
        lease = Lease(client=client, ttl_ms=ttl_ms, until_ms=now_ms + ttl_ms)
        self._held[client] = lease
        return lease

    def release(self, client: str) -> None:
        """Free a client of its promise."""
        self._held.pop(client, None)

    def lapse(self, now_ms: int, now_ns: int) -> list[Lapse]:
        """Return the promises that have not been kept by now, each once. `now_ns` is Unix time."""
        over = [client for client, lease in self._held.items() if lease.until_ms <= now_ms]
        for client in over:
            del self._held[client]
            self._lapsed[client] = Lapse(client=client, at_ns=now_ns)
        return [self._lapsed[client] for client in over]

    def done(self, lapse: Lapse) -> None:
        """Take it that a lapse is dealt with."""
        if self._lapsed.get(lapse.client) == lapse:
            del self._lapsed[lapse.client]
