"""How many REST calls may leave this IP address, counted in memory that processes share. Pure.

The exchange takes 600 HTTP requests in any 5 s from one address, whatever they are for, and bans an
address that sends more for at least ten minutes, in which nothing may be sent at all (Bybit V5,
"Rate Limit Rules / IP Limit"). So one ring of the moments of the last calls is kept for all: a call
may leave if the one that is `limit` calls back is older than the window. What can wait looks back
less far, so that it leaves room for orders.

The times of calls are ns since the boot, which no setting of the wall clock moves; a ban is kept in
Unix time too, because it outlasts a boot. Whoever calls holds the lock of the memory.
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import Final

LIMIT: Final = 600
WINDOW_NS: Final = 5_000_000_000
BAN_NS: Final = 600_000_000_000

_MAGIC: Final = int.from_bytes(b"bybitIP1")
# Words of 8 bytes: what the memory is, the boot it belongs to, the place of the next call in the
# ring, the end of the ban (since the boot, in Unix time); then the ring.
_MAGIC_AT, _BOOT_AT, _NEXT_AT, _BAN_AT, _BAN_UNIX_AT, _RING_AT = range(0, 48, 8)
SIZE: Final = _RING_AT + 8 * LIMIT
_WORD: Final = struct.Struct("<Q")


class Purpose(Enum):
    """What a call is for; the value is how much of the limit may be used up before it waits."""

    ESSENTIAL = 1.0  # orders, look-ups, reconciliation, the clock
    ACCOUNT = 0.8  # what clients ask about an account
    MARKET = 0.5  # public data: instruments, candles, `market.rest`


class IpBudget:
    """The budget in `memory`, a writable buffer of `SIZE` bytes.

    `limit` is how many calls may leave in any 5 s, at most 600.
    """

    def __init__(self, memory: bytearray | memoryview, limit: int) -> None:
        if not 1 <= limit <= LIMIT:
            raise ValueError(f"the limit must be 1 to {LIMIT}, not {limit}")
        self._memory = memory
        self._back = {purpose: max(1, int(limit * purpose.value)) for purpose in Purpose}

    def adopt(self, boot: int, now_ns: int, unix_ns: int) -> None:
        """Take over what another process, or another boot, has left; anything else begins empty.

        `boot` identifies this boot of the machine, `now_ns` counts from it.
        """
        if self._get(_MAGIC_AT) == _MAGIC and self._get(_BOOT_AT) == boot:
            return
        left_ns = 0
        if self._get(_MAGIC_AT) == _MAGIC:
            # No longer than a ban lasts: the clock may have been set back meanwhile.
            left_ns = min(BAN_NS, max(0, self._get(_BAN_UNIX_AT) - unix_ns))
        self._memory[:] = bytes(SIZE)
        if left_ns:
            self.ban(now_ns, unix_ns, left_ns)
        self._put(_BOOT_AT, boot)
        self._put(_MAGIC_AT, _MAGIC)

    def take(self, purpose: Purpose, now_ns: int) -> int:
        """Count a call that is about to leave and return 0, or return how long to wait first, ns.

        A call that has to wait is not counted.
        """
        if ban_ns := self.banned_ns(now_ns):
            return ban_ns
        at = self._get(_NEXT_AT) % LIMIT
        last_ns = self._get(_RING_AT + 8 * ((at - self._back[purpose]) % LIMIT))
        if last_ns and now_ns - last_ns < WINDOW_NS:
            return last_ns + WINDOW_NS - now_ns
        self._put(_RING_AT + 8 * at, now_ns)
        self._put(_NEXT_AT, (at + 1) % LIMIT)
        return 0

    def ban(self, now_ns: int, unix_ns: int, length_ns: int = BAN_NS) -> None:
        """Let nothing leave for `length_ns`. A ban that lasts longer stays."""
        if length_ns > self.banned_ns(now_ns):
            self._put(_BAN_UNIX_AT, unix_ns + length_ns)
            self._put(_BAN_AT, now_ns + length_ns)

    def banned_ns(self, now_ns: int) -> int:
        """Return how long nothing may leave, ns; 0 without a ban."""
        return max(0, self._get(_BAN_AT) - now_ns)

    def used(self, now_ns: int) -> int:
        """Return how many calls left within the last 5 s."""
        ring = memoryview(self._memory)[_RING_AT:]
        times = (word for (word,) in _WORD.iter_unpack(ring))
        return sum(1 for at_ns in times if at_ns and now_ns - at_ns < WINDOW_NS)

    def _get(self, at: int) -> int:
        word: int = _WORD.unpack_from(self._memory, at)[0]
        return word

    def _put(self, at: int, word: int) -> None:
        _WORD.pack_into(self._memory, at, word)
