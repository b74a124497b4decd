"""The order desk: what stands between a request of either transport and the exchange.

Both the trade socket and REST come through here, so that they share rights, rate buckets and
faults as they do on the real exchange.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bybitd.simulator.exchange import Exchange
from bybitd.simulator.refusal import Refusal
from bybitd.simulator.wire import order_faults as faulty
from bybitd.simulator.wire.arrivals import Arrivals
from bybitd.simulator.wire.auth import PERMISSION_DENIED, Credential
from bybitd.simulator.wire.fault import Scope
from bybitd.simulator.wire.limits import Grant, RateBook

TOO_MANY_VISITS = "Too many visits. Exceeded the API Rate Limit."
RESTARTING = (
    "ws trade service is restarting, do not accept new request, but the request in the process "
    "is not affected. You can build new connection to be routed to normal service"
)

_FAULT_TEXTS = {
    403: "access too frequent",
    429: "high server load",
    10000: "Server Timeout",
    10002: "invalid request, please check your server timestamp or recv_window param.",
    10006: TOO_MANY_VISITS,
    10016: "Internal server error.",
    10019: RESTARTING,
    10403: "Exceeded IP rate limit.",
    10429: "System level frequency protection.",
}

# What the fault `read_lag` holds back, and the time that it looks at.
_LAGGING = {
    "/v5/order/realtime": "createdTime",
    "/v5/order/history": "createdTime",
    "/v5/execution/list": "execTime",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The outcome of one request, and what a fault makes of its delivery.

    `lost` is not sent, `cut` ends the connection, `hold_ms` is how much later it leaves.
    """

    retCode: int = 0
    retMsg: str = "OK"
    result: dict[str, Any] = field(default_factory=dict)
    retExtInfo: dict[str, Any] = field(default_factory=dict)
    grant: Grant | None = None
    lost: bool = False
    cut: bool = False
    forced: bool = False
    hold_ms: int = 0
    req_id: bool = True


def refused(refusal: Refusal, grant: Grant | None = None) -> Answer:
    """Make the answer of a refusal."""
    return Answer(
        retCode=refusal.retCode,
        retMsg=refusal.retMsg,
        retExtInfo=refusal.retExtInfo,
        grant=grant,
    )


