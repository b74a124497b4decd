"""Finding out what became of an order: first among the open ones, then in the history.

Absent means in neither list, under every filter that could hide it (Bybit V5, "Get Open & Closed
Orders", "Get Order History").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bybitd.net.errors import OutcomeUnknown
from bybitd.net.rest import RestClient
from bybitd.order_execution.order_record import is_older
from bybitd.venue.retcodes import Reaction, explain

_LISTS: Final = ("/v5/order/realtime", "/v5/order/history")
_POSITIONS: Final = "/v5/position/list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which order is meant; `args` are those of the request, which tell what could hide it.

    `timestamp_ms` is when it was asked for: one that is named by its orderLinkId alone is not
    older than that. 0 where it does not matter.
    """

    category: str
    symbol: str
    order_id: str
    link_id: str
    args: Mapping[str, Any]
    timestamp_ms: int = 0

    def queries(self) -> Iterator[dict[str, Any]]:
        """Yield the parameters to ask each list with."""
        query = {"category": self.category, "symbol": self.symbol}
        if self.order_id:
            query["orderId"] = self.order_id
        else:
            query["orderLinkId"] = self.link_id
        yield query
        # By the documentation a list has all kinds of orders; some have been seen to need this.
        named = self.args.get("orderFilter")
        if self.category == "spot" and named and named != "Order":
            yield {**query, "orderFilter": named}
        elif self.category in ("linear", "inverse") and "triggerPrice" in self.args:
            yield {**query, "orderFilter": "StopOrder"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionQuestion:
    """Of which symbol the positions are asked for."""

    category: str
    symbol: str


def look_up_positions(client: RestClient, question: PositionQuestion) -> list[dict[str, Any]]:
    """Return the exchange's records of a symbol's positions, flat ones too. Blocks.

    Source: Bybit V5, "Get Position Info".

    Raises:
        RestError: they could not be read, so nothing is known.
    """
    query = {"category": question.category, "symbol": question.symbol}
    reply = client.get(_POSITIONS, query)
    if reply.ret_code != 0:
        raise OutcomeUnknown(f"{_POSITIONS}: retCode {reply.ret_code} {reply.ret_msg}")
    rows = reply.result.get("list") or []
    return [row for row in rows if isinstance(row, dict) and row.get("symbol") == question.symbol]


def look_up(client: RestClient, question: Question) -> dict[str, Any] | None:
    """Return the exchange's record of the order; None if it is in neither list. Blocks.

    Raises:
        RestError: a list could not be read, so nothing is known.
    """
    for path in _LISTS:
        for query in question.queries():
            reply = client.get(path, query)
            if reply.ret_code != 0:
                if explain(reply.ret_code).reaction is Reaction.LOOK_UP:
                    continue  # a way to say that there is none
                raise OutcomeUnknown(f"{path}: retCode {reply.ret_code} {reply.ret_msg}")
            for row in reply.result.get("list") or ():
                if _is_meant(row, question):
                    return {**row, "category": question.category}
    return None


def _is_meant(row: object, question: Question) -> bool:
    if not isinstance(row, dict):
        return False
    if question.order_id:
        return row.get("orderId") == question.order_id
    return row.get("orderLinkId") == question.link_id and not is_older(row, question.timestamp_ms)
