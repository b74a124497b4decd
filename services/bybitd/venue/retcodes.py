"""What a retCode or an HTTP status says about the request it answers (Bybit V5, "Error Codes").

Two questions: what became of the request (`outcome`), and what helps (`Reaction`). Where the
documentation leaves a doubt the answer is "unknown": looking an order up is cheap, a second order
is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

Outcome = Literal["accepted", "rejected", "unknown"]


class Reaction(StrEnum):
    """What to do about an answer."""

    NONE = "none"  # it worked
    BENIGN = "benign"  # what was asked for was so already
    REJECT = "reject"  # a definite no; asking again gets the same
    WAIT = "wait"  # not executed; may be asked again after a pause
    CLOCK = "clock"  # refused before processing; set the clock, then ask once more
    FATAL = "fatal"  # a human must act: key, permission, region, a defect of ours
    LOOK_UP = "look_up"  # a definite no, because the order has come to an end: fetch which
    DUPLICATE = "duplicate"  # an order with this orderLinkId exists: it may be this very one
    UNKNOWN = "unknown"  # may or may not have happened: look it up


_OUTCOMES: Final[dict[Reaction, Outcome]] = {
    Reaction.NONE: "accepted",
    Reaction.BENIGN: "accepted",
    Reaction.REJECT: "rejected",
    Reaction.WAIT: "rejected",
    Reaction.CLOCK: "rejected",
    Reaction.FATAL: "rejected",
    Reaction.LOOK_UP: "rejected",
    Reaction.DUPLICATE: "unknown",
    Reaction.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True)
class RetCode:
    """One code: what helps, and a short meaning for people."""

    code: int
    reaction: Reaction
    meaning: str

    @property
    def outcome(self) -> Outcome:
        """What is known of the request that got this answer."""
        return _OUTCOMES[self.reaction]

    @property
    def retry_safe(self) -> bool:
        """Tell whether the same request may be sent again, after a pause."""
        return self.reaction in (Reaction.WAIT, Reaction.CLOCK)


_TABLE: Final[dict[Reaction, dict[str, str]]] = {
    Reaction.NONE: {"0": "done"},
    Reaction.BENIGN: {
        "20001": "authenticated already",
        "34040 110025 110026 110027 110043": "not modified: it is so already",
    },
    Reaction.CLOCK: {"-1 10002": "the timestamp is outside the receive window"},
    Reaction.WAIT: {
        "10006": "too many requests of this account",
        "10018": "too many requests of this IP address",
        "10403": "too many requests of this IP address on the trade socket",
        "20003": "too many requests in this session",
        "170005 170222": "too many orders or requests in this time",
        "30034 30035 130035 130150": "busy",
    },
    Reaction.FATAL: {
        "10003": "the API key is invalid or of another environment, or has too many sessions",
        "10004": "the signature is wrong",
        "10005": "the API key has not this permission",
        "10007": "authentication failed",
        "10008": "the account is banned or in the wrong mode",
        "10009 10024 10027 110132": "trading is not allowed for this account or region",
        "10010": "this IP address is not in the list of the API key",
        "10017 10404": "no such path or operation for this category",
        "10028 100028": "the operation does not fit the type of the account",
        "33004 -2015": "the API key has expired",
    },
    Reaction.REJECT: {
        "10001": "a parameter is wrong",
        "10029": "the symbol is not allowed for this API key",
        "30208 30209": "the price is beyond the allowed range",
        "30228 110023 110042 110103": "the symbol takes only some kinds of orders now",
        "110003": "the price is outside the allowed range",
        "110004 110006 110007 110012 110014 110044 110045 110051 110052 110053 170033 170131": (
            "the balance or margin is not enough"
        ),
        "110005 110063 110066 110074": "not tradable now: settlement, halt or position status",
        "110009 110020 110061 170810": "too many open orders",
        "110011 110039 110040 110046": "it would liquidate the position",
        "110013 110036 110038 110076 110077": "conflicts with leverage or margin mode",
        "110017": "reduce-only, but there is nothing to reduce",
        "110021 110022 110085 110086 110089 110090": "beyond open interest, risk or leverage limit",
        "110024 110028 110029": "the mode can not be switched with positions or orders open",
        "110059 110060 110064 170312 170313": "the order can not be amended so",
        "110092 110093": "the trigger direction contradicts the market",
        "110094 170136 170140": "below the minimum quantity or value",
        "110095 110096 110097 110098 110099 110100": "not allowed in the pre-market",
        "110101 170346": "the coin is not enabled as collateral",
        "110108 110109": "the slippage tolerance is out of range",
        "110110 110111 110112 110113 110114 110115 110116 110117 110118": (
            "a condition of spread trading is not met"
        ),
        "110119 170355": "the account may not place RPI orders",
        "110120 110121 170132 170133 170192 170193 170194 170371 170372": (
            "the price is outside the price band"
        ),
        "110123 110124 110125 110135 110136 110137": "terms not accepted, or cooling-off",
        "170105 170115 170116 170117 170121 170130": "a parameter is missing or wrong",
        "170124 170341 170381 170382": "above the maximum quantity or value",
        "170134 170137 170148": "too many decimals",
        "170151 170157 170159 170206 170217 170218": "the pair takes only some kinds of orders now",
        "170203 170204": "the trigger price is too far from the market",
    },
    Reaction.LOOK_UP: {
        "110001 110008 110010 110019 170139 170142 170143 170190 170213": (
            "the order does not exist or is over"
        ),
    },
    Reaction.DUPLICATE: {"110072 170141": "an order with this orderLinkId exists already"},
    Reaction.UNKNOWN: {
        "429 10429": "the exchange is overloaded",
        "10000": "the exchange timed out",
        "10014": "duplicate request: the first one may have been executed",
        "10016": "internal error or restart of the exchange",
        "10019": "the trade node restarts and takes nothing new",
        "20006": "duplicate reqId: the first request with it stands",
        "40004": "the order changed while it was being replaced",
        "110079 170144 170145 170191 170212": "the order is being processed",
        "170001 170234": "internal error of the exchange",
        "170007 170032": "timeout or network error inside the exchange",
        "170035": "handed over for processing",
        "170146 170147 170310": "the exchange timed out on the order",
        "170149 170150 170210 170311": "reported as failed, to be verified",
    },
}
CODES: Final[dict[int, RetCode]] = {
    int(code): RetCode(int(code), reaction, meaning)
    for reaction, meanings in _TABLE.items()
    for codes, meaning in meanings.items()
    for code in codes.split()
}

# HTTP statuses. 403 is told apart by its text: see `http_status`.
_HTTP: Final = {
    400: RetCode(400, Reaction.FATAL, "the request is malformed"),
    401: RetCode(401, Reaction.FATAL, "the authentication headers are missing or wrong"),
    404: RetCode(404, Reaction.FATAL, "no such path for this account"),
}
IP_BAN: Final = RetCode(403, Reaction.WAIT, "too many requests of this IP address")
_FORBIDDEN: Final = RetCode(403, Reaction.FATAL, "forbidden: the region, or a GET with a body")
# How long all HTTP calls of this address must stop after IP_BAN.
IP_BAN_MS: Final = 600_000


def explain(code: int) -> RetCode:
    """Return what a retCode says. One that is not known here is UNKNOWN."""
    known = CODES.get(code)
    if known is not None:
        return known
    return RetCode(code, Reaction.UNKNOWN, "a code that is not known here")


def outcome(code: int) -> Outcome:
    """Return what became of the request that was answered with this retCode.

    A batch is answered with 0 even when every item failed: ask for each item's own code.
    """
    return explain(code).outcome


def http_status(status: int, body: str = "") -> RetCode:
    """Return what an HTTP status other than 200 says. Its body may be HTML.

    Every status that does not say clearly that nothing happened is UNKNOWN.
    """
    if status == 403:
        return IP_BAN if "too frequent" in body.lower() else _FORBIDDEN
    known = _HTTP.get(status)
    if known is not None:
        return known
    return RetCode(status, Reaction.UNKNOWN, f"HTTP status {status}")