class Desk:
    """Take requests of known accounts to the exchange."""

    def __init__(
        self,
        exchange: Exchange,
        rates: RateBook,
        faults: faulty.OrderFaults,
        arrivals: Arrivals,
        cut: Callable[[Scope], None],
    ) -> None:
        self.exchange = exchange
        self._rates = rates
        self._faults = faults
        self._arrivals = arrivals
        self._cut = cut

    def read(self, who: Credential, path: str, params: Mapping[str, str], now_ms: int) -> Answer:
        """Answer a signed GET."""
        fault = self._faults.for_request(operation(path), params, reading=True)
        if fault is not None:
            return self._under(fault, lambda: self._read(who, path, params, now_ms))
        return self._read(who, path, params, now_ms)

    def _read(self, who: Credential, path: str, params: Mapping[str, str], now_ms: int) -> Answer:
        grant = self._rates.take(who.uid, path, params.get("category", ""), 1, now_ms)
        if not grant.granted:
            return refused(Refusal(10006, TOO_MANY_VISITS), grant)
        try:
            result = self.exchange.private_get(who.uid, path, params, now_ms)
        except Refusal as refusal:
            return refused(refusal, grant)
        if path == "/v5/user/query-api":
            # The exchange knows accounts; which of their keys asks is known here only.
            result = result | {"apiKey": who.key, "readOnly": int(who.readonly)}
            if who.withdraws:
                result["permissions"] = result["permissions"] | {"Wallet": ["Withdraw"]}
        if path in _LAGGING and self._faults.read_lag_ms:
            result = _older(result, _LAGGING[path], now_ms - self._faults.read_lag_ms)
        return Answer(result=result, grant=grant)

    def arrived(self, who: Credential, path: str, body: Mapping[str, Any]) -> None:
        """Count a request for orders before anything is made of it."""
        self._arrivals.received(who.uid, operation(path), body)

    def act(self, who: Credential, path: str, body: dict[str, Any], now_ms: int) -> Answer:
        """Act on a signed POST or on a request of the trade socket (as the POST of its `op`)."""
        fault = self._faults.for_request(operation(path), body)
        if fault is None:
            return self._act(who, path, body, now_ms)
        if isinstance(fault, faulty.Answer) and fault.code == 10006 and not fault.act:
            category = body.get("category")
            grant = self._rates.exhausted(who.uid, path, str(category), now_ms)
            return replace(self._under(fault, Answer), grant=grant)
        return self._under(fault, lambda: self._act(who, path, body, now_ms))

    def _under(self, fault: faulty.OrderFault, act: Callable[[], Answer]) -> Answer:
        """Answer a request as a fault wants it; `act` does what was asked for."""
        match fault:
            case faulty.LoseAck(when=when, cut=cut, cut_scope=scope):
                answer = act() if when == "after" else Answer()
                if scope is not None:
                    self._cut(scope)
                return replace(answer, lost=True, cut=cut)
            case faulty.HoldAck(ms=ms):
                return replace(act(), hold_ms=ms)
            case faulty.OmitReqId():
                return replace(act(), req_id=False)
            case faulty.Answer(code=code, msg=msg, act=acts, cut=cut, req_id=req_id):
                return Answer(
                    retCode=code,
                    retMsg=msg or _FAULT_TEXTS.get(code, ""),
                    grant=act().grant if acts else None,
                    cut=cut,
                    forced=True,
                    req_id=req_id,
                )

    def _act(self, who: Credential, path: str, body: dict[str, Any], now_ms: int) -> Answer:
        if who.readonly:
            return refused(Refusal(10005, PERMISSION_DENIED))
        category = body.get("category")
        category = category if isinstance(category, str) else ""
        items = body.get("request") if path.endswith("-batch") else None
        units = len(items) if isinstance(items, list) and category != "option" else 1
        grant = self._rates.take(who.uid, path, category, max(units, 1), now_ms)
        if not grant.granted:
            return refused(Refusal(10006, TOO_MANY_VISITS), grant)
        late: Sequence[Any] = ()
        if isinstance(items, list) and grant.granted < units:
            late = items[grant.granted :]
            body = body | {"request": items[: grant.granted]}
        try:
            result, extra = self.exchange.private_post(who.uid, path, body, now_ms)
        except Refusal as refusal:
            return refused(refusal, grant)
        self._arrivals.acted(who.uid, operation(path), body, result)
        if late:
            result, extra = _with_late_items(path, category, late, result, extra)
        return Answer(result=result, retExtInfo=extra, grant=grant)


def operation(path: str) -> str:
    """Name the operation of a REST path: `/v5/order/create` is `order.create`."""
    return path.removeprefix("/v5/").replace("/", ".")


def _older(result: dict[str, Any], name: str, until_ms: int) -> dict[str, Any]:
    """Leave out the rows of a list that were made after `until_ms`."""
    return result | {"list": [row for row in result["list"] if int(row[name]) <= until_ms]}


def _with_late_items(
    path: str,
    category: str,
    late: Sequence[Any],
    result: dict[str, Any],
    extra: dict[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Add the orders of a batch for which the bucket had no room: refused one by one."""
    rows = list(result.get("list", ()))
    codes = list(extra.get("list", ()))
    for item in late:
        item = item if isinstance(item, dict) else {}
        row = {
            "category": category,
            "symbol": item.get("symbol", ""),
            "orderId": "",
            "orderLinkId": item.get("orderLinkId", ""),
        }
        if path.endswith("create-batch"):
            row["createAt"] = ""
        rows.append(row)
        codes.append({"code": 10006, "msg": TOO_MANY_VISITS})
    return result | {"list": rows}, extra | {"list": codes}
