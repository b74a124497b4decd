"""REST calls to the exchange: signed byte by byte, and honest about what is known afterwards.

`RestClient` blocks; `RestWorker` runs its calls in a thread for a loop that must not.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import msgspec
import urllib3
from urllib3.util import parse_url

from bybitd.net.errors import HttpRefused, NotSent, OutcomeUnknown, RestError
from bybitd.net.ip_gate import Gate

_LIMIT, _REMAINING, _RESET = (
    "X-Bapi-Limit",
    "X-Bapi-Limit-Status",
    "X-Bapi-Limit-Reset-Timestamp",
)
# How the exchange tells that it has banned this address. HTTP 403 alone does not: a GET with a body
# and an address in the wrong country get that too (Bybit V5, "Rate Limit Rules", "Error Codes").
_FORBIDDEN = 403
_TOO_FREQUENT = b"access too frequent"
_IP_LIMIT = 10018


class Signer(Protocol):
    """Makes the authentication headers of one request."""

    def __call__(self, payload: str) -> dict[str, str]:
        """Return the headers for `payload`: the raw query of a GET, the body of a POST."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestReply:
    """An answer in the exchange's envelope, whatever its `retCode` (Bybit V5, "Integration
    Guidance"). Limits are None where the headers were absent; times are Unix ns. `result` is empty
    where it is no map; `whole_result` is what came.
    """

    ret_code: int
    ret_msg: str
    result: dict[str, Any]
    ret_ext_info: dict[str, Any]
    time_ms: int
    limit: int | None
    remaining: int | None
    reset_ms: int | None
    sent_ns: int
    received_ns: int
    whole_result: Any = None


class _Envelope(msgspec.Struct, frozen=True, kw_only=True):
    retCode: int
    retMsg: str = ""
    result: dict[str, Any] | list[Any] | str | None = None
    retExtInfo: dict[str, Any] | str | None = None
    time: int = 0


_decode = msgspec.json.Decoder(_Envelope).decode


