"""What a publisher sends: numbers each topic, stamps, encodes, and keeps the last messages.

`ipc/PROTOCOL.md`, "Events" and "Market". Pure: the clock and the way out are its user's.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import msgspec

from bybitbus.history import History, Kept

Send = Callable[[bytes, bytes], None]


class _Topic:
    __slots__ = ("frame", "kept", "seq")

    def __init__(self, frame: bytes, kept: Kept | None) -> None:
        self.frame = frame
        self.kept = kept
        self.seq = 0


class Outgoing:
    """The topics of one publisher.

    `epoch` identifies its run; `seq` counts from 1 on each topic within it. `send(topic, body)`
    takes the two frames of an event, `clock_ns` tells Unix ns.
    """

    def __init__(self, epoch: int, send: Send, clock_ns: Callable[[], int]) -> None:
        self.epoch = epoch
        self.published = 0
        self._send = send
        self._clock_ns = clock_ns
        self._topics: dict[str, _Topic] = {}
        self._history = History(0)
        self._keep = self._history.keep
        self._keeps = False
        self._encode = msgspec.msgpack.Encoder().encode

    def keep(self, limit: int) -> None:
        """Keep the last messages for `replay`, `limit` bytes of all topics; to be called first."""
        self._history = History(limit)
        self._keep = self._history.keep
        self._keeps = limit > 0

    def publish(self, topic: str, body: dict[str, Any], rx_ns: int | None = None) -> int:
        """Send `body` as the next message of `topic` and return its `seq`.

        The map is stamped in place with `seq`, `epoch`, `tx` and, where given, `rx` (Unix ns when
        it was read from the exchange).
        """
        held = self._topics.get(topic) or self._open(topic)
        held.seq = body["seq"] = seq = held.seq + 1
        # The hot path of a feed, so `resend` says the rest once more and nothing is called twice.
        body["epoch"] = self.epoch
        if rx_ns is not None:
            body["rx"] = rx_ns
        body["tx"] = self._clock_ns()
        encoded = self._encode(body)
        self._send(held.frame, encoded)
        self.published += 1
        if (kept := held.kept) is not None:
            self._keep(kept, encoded)
        return seq

    def resend(self, topic: str, body: dict[str, Any], rx_ns: int | None = None) -> None:
        """Send state again for a late joiner: marked `resend`, at the last `seq`, not counted."""
        held = self._topics.get(topic) or self._open(topic)
        body.update(resend=True, seq=held.seq, epoch=self.epoch)
        if rx_ns is not None:
            body["rx"] = rx_ns
        body["tx"] = self._clock_ns()
        self._send(held.frame, self._encode(body))
        self.published += 1

    def seq(self, topic: str) -> int:
        """Return the `seq` of the last message of `topic`, 0 before the first."""
        held = self._topics.get(topic)
        return 0 if held is None else held.seq

    def kept(self, topic: str) -> range:
        """Return the numbers of the messages of `topic` that `replay` can repeat."""
        held = self._topics.get(topic)
        if held is None or held.kept is None:
            return range(0)
        return range(held.seq - len(held.kept.messages) + 1, held.seq + 1)

    def replay(self, topic: str, wanted: range, most_bytes: int) -> list[bytes]:
        """Return the bodies of these messages as they went out.

        `wanted` lies within `kept(topic)`. As many as have `most_bytes` together, and one at least.
        """
        held = self._topics.get(topic)
        if held is None or held.kept is None:
            return []
        start = wanted.start - self.kept(topic).start
        bodies: list[bytes] = []
        size = 0
        for body in islice(held.kept.messages, start, start + len(wanted)):
            size += len(body)
            if bodies and size > most_bytes:
                break
            bodies.append(body)
        return bodies

    def forget(self, topic: str) -> None:
        """Keep no messages of a topic that nobody reads any more; its numbers go on."""
        held = self._topics.get(topic)
        if held is not None and held.kept is not None:
            self._history.clear(held.kept)

    def _open(self, topic: str) -> _Topic:
        kept = self._history.open() if self._keeps else None
        held = self._topics[topic] = _Topic(topic.encode(), kept)
        return held
