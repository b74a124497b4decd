"""Frames of the event sockets to events (`ipc/PROTOCOL.md`, "Events").

Pure: what is malformed is counted and passed over, since one bad frame must not end a reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from bybitbus import codec
from bybitbus.errors import CodecError
from bybitbus.sequence import Checked, Sequences, Verdict


class Event(NamedTuple):
    """One message of a topic, judged.

    `body` is the exchange's own map with `seq`, `epoch`, `tx` and, where they apply, `rx` and
    `resend` beside its keys. `missing` tells how many messages were lost before this one.
    """

    topic: str
    body: dict[str, Any]
    verdict: Verdict
    missing: int = 0


class EventReader:
    """Reads what one socket receives, in order.

    Attributes: `received` (good events), `malformed` (multipart messages passed over).
    """

    def __init__(self) -> None:
        self.received = 0
        self.malformed = 0
        self.sequences = Sequences()

    def read(self, frames: Sequence[bytes]) -> Event | None:
        """Return the event in one multipart message, or None for what is no event."""
        try:
            topic_frame, body_frame = frames
            topic = topic_frame.decode()
            body = codec.decode_event(body_frame)
            checked = self._judge(topic, body)
        except (ValueError, CodecError):
            self.malformed += 1
            return None
        self.received += 1
        return Event(topic, body, checked.verdict, checked.missing)

    def _judge(self, topic: str, body: dict[str, Any]) -> Checked:
        epoch, seq, resend = body.get("epoch"), body.get("seq"), body.get("resend", False)
        # By identity of the type: True is an int to Python, and none to this wire.
        if type(epoch) is not int or type(seq) is not int or type(resend) is not bool:
            raise CodecError("seq, epoch or resend is missing or of another type")
        if epoch < 0 or seq < 0:
            raise CodecError("seq or epoch is negative")
        return self.sequences.check(topic, epoch, seq, resend)
