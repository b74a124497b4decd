"""A server in a thread, for tests of clients: answers by what a request's `op` says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import zmq

from bybitbus.codes import Code
from bybitbus.messages import Request, gateway_error
from bybitbus.server import Call, Server


@dataclass
class Answering:
    """What the server has seen. `held` waits until a request `release` comes."""

    requests: list[Request] = field(default_factory=list)
    held: list[Call] = field(default_factory=list)

    def answer(self, call: Call) -> None:
        self.requests.append(call.request)
        match call.request.op:
            case "echo":
                call.succeed(call.request.args)
            case "refuse":
                call.fail(gateway_error(Code.BUSY, "too much", hint="wait", retry_safe=True))
            case "hold":
                self.held.append(call)
            case "release":
                for held in reversed(self.held):
                    held.succeed(held.request.args)
                self.held.clear()
                call.succeed(None)
            case "ignore":
                pass
            case op:
                raise AssertionError(f"no such op in these tests: {op}")


@contextmanager
def answering(address: str) -> Iterator[Answering]:
    """Run a server at `address` until the block ends."""
    seen = Answering()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    server = Server(context, address)
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            if server.socket.poll(5):
                for call in server.calls():
                    seen.answer(call)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield seen
    finally:
        stopping.set()
        thread.join()
        server.close()
        context.destroy(linger=0)
