"""One request to several programs, whose answers make one reply."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from bybitbus.messages import ErrorBody, Reply, Request

Answer = Any | ErrorBody
_decode = msgspec.msgpack.Decoder(Reply).decode


class Part:
    """What waits for one program's answer, as a call does."""

    def __init__(self, request: Request, done: Callable[[Answer], None]) -> None:
        self.request = request
        self._done = done

    def relay(self, reply: bytes) -> None:
        """Take the program's encoded reply."""
        answer = _decode(reply)
        self._done(answer.result if answer.ok else answer.error)

    def fail(self, error: ErrorBody) -> None:
        """Take it that the program gives no answer."""
        self._done(error)


class Gathering:
    """Calls `done(answers)` when every one of `names` has answered, in their order."""

    def __init__(self, names: Iterable[str], done: Callable[[dict[str, Answer]], None]) -> None:
        self._answers: dict[str, Answer | None] = dict.fromkeys(names)
        self._left = len(self._answers)
        self._done = done

    def part(self, name: str, request: Request) -> Part:
        """Return what takes the answer of one of them."""
        return Part(request, lambda answer: self._take(name, answer))

    def _take(self, name: str, answer: Answer) -> None:
        self._answers[name] = answer
        self._left -= 1
        if not self._left:
            self._done(dict(self._answers))
