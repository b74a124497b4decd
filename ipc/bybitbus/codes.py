"""The closed vocabularies of the wire: error codes, origins, outcomes.

`ipc/PROTOCOL.md` ("Errors") explains each; a test ties the two together. A code is added with a
minor version of the protocol and never changes its meaning.
"""

from __future__ import annotations

from enum import StrEnum

PROTOCOL_VERSION = 1


class Origin(StrEnum):
    """Who said no."""

    GATEWAY = "gateway"
    EXCHANGE = "exchange"
    NETWORK = "network"


class Outcome(StrEnum):
    """What is known of the thing that was asked for."""

    REJECTED = "rejected"  # certainly not done
    ACCEPTED = "accepted"  # done, or accepted by the exchange
    UNKNOWN = "unknown"  # may or may not exist; the gateway is finding out


class Code(StrEnum):
    """Why a request failed."""

    BAD_MESSAGE = "bad_message"  # the frame is no msgpack map of the request's shape
    TOO_LARGE = "too_large"
    UNKNOWN_OP = "unknown_op"
    UNKNOWN_FIELD = "unknown_field"
    MISSING_FIELD = "missing_field"
    BAD_FIELD = "bad_field"  # wrong type, not in the enumeration, breaks a rule
    UNKNOWN_ACCOUNT = "unknown_account"
    UNKNOWN_TOPIC = "unknown_topic"
    UNKNOWN_PROGRAM = "unknown_program"
    UNAVAILABLE = "unavailable"  # the program that serves this op is not up: nothing was done
    NOT_READY = "not_ready"  # the program is up but must not serve this yet
    NOT_FOUND = "not_found"
    GONE = "gone"  # it was there, and is not kept any more
    DEADLINE_PASSED = "deadline_passed"  # dropped before anything was sent
    ID_REUSED = "id_reused"  # an orderLinkId that stands for another order
    RATE_LIMITED = "rate_limited"
    EXCHANGE_REFUSED = "exchange_refused"
    NO_ANSWER = "no_answer"  # sent, but no answer came: the outcome is unknown
    RISK_REFUSED = "risk_refused"  # a limit of the configuration forbids it; nothing was done
    BAD_CONFIG = "bad_config"  # the configuration file is wrong; nothing was changed
    KILLED = "killed"  # the account was stopped (`gateway.kill`); nothing was done
    BUSY = "busy"  # too much is waiting already; nothing was done
    INTERNAL = "internal"  # a defect of the gateway, logged there
