"""REST of the simulated exchange (Bybit V5 "Integration guidance" and the endpoint pages).

Errors of the exchange come as HTTP 200 with a `retCode`; HTTP statuses are for what never reached
it: 401 without signature headers, 403 for a banned address ("access too frequent") or a GET with a
body, 404 for a path that does not exist.
"""

import asyncio
from collections.abc import Callable
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from bybitd.simulator.refusal import Refusal
from bybitd.simulator.wire import frames
from bybitd.simulator.wire.auth import KeyRing, MissingHeaders
from bybitd.simulator.wire.clock import ServerClock
from bybitd.simulator.wire.desk import Answer, Desk, refused
from bybitd.simulator.wire.faults import Faults
from bybitd.simulator.wire.limits import RateBook
from bybitd.simulator.wire.trade import limit_headers

_PUBLIC = ("/v5/market/", "/v5/system/", "/v5/announcements/")
_TIME = "/v5/market/time"
# What the exchange answers for a path that it does not have.
_NO_ROUTE = 10017
_STALL_POLL_S = 0.02


class Rest:
    """Answer the requests below /v5 that are no WebSocket handshakes."""

    def __init__(
        self,
        desk: Desk,
        keys: KeyRing,
        rates: RateBook,
        faults: Faults,
        clock: ServerClock,
        publish: Callable[[], None],
        *,
        ack_first: bool,
    ) -> None:
        self._desk = desk
        self._keys = keys
        self._rates = rates
        self._faults = faults
        self._clock = clock
        self._publish = publish
        self._ack_first = ack_first
        self.requests = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        self.requests += 1
        body = await request.read()
        # The raw text, for a signature covers the bytes that were sent.
        path, _, query = request.raw_path.partition("?")
        response, hold_ms = self._respond(request, path, query, body)
        await self._hold(hold_ms)
        if isinstance(response, web.Response) and self._faults.truncates(path):
            return await _cut_short(request, response)
        return response

    def _respond(
        self, request: web.Request, path: str, query: str, body: bytes
    ) -> tuple[web.StreamResponse, int]:
        """Make the response, and tell for how many ms a fault holds it back."""
        now_ms = self._clock.engine_ms()
        status = self._faults.next_http(path)
        if self._faults.is_down(now_ms):
            status = 503
        if status is None and (self._faults.bans(now_ms) or not self._rates.take_http(now_ms)):
            status = 403
        if status is not None:
            return _plain(status, "access too frequent" if status == 403 else ""), 0
        if request.method == "GET" and body:
            return _plain(403, "Forbidden: a GET has no body"), 0
        try:
            if request.method == "GET" and self._is_public(path):
                answer = self._public(path, query)
            elif request.method == "GET":
                answer = self._read(request, path, query)
            elif request.method == "POST":
                answer = self._act(request, path, body)
            else:
                return _plain(400, "bad method"), 0
        except MissingHeaders:
            return _plain(401, ""), 0
        except Refusal as refusal:
            answer = refused(refusal)
        if answer.lost:
            # The client sees its connection end, and cannot know what became of its request.
            if request.transport is not None:
                request.transport.abort()
            return web.Response(), 0
        if answer.retCode == _NO_ROUTE or (answer.forced and answer.retCode in (403, 429)):
            status = 404 if answer.retCode == _NO_ROUTE else answer.retCode
            return _plain(status, answer.retMsg), 0
        response = self._envelope(answer)
        if answer.cut:
            response.force_close()
        return response, answer.hold_ms

    def _is_public(self, path: str) -> bool:
        return path.startswith(_PUBLIC) or self._desk.exchange.is_public(path)

    def _public(self, path: str, query: str) -> Answer:
        # The time endpoint tells the clock that windows are judged by, the rest is the market's.
        now_ms = self._clock.shown_ms() if path == _TIME else self._clock.engine_ms()
        return Answer(result=self._desk.exchange.public_get(path, _parameters(query), now_ms))

    def _read(self, request: web.Request, path: str, query: str) -> Answer:
        who = self._keys.rest_login(request.headers, query.encode(), self._clock.shown_ms())
        return self._desk.read(who, path, _parameters(query), self._clock.engine_ms())

    def _act(self, request: web.Request, path: str, body: bytes) -> Answer:
        who = self._keys.rest_login(request.headers, body, self._clock.shown_ms())
        try:
            parsed = msgspec.json.decode(body or b"{}")
        except (msgspec.DecodeError, UnicodeDecodeError):
            parsed = None
        if not isinstance(parsed, dict):
            raise Refusal(10001, "Request parameter error: the body is not a JSON object.")
        self._desk.arrived(who, path, parsed)
        answer = self._desk.act(who, path, parsed, self._clock.engine_ms())
        if self._ack_first:
            # The reply is written before the loop comes to this.
            asyncio.get_running_loop().call_soon(self._publish)
        else:
            self._publish()
        return answer

    def _envelope(self, answer: Answer) -> web.Response:
        return web.Response(
            body=frames.encode_reply(
                {
                    "retCode": answer.retCode,
                    "retMsg": answer.retMsg,
                    "result": answer.result,
                    "retExtInfo": answer.retExtInfo,
                    "time": self._clock.shown_ms(),
                }
            ),
            content_type="application/json",
            headers=limit_headers(answer, self._clock),
        )

    async def _hold(self, hold_ms: int) -> None:
        """Keep the reply back as long as the faults want."""
        delay_ms = self._faults.delay_ms("rest") + hold_ms
        if delay_ms:
            await asyncio.sleep(delay_ms / 1_000)
        # Polled, for a stall ends by time or by another fault, and nobody is in a hurry.
        while self._faults.stalled_until_ms("rest", self._clock.engine_ms()):  # noqa: ASYNC110
            await asyncio.sleep(_STALL_POLL_S)


async def _cut_short(request: web.Request, whole: web.Response) -> web.StreamResponse:
    """Send half of a reply and end the connection."""
    body = whole.body if isinstance(whole.body, bytes) else b""
    half = web.StreamResponse(status=whole.status)
    half.content_type = whole.content_type
    half.content_length = len(body)
    await half.prepare(request)
    await half.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return half


def _parameters(query: str) -> dict[str, str]:
    return dict(parse_qsl(query, keep_blank_values=True))


def _plain(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text)