class RestClient:
    """Calls one base URL over kept connections. Thread-safe, blocking.

    Nothing is ever repeated here: whether a repetition is harmless is the caller's to know. Every
    call passes `gate`, which may hold it back, and is told when the exchange bans this address.
    """

    def __init__(
        self,
        base_url: str,
        gate: Gate,
        signer: Signer | None = None,
        *,
        authority: str = "",
        timeout_s: float = 10.0,
    ) -> None:
        self._base = base_url
        self._gate = gate
        self._signer = signer
        self._pool = urllib3.PoolManager(
            maxsize=4,
            retries=False,
            timeout=urllib3.Timeout(connect=timeout_s, read=timeout_s),
            ca_certs=authority or None,
        )

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> RestReply:
        """Ask. A `cursor` goes back exactly as it came: it is percent-encoded already.

        Raises:
            RestError: see `bybitd.net.errors`; `OverBudget` among them, with which nothing left.
        """
        self._gate.enter(path)
        query = _as_sent(encode_query(params or {}))
        headers = self._signer(query) if self._signer else {}
        return self._call("GET", path, f"?{query}" if query else "", headers, None)

    def post(self, path: str, body: Mapping[str, Any]) -> RestReply:
        """Act. Sent once, whatever happens.

        Raises:
            NotSent: the exchange can not have seen it.
            OutcomeUnknown: it may have acted.
            HttpRefused: see its `sent`.
        """
        self._gate.enter(path)
        text = msgspec.json.encode(body).decode()
        headers = self._signer(text) if self._signer else {}
        headers["Content-Type"] = "application/json"
        return self._call("POST", path, "", headers, text.encode())

    def pages(self, path: str, params: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
        """Yield `result.list` page by page until the cursor is empty or repeats.

        Raises:
            RestError: as `get`; OutcomeUnknown too for a refusal in the middle, since a list
                that is not whole must not pass for one that is.
        """
        cursor = ""
        while True:
            asked = {**params, "cursor": cursor} if cursor else params
            reply = self.get(path, asked)
            if reply.ret_code != 0:
                raise OutcomeUnknown(f"{path}: retCode {reply.ret_code} {reply.ret_msg}")
            rows = reply.result.get("list") or []
            yield rows
            following = reply.result.get("nextPageCursor") or ""
            if not rows or following in ("", cursor):
                return
            cursor = following

    def close(self) -> None:
        """Close the kept connections."""
        self._pool.clear()

    def _call(
        self, method: str, path: str, query: str, headers: dict[str, str], body: bytes | None
    ) -> RestReply:
        sent_ns = time.time_ns()
        try:
            answer = self._pool.request(
                method, self._base + path + query, headers=headers, body=body, redirect=False
            )
        except (
            urllib3.exceptions.NewConnectionError,
            urllib3.exceptions.ConnectTimeoutError,
            urllib3.exceptions.LocationValueError,
        ) as error:
            raise NotSent(f"{path}: no connection: {type(error).__name__}") from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise OutcomeUnknown(f"{path}: {type(error).__name__} after sending") from None
        received_ns = time.time_ns()
        if answer.status != 200:
            if answer.status == _FORBIDDEN and _TOO_FREQUENT in answer.data.lower():
                self._gate.banned()
            raise HttpRefused(answer.status, path, answer.data[:200].decode("utf-8", "replace"))
        try:
            envelope = _decode(answer.data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise OutcomeUnknown(f"{path}: the answer is not the exchange's envelope") from None
        if envelope.retCode == _IP_LIMIT:
            self._gate.banned()
        return RestReply(
            ret_code=envelope.retCode,
            ret_msg=envelope.retMsg,
            result=envelope.result if isinstance(envelope.result, dict) else {},
            ret_ext_info=envelope.retExtInfo if isinstance(envelope.retExtInfo, dict) else {},
            time_ms=envelope.time,
            limit=_number(answer.headers.get(_LIMIT)),
            remaining=_number(answer.headers.get(_REMAINING)),
            reset_ms=_number(answer.headers.get(_RESET)),
            sent_ns=sent_ns,
            received_ns=received_ns,
            whole_result=envelope.result,
        )


def encode_query(params: Mapping[str, Any]) -> str:
    """Return the query string that is signed and sent, byte for byte the same."""
    plain = {name: value for name, value in params.items() if name != "cursor"}
    query = urlencode(plain, quote_via=quote)
    if cursor := params.get("cursor"):
        query = f"{query}&cursor={cursor}" if query else f"cursor={cursor}"
    return query


def _as_sent(query: str) -> str:
    """Return the query as urllib3 puts it on the wire: it writes escapes in upper case."""
    return parse_url(f"/?{query}").query or "" if query else ""


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


Job = Callable[[], Any]
Done = Callable[[Any, RestError | None], None]


class RestWorker:
    """Runs blocking calls in threads of its own; results come back in the loop's thread.

    At most `capacity` jobs wait; beyond that `submit` refuses rather than letting them age.
    """

    def __init__(
        self,
        post: Callable[[Callable[[], None]], None],
        *,
        threads: int = 2,
        capacity: int = 256,
    ) -> None:
        self._post = post
        self._jobs: queue.Queue[tuple[Job, Done] | None] = queue.Queue(max(capacity, threads))
        self._threads = [
            threading.Thread(target=self._work, name=f"rest-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job, done: Done) -> bool:
        """Run `job()` and then, in the loop, `done(result, None)` or `done(None, error)`.

        Returns False, having done nothing, when too many jobs wait.
        """
        try:
            self._jobs.put_nowait((job, done))
        except queue.Full:
            return False
        return True

    def close(self, timeout_s: float = 1.0) -> None:
        """Let the threads end. What waits is dropped, a call under way waited for only so long."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._jobs.get_nowait()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(timeout_s)

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, done = item
            try:
                result = job()
            except RestError as error:
                self._post(lambda done=done, error=error: done(None, error))  # type: ignore[misc]
            except Exception as error:
                # A defect in a job must surface in the loop, not die with a thread.
                self._post(lambda error=error: _raise(error))  # type: ignore[misc]
            else:
                self._post(lambda done=done, result=result: done(result, None))  # type: ignore[misc]


def _raise(error: Exception) -> None:
    raise error
