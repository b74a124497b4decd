"""Identifiers in the shapes that Bybit uses, unique over restarts without being random."""

from hashlib import blake2b


class Identifiers:
    """Makes order and trade ids: UUID text for derivatives, 19 digits for spot.

    `run` and `start_ms` tell runs of the simulator apart, so that a restarted one with the same
    seed does not give the same ids again.
    """

    __slots__ = ("_count", "_digits", "_prefix")

    def __init__(self, seed: int, run: int, start_ms: int) -> None:
        salt = blake2b(f"{seed}/{run}/{start_ms}".encode(), digest_size=8).hexdigest()
        self._prefix = f"{salt[:8]}-{salt[8:12]}-5{salt[12:15]}-8{salt[13:16]}-"
        self._digits = 1_000_000_000_000_000_000 + (start_ms % 10**12) * 1_000_000 + run % 1000
        self._count = 0

    def next(self, category: str) -> str:
        self._count += 1
        if category == "spot":
            return str(self._digits + 1000 * self._count)
        return f"{self._prefix}{self._count:012x}"

    def event(self) -> str:
        """Make the opaque `id` of a private message."""
        self._count += 1
        return f"{self._prefix}{self._count:012x}"
