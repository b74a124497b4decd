"""The `account.` ops: from the kept state where it is kept, else by asking the exchange.

Results have the shape of the exchange's REST results. The kept state is not shown while nobody can
vouch for it: `fresh: true` asks the exchange instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from bybitbus.codes import Code
from bybitbus.messages import ErrorBody, gateway_error
from bybitbus.server import Call
from bybitd.net.errors import RestError
from bybitd.net.rest import RestReply, RestWorker
from bybitd.private_stream.account import Account
from bybitd.private_stream.executions import with_kind
from bybitd.private_stream.state import Record, position_to_rest, updated_ms
from bybitd.runtime import rest_answers
from bybitd.runtime.account_access import AccountAccess
from bybitd.runtime.arguments import Argument, wrong
from bybitd.venue.enums import CATEGORIES

_WORDS: Final = ("category", "symbol", "baseCoin", "settleCoin")
_IDS: Final = ("orderId", "orderLinkId")
_PAGE: Final = ("limit", "cursor")
_SPAN: Final = ("startTime", "endTime")
PATHS: Final = {
    "account.orders": "/v5/order/realtime",
    "account.order-history": "/v5/order/history",
    "account.executions": "/v5/execution/list",
    "account.positions": "/v5/position/list",
    "account.wallet": "/v5/account/wallet-balance",
    "account.greeks": "/v5/asset/coin-greeks",
    "account.fee-rate": "/v5/account/fee-rate",
    "account.info": "/v5/account/info",
}
_ARGUMENTS: Final = {
    "category": Argument(str, words=CATEGORIES),
    "fresh": Argument(bool),
    "cursor": Argument(str),
    **dict.fromkeys(("limit", "openOnly", *_SPAN), Argument(int, may_be_text=True)),
}
_TAKES: Final[dict[str, tuple[str, ...]]] = {
    "account.orders": (*_WORDS, *_IDS, "openOnly", "orderFilter", *_PAGE, "fresh"),
    "account.order-history": (
        *(*_WORDS, *_IDS, "orderFilter", "orderStatus", *_SPAN, *_PAGE, "fresh"),
    ),
    "account.executions": (*_WORDS, *_IDS, "execType", *_SPAN, *_PAGE, "fresh"),
    "account.positions": (*_WORDS, *_PAGE, "fresh"),
    "account.wallet": ("coin", "accountType", "fresh"),
    "account.greeks": ("baseCoin", "fresh"),
    "account.fee-rate": ("category", "symbol", "baseCoin", "fresh"),
    "account.info": ("fresh",),
}
_FIELDS: Final = {
    op: {name: _ARGUMENTS.get(name, Argument(str, filled=True)) for name in names}
    for op, names in _TAKES.items()
}
# What the kept records can be chosen by. Asked for anything else, the exchange must answer.
_KEPT_BY: Final = {
    "account.orders": frozenset({"category", "symbol", *_IDS, *_PAGE}),
    "account.positions": frozenset({"category", "symbol", *_PAGE}),
    "account.wallet": frozenset({"coin", "accountType"}),
    "account.greeks": frozenset({"baseCoin"}),
}
_NEED_CATEGORY: Final = frozenset(
    {"account.orders", "account.order-history", "account.executions", "account.positions"}
    | {"account.fee-rate"}
)
_MOST: Final = 1000


class AccountOps:
    """Serves the ops of one account."""

    def __init__(self, account: Account, access: AccountAccess, worker: RestWorker) -> None:
        self._account = account
        self._access = access
        self._worker = worker

    def handlers(self) -> dict[str, Callable[[Call], None]]:
        """Return the ops and who serves them."""
        return dict.fromkeys(PATHS, self.serve)

    def serve(self, call: Call) -> None:
        """Answer one call."""
        op, args = call.request.op, call.request.args
        problem = _check(op, args)
        if problem is not None:
            call.fail(problem)
            return
        chosen = {name: value for name, value in args.items() if name != "fresh"}
        kept_by = _KEPT_BY.get(op)
        unread = op == "account.greeks" and not self._account.state.knows_greeks
        if args.get("fresh") or kept_by is None or unread or not kept_by.issuperset(chosen):
            self._ask(call, chosen)
        elif not self._account.ready:
            call.fail(
                gateway_error(
                    Code.NOT_READY,
                    f"{op}: the account is not compared with the exchange: {self._why()}",
                    hint="try again, or ask the exchange itself with fresh: true",
                    retry_safe=True,
                )
            )
        else:
            call.succeed(self._kept(op, chosen))

    def _why(self) -> str:
        return "the private socket is being connected" if self._account.compared else "not yet"

    def _kept(self, op: str, chosen: dict[str, Any]) -> dict[str, Any]:
        state = self._account.state
        rows: Iterable[Record]
        if op == "account.wallet":
            wallet = state.wallet.record()
            if coins := chosen.get("coin"):
                named = set(str(coins).split(","))
                wallet["coin"] = [row for row in wallet["coin"] if row.get("coin") in named]
            return {"list": [wallet], "nextPageCursor": ""}
        if op == "account.greeks":
            rows = state.greeks.values()
            return _paged([row for row in rows if _fits(row, chosen)], {})
        if op == "account.positions":
            # As REST does: a symbol that is named shows even where nothing is held.
            rows = state.positions if "symbol" in chosen else state.positions.open()
            rows = [position_to_rest(row) for row in rows]
        else:
            rows = sorted(state.orders, key=updated_ms, reverse=True)
        return _paged([row for row in rows if _fits(row, chosen)], chosen)

    def _ask(self, call: Call, chosen: dict[str, Any]) -> None:
        op = call.request.op
        client = self._access.inquirer
        if op in _NEED_CATEGORY and "category" not in chosen:
            call.fail(
                gateway_error(
                    Code.MISSING_FIELD,
                    f"{op}: category is missing; the exchange lists each by itself "
                    f"(one of {', '.join(CATEGORIES)})",
                )
            )
            return
        if client is None:
            call.fail(
                gateway_error(
                    Code.NOT_READY,
                    f"{op}: the exchange is not known yet",
                    retry_safe=True,
                )
            )
            return
        if op == "account.wallet":
            chosen = {"accountType": "UNIFIED", **chosen}

        def done(reply: RestReply | None, error: RestError | None) -> None:
            if (answer := rest_answers.take(call, reply, error)) is not None:
                self._mark(op, answer.result.get("list"))
                call.succeed(answer.result)

        if not self._worker.submit(lambda: client.get(PATHS[op], chosen), done):
            call.fail(
                gateway_error(Code.BUSY, f"{op}: too many questions wait already", retry_safe=True)
            )

    def _mark(self, op: str, listed: object) -> None:
        """Add our keys to rows of the exchange, in place."""
        rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
        if op in ("account.orders", "account.order-history"):
            self._account.mark_external(rows)
        elif op == "account.executions":
            for row in rows:
                row |= with_kind(row)


def _check(op: str, args: dict[str, Any]) -> ErrorBody | None:
    if (error := wrong(op, args, _FIELDS[op])) is not None:
        return error
    cursor = args.get("cursor", "")
    if op in _KEPT_BY and not args.get("fresh") and cursor and not cursor.isdecimal():
        return gateway_error(
            Code.BAD_FIELD,
            "args.cursor: not one of the kept state's",
            hint="a cursor goes with the args of the page before it, fresh: true included",
        )
    return None


def _fits(row: Record, chosen: dict[str, Any]) -> bool:
    return all(row.get(name) == value for name, value in chosen.items() if name not in _PAGE)


def _paged(rows: list[Record], chosen: dict[str, Any]) -> dict[str, Any]:
    start = int(chosen.get("cursor") or 0)
    end = start + min(int(chosen.get("limit", _MOST)) or _MOST, _MOST)
    following = str(end) if end < len(rows) else ""
    return {"list": rows[start:end], "nextPageCursor": following}
