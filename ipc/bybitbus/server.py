"""Answer requests on a ROUTER socket (`ipc/PROTOCOL.md`, "Requests").

Plain REQ (with its empty delimiter frame) and DEALER (with or without it) are answered in kind:
every frame before the last is the way back and is returned as it came, which also lets a request
pass through the bus. A frame that is no request is answered here and never reaches the program.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import zmq

from bybitbus import codec
from bybitbus.codes import Code
from bybitbus.errors import CodecError
from bybitbus.messages import ErrorBody, Reply, Request, gateway_error

DEFAULT_HIGH_WATER_MARK = 10_000
# Above the codec's limit, so that an oversized request is answered and not cut off silently.
_MAX_FRAME_BYTES = 16 << 20


class Call:
    """A request with its way back. It is answered exactly once, now or later."""

    __slots__ = ("_envelope", "_server", "answered", "body", "received_ns", "request", "stamps")

    def __init__(
        self, server: Server, envelope: list[bytes], body: bytes, request: Request, received_ns: int
    ) -> None:
        self._server = server
        self._envelope = envelope
        self.body = body  # the request as it came, to be passed on unchanged
        self.request = request
        self.received_ns = received_ns
        self.stamps: dict[str, int] = {"received": received_ns}
        self.answered = False

    def stamp(self, stage: str, at_ns: int) -> None:
        """Note when the request passed a stage (`sent`, `acknowledged`), Unix ns."""
        self.stamps[stage] = at_ns

    def succeed(self, result: Any) -> None:
        """Answer with a result."""
        self._answer(True, result, None)

    def fail(self, error: ErrorBody) -> None:
        """Answer with an error."""
        self._answer(False, None, error)

    def relay(self, reply: bytes) -> None:
        """Answer with another server's encoded reply, unchanged."""
        self._once()
        self._server.send_encoded(self._envelope, reply)

    def _answer(self, ok: bool, result: Any, error: ErrorBody | None) -> None:
        self.stamps["replied"] = time.time_ns()
        reply = Reply(id=self.request.id, ok=ok, result=result, error=error, t=self.stamps)
        encoded = codec.encode(reply)  # before it counts: what can not be encoded is no answer
        self._once()
        self._server.send_encoded(self._envelope, encoded)

    def _once(self) -> None:
        if self.answered:
            raise RuntimeError(f"request {self.request.id} was answered already")
        self.answered = True


class Server:
    """One ROUTER socket, bound to `address`."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        *,
        high_water_mark: int = DEFAULT_HIGH_WATER_MARK,
    ) -> None:
        self.answered = 0
        self.malformed = 0
        self.undeliverable = 0
        self.socket = context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.sndhwm = self.socket.rcvhwm = high_water_mark
        self.socket.maxmsgsize = _MAX_FRAME_BYTES
        # Tells us of a reply to a client that has gone, where the default drops it in silence.
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.socket.bind(address)

    def calls(self) -> Iterator[Call]:
        """Yield the requests that have come in since the last call; never blocks.

        What is no request is answered with `bad_message` or `too_large` and not yielded.
        """
        while True:
            try:
                *envelope, body = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            received_ns = time.time_ns()
            try:
                request = codec.decode_request(body)
            except CodecError as error:
                self.malformed += 1
                self.send_encoded(envelope, codec.encode(_refusal(body, error)))
                continue
            yield Call(self, envelope, body, request, received_ns)

    def send_encoded(self, envelope: list[bytes], reply: bytes) -> None:
        """Send `reply` along its way back; a client that has gone, or reads nothing, loses it."""
        try:
            self.socket.send_multipart([*envelope, reply], zmq.NOBLOCK)
        except (zmq.Again, zmq.ZMQError):
            self.undeliverable += 1
        else:
            self.answered += 1

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


def _refusal(body: bytes, error: CodecError) -> Reply:
    if len(body) > codec.MAX_REQUEST_BYTES:
        refusal = gateway_error(
            Code.TOO_LARGE,
            f"the request has {len(body)} bytes and at most {codec.MAX_REQUEST_BYTES} are read",
            hint="split it into smaller requests",
        )
        return Reply(id="", ok=False, error=refusal)
    refusal = gateway_error(
        Code.BAD_MESSAGE,
        f"the last frame is no request: {error}",
        hint="send one msgpack map with the keys id, op, args, and optionally account, client, "
        "deadline_ms",
    )
    return Reply(id=codec.salvage_id(body), ok=False, error=refusal)
