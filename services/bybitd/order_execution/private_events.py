"""What the private stream of this account tells: its orders, its positions, and how it is itself.

Read at the stream's own door. A hole in `seq` or a new `epoch` means that something was missed, and
so may everything before the first message: the topic is then subscribed anew, which repeats what is
there (`ipc/PROTOCOL.md`, "Snapshots"). Whoever listens hears of both.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final, Protocol

import zmq

from bybitbus import codec, topics
from bybitbus.endpoints import events_address
from bybitbus.errors import CodecError

_STATE: Final = ("order", "position")
log = logging.getLogger(__name__)


class Listener(Protocol):
    """Who hears of it."""

    def order(self, record: dict[str, Any], repeated: bool) -> None:
        """One record of the `order` topic; `repeated` if it may tell of what was long ago."""

    def position(self, record: dict[str, Any]) -> None:
        """One record of the `position` topic."""

    def status(self, vouched: bool) -> None:
        """Whether the private stream vouches for what it tells; at least once a second."""

    def missed(self, topic: str, why: str) -> None:
        """Something of `order` or `position` was missed; all of it will be repeated."""

    def repeated(self, topic: str) -> None:
        """All that is open is repeated now: the records that follow are the whole."""


class PrivateEvents:
    """Subscriptions to the private stream of an account."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        run_dir: Path,
        account: str,
        listener: Listener,
    ) -> None:
        self.received = 0
        self.holes = 0
        program = f"private-stream-{account}"
        self._status = topics.join("gateway", f"status.{program}").encode()
        self._names = {topics.join(f"private.{account}", name).encode(): name for name in _STATE}
        self._last = dict.fromkeys(_STATE, (0, 0))  # epoch and seq
        self._unsure = set(_STATE)  # what has not been told as a whole since something was missed
        self._listener = listener
        self.socket = context.socket(zmq.SUB)
        self.socket.linger = 0
        self.socket.rcvhwm = 100_000
        self.socket.reconnect_ivl = 100
        self.socket.reconnect_ivl_max = 1000
        for topic in (self._status, *self._names):
            self.socket.subscribe(topic)
        self.socket.connect(events_address(run_dir, program))

    def read(self) -> None:
        """Take what has come in."""
        while True:
            try:
                frames = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if len(frames) == 2:
                self._take(*frames)

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def _take(self, topic: bytes, body: bytes) -> None:
        # A subscription is a prefix: these would match nothing longer, but be sure.
        name = self._names.get(topic)
        if name is None and topic != self._status:
            return
        try:
            event = codec.decode_event(body)
        except CodecError as error:
            log.warning("< private %s event: %s", name or "status", error)
            return
        if name is None:
            self._heard(event.get("vouched") is True)
            return
        self.received += 1
        if missed := self._count(name, event):
            self.holes += 1
            self._unsure.add(name)
            self._listener.missed(name, missed)
        if event.get("resend") and name in self._unsure:
            self._unsure.discard(name)
            self._listener.repeated(name)
        repeated = bool(event.get("resend"))
        data = event.get("data")
        for record in data if isinstance(data, list) else ():
            if not isinstance(record, dict):
                continue
            if name == "order":
                self._listener.order(record, repeated)
            else:
                self._listener.position(record)

    def _heard(self, vouched: bool) -> None:
        self._listener.status(vouched)
        if not vouched:
            return  # it repeats nothing that it can not vouch for
        for topic, name in self._names.items():
            if name in self._unsure:
                self.socket.unsubscribe(topic)
                self.socket.subscribe(topic)

    def _count(self, name: str, event: dict[str, Any]) -> str:
        epoch, seq = int(event.get("epoch", 0)), int(event.get("seq", 0))
        before, last = self._last[name]
        self._last[name] = epoch, seq
        if epoch != before:
            return "the private stream began anew" if before else "the private stream was joined"
        if seq > last + 1 or (event.get("resend") and seq > last):
            return f"{seq - last} messages of the private stream are missing"
        return ""
