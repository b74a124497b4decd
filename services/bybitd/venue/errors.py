"""What this package raises. The sentence of an error is built from its fields.

VenueError
+-- HostError           no such environment, region, or socket there
+-- TopicError          a topic that can not exist on that stream
+-- PathError           no REST call that may be made without a key
+-- KeyFormatError      an API secret that can not sign
+-- InstrumentError     an instruments-info row that lacks what its category must have
+-- FieldError          arguments of an operation that the exchange would not take
    +-- UnknownField    a name that the operation does not have
    +-- MissingField    a name that it must have
    +-- BadField        a value of the wrong type, outside its list, or against a rule
"""

from __future__ import annotations

from collections.abc import Iterable

from bybitd.errors import BybitdError


class VenueError(BybitdError):
    """Root of what is refused here, before the exchange sees it."""


class HostError(VenueError):
    """Raised for an environment, region or socket that does not exist."""


class KeyFormatError(VenueError):
    """Raised for an API key that can not sign. Never shows the key."""


class InstrumentError(VenueError):
    """Raised for an instruments-info row that can not be used."""

    def __init__(self, category: str, symbol: str, problem: str) -> None:
        self.category = category
        self.symbol = symbol
        self.problem = problem
        super().__init__(f"instrument {symbol or '?'} of {category}: {problem}")


class PathError(VenueError):
    """Raised for a REST path that is not public: says what would be right."""

    def __init__(self, path: str, problem: str, hint: str) -> None:
        self.path = path
        self.problem = problem
        self.hint = hint
        super().__init__(f"{path} {problem}; {hint}")


class TopicError(VenueError):
    """Raised for a topic that can not exist: says why, and what would be right."""

    def __init__(self, stream: str, topic: str, problem: str, hint: str = "") -> None:
        self.stream = stream
        self.topic = topic
        self.problem = problem
        self.hint = hint
        sentence = f"{topic!r} is no topic of {stream}: {problem}"
        super().__init__(f"{sentence}; {hint}" if hint else sentence)


class FieldError(VenueError):
    """Raised for one wrong argument. `field` is its path, such as `request[2].qty`."""

    def __init__(self, op: str, field: str, rule: str, allowed: Iterable[str] = ()) -> None:
        self.op = op
        self.field = field
        self.rule = rule
        self.allowed = tuple(allowed)
        listed = f" (one of {', '.join(self.allowed)})" if self.allowed else ""
        super().__init__(f"{op}: {field} {rule}{listed}")


class UnknownField(FieldError):
    """Raised for an argument that the operation does not know. It is never dropped in silence."""


class MissingField(FieldError):
    """Raised where an argument that must be there is not."""


class BadField(FieldError):
    """Raised for a value of the wrong type, outside its list, or against a rule."""
