"""The control endpoint: what a test or a person tells the simulator, beside the exchange's API.

| request | body | effect |
|---|---|---|
| `POST /sim/faults` | `{"fault": NAME, ...its fields}` | begins a fault (see `faults`) |
| `GET /sim/faults` | | describes every fault and its fields, as text for people |
| `GET /sim/state` | | shows connections, topics with listeners, counters, lasting faults |
| `GET /sim/orders` | query `uid`, `orderLinkId` | lists every order of the exchange, and how \
often requests for it arrived and were acted on (see `arrivals`) |
| `POST /sim/status` | one `system.status` record | is sent to the status sockets, and kept for \
`GET /v5/system/status` |

A POST is answered with `{"ok": true}` (and the lasting `faults`); a body that does not fit with
HTTP 400 and `{"ok": false, "error": TEXT}`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from bybitd.simulator.wire import frames
from bybitd.simulator.wire.fault import FaultError
from bybitd.simulator.wire.faults import describe

Fault = Callable[[str, Mapping[str, Any]], dict[str, Any]]


class Control:
    """Serve the paths below /sim."""

    def __init__(
        self,
        fault: Fault,
        state: Callable[[], dict[str, Any]],
        orders: Callable[[int | None, str], list[dict[str, Any]]],
        announce: Callable[[dict[str, Any]], None],
    ) -> None:
        self._fault = fault
        self._state = state
        self._orders = orders
        self._announce = announce

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [
            web.post("/sim/faults", self._post_fault),
            web.get("/sim/faults", self._get_faults),
            web.get("/sim/state", self._get_state),
            web.get("/sim/orders", self._get_orders),
            web.post("/sim/status", self._post_status),
        ]

    async def _post_fault(self, request: web.Request) -> web.Response:
        try:
            fields = await _object(request)
            name = fields.pop("fault", None)
            if not isinstance(name, str):
                raise FaultError('the body lacks "fault", the name of what shall go wrong')
            lasting = self._fault(name, fields)
        except FaultError as error:
            return _json({"ok": False, "error": str(error)}, status=400)
        return _json({"ok": True, "faults": lasting})

    async def _get_faults(self, _request: web.Request) -> web.Response:
        return web.Response(text=describe())

    async def _get_state(self, _request: web.Request) -> web.Response:
        return _json(self._state())

    async def _get_orders(self, request: web.Request) -> web.Response:
        uid = request.query.get("uid", "")
        if uid and not uid.isdigit():
            return _json({"ok": False, "error": "uid must be a number"}, status=400)
        link_id = request.query.get("orderLinkId", "")
        return _json({"list": self._orders(int(uid) if uid else None, link_id)})

    async def _post_status(self, request: web.Request) -> web.Response:
        try:
            self._announce(await _object(request))
        except FaultError as error:
            return _json({"ok": False, "error": str(error)}, status=400)
        return _json({"ok": True})


async def _object(request: web.Request) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(await request.read())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FaultError(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise FaultError("the body is not a JSON object")
    return body


def _json(content: Any, status: int = 200) -> web.Response:
    return web.Response(body=frames.encode(content), status=status, content_type="application/json")
