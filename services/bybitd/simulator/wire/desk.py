"""The order desk: what stands between a request of either transport and the exchange.

Both the trade socket and REST come through here, so that they share rights, rate buckets and
faults as they do on the real exchange.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bybitd.simulator.exchange import Exchange
from bybitd.simulator.refusal import Refusal
from bybitd.simulator.wire import faults as faulty
from bybitd.simulator.wire.auth import PERMISSION_DENIED, Credential
from bybitd.simulator.wire.limits import Grant, RateBook

TOO_MANY_VISITS = "Too many visits. Exceeded the API Rate Limit."

_FAULT_TEXTS = {
    403: "access too frequent",
    10000: "Server Timeout",
    10006: TOO_MANY_VISITS,
    10016: "Internal server error.",
    10019: (
        "ws trade service is restarting, do not accept new request, but the request in the "
        "process is not affected. You can build new connection to be routed to normal service"
    ),
    10403: "Exceeded IP rate limit.",
    10429: "System level frequency protection.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The outcome of one request; `lost` and `cut` are what a fault makes of its delivery."""

    retCode: int = 0
    retMsg: str = "OK"
    result: dict[str, Any] = field(default_factory=dict)
    retExtInfo: dict[str, Any] = field(default_factory=dict)
    grant: Grant | None = None
    lost: bool = False
    cut: bool = False
    forced: bool = False


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

    def __init__(self, exchange: Exchange, rates: RateBook, faults: faulty.Faults) -> None:
        self._exchange = exchange
        self._rates = rates
        self._faults = faults

    def read(self, who: Credential, path: str, params: Mapping[str, str], now_ms: int) -> Answer:
        """Answer a signed GET."""
        grant = self._rates.take(who.uid, path, params.get("category", ""), 1, now_ms)
        if not grant.granted:
            return refused(Refusal(10006, TOO_MANY_VISITS), grant)
        try:
            result = self._exchange.private_get(who.uid, path, params, now_ms)
        except Refusal as refusal:
            return refused(refusal, grant)
        if path == "/v5/user/query-api":
            # The exchange knows accounts; which of their keys asks is known here only.
            result = result | {"apiKey": who.key, "readOnly": int(who.readonly)}
        return Answer(result=result, grant=grant)

    def act(self, who: Credential, path: str, body: dict[str, Any], now_ms: int) -> Answer:
        """Act on a signed POST or on a request of the trade socket (as the POST of its `op`)."""
        fault = self._faults.next_order(operation(path))
        match fault:
            case None:
                return self._act(who, path, body, now_ms)
            case faulty.LoseAck(when="before", cut=cut):
                return Answer(lost=True, cut=cut)
            case faulty.LoseAck(cut=cut):
                return replace(self._act(who, path, body, now_ms), lost=True, cut=cut)
            case faulty.Answer(code=code, msg=msg, act=act, cut=cut):
                grant = self._act(who, path, body, now_ms).grant if act else None
                text = msg or _FAULT_TEXTS.get(code, "")
                return Answer(retCode=code, retMsg=text, grant=grant, cut=cut, forced=True)

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
            result, extra = self._exchange.private_post(who.uid, path, body, now_ms)
        except Refusal as refusal:
            return refused(refusal, grant)
        if late:
            result, extra = _with_late_items(path, category, late, result, extra)
        return Answer(result=result, retExtInfo=extra, grant=grant)


def operation(path: str) -> str:
    """Name the operation of a REST path: `/v5/order/create` is `order.create`."""
    return path.removeprefix("/v5/").replace("/", ".")


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
