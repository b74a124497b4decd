"""The orders of this account as its private stream publishes them, over the local socket.

A hole in `seq` or a new `epoch` means that something was missed, and so may everything before the
first message: then every living order is looked up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq

from bybitbus import codec, topics
from bybitbus.endpoints import events_address
from bybitbus.errors import CodecError

log = logging.getLogger(__name__)


class PrivateEvents:
    """A subscription to `private.<account>.order.` at the private stream's own door."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        run_dir: Path,
        account: str,
        on_record: Callable[[dict[str, Any]], object],
        on_hole: Callable[[str], None],
    ) -> None:
        self.received = 0
        self.holes = 0
        self._topic = topics.join(f"private.{account}", "order").encode()
        self._on_record = on_record
        self._on_hole = on_hole
        self._epoch = 0
        self._seq = 0
        self.socket = context.socket(zmq.SUB)
        self.socket.linger = 0
        self.socket.rcvhwm = 100_000
        self.socket.reconnect_ivl = 100
        self.socket.reconnect_ivl_max = 1000
        self.socket.subscribe(self._topic)
        self.socket.connect(events_address(run_dir, f"private-stream-{account}"))

    def read(self) -> None:
        """Take what has come in."""
        while True:
            try:
                frames = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            # A subscription is a prefix: `order.` would match nothing longer, but be sure.
            if len(frames) == 2 and frames[0] == self._topic:
                self._take(frames[1])

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def _take(self, body: bytes) -> None:
        try:
            event = codec.decode_event(body)
        except CodecError as error:
            log.warning("< private order event: %s", error)
            return
        self.received += 1
        missed = self._count(event)
        data = event.get("data")
        for record in data if isinstance(data, list) else ():
            if isinstance(record, dict):
                self._on_record(record)
        if missed:
            self.holes += 1
            self._on_hole(missed)

    def _count(self, event: dict[str, Any]) -> str:
        epoch, seq = int(event.get("epoch", 0)), int(event.get("seq", 0))
        before, last = self._epoch, self._seq
        self._epoch, self._seq = epoch, seq
        if epoch != before:
            return "the private stream began anew" if before else "the private stream was joined"
        if seq > last + 1 or (event.get("resend") and seq > last):
            return f"{seq - last} messages of the private stream are missing"
        return ""
