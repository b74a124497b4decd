"""`market.replay`: messages that a reader has missed, as they went out (`ipc/PROTOCOL.md`,
"Replay"). Pure.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import msgspec

from bybitbus.codes import Code
from bybitd.public_feed.refusal import Refusal, refuse

PAGE_BYTES: Final = 262_144


class Source(Protocol):
    """What is needed of the publisher; see `bybitbus.outgoing.Outgoing`."""

    epoch: int

    def seq(self, topic: str) -> int:
        """Return the number of the last message of a topic."""

    def kept(self, topic: str) -> range:
        """Return the numbers of the messages that can be repeated."""

    def replay(self, topic: str, wanted: range, most_bytes: int) -> list[bytes]:
        """Return the first of these messages."""


def replay(source: Source, topic: str, args: dict[str, Any]) -> dict[str, Any]:
    """Return the messages `from` to `to` of a topic of the bus, or the first page of them.

    Raises:
        Refusal: `gone`, `bad_field`.
    """
    last, kept, epoch = source.seq(topic), source.kept(topic), source.epoch
    if args["epoch"] != epoch:
        message = f"args.epoch: {args['epoch']} is over, {epoch} is the one that counts {topic}"
        raise _gone(message)
    first = args.get("from", kept.start if kept else last + 1)
    end = min(args.get("to", last), last)
    if not 1 <= first <= last + 1:
        message = f"args.from: {first} was not published yet; the last number of {topic} is {last}"
        raise refuse(Code.BAD_FIELD, message, "numbers begin with 1")
    if args.get("to", first) < first:
        if "from" not in args:
            raise _gone(f"args.to: message {args['to']} of {topic} is not kept any more")
        message = f"args.to: {args['to']} is below args.from, which is {first}"
        raise refuse(Code.BAD_FIELD, message, "")
    wanted = range(first, end + 1)
    if wanted and (not kept or first < kept.start):
        oldest = f"the oldest that is kept is {kept.start}" if kept else "none is kept"
        raise _gone(f"args.from: message {first} of {topic} is not kept any more; {oldest}")
    found = source.replay(topic, wanted, PAGE_BYTES) if wanted else []
    return {
        "topic": topic,
        "epoch": epoch,
        "last": last,
        # As they were sent, to the byte: nothing is decoded, and encoded again.
        "list": [msgspec.Raw(body) for body in found],
    }


def _gone(message: str) -> Refusal:
    hint = "take the state with market.snapshot, or what is kept with market.replay without from"
    return refuse(Code.GONE, message, hint)
