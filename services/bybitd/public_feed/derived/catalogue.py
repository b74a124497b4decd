"""Which derived topics exist, and the topic of the exchange that each follows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bybitd.venue.errors import TopicError
from bybitd.venue.topics import PUBLIC_STREAMS, check


class DerivedKind(StrEnum):
    """What a derived topic carries; the value is its first token."""

    BBO = "bbo"
    TICKER = "ticker"


@dataclass(frozen=True, slots=True)
class DerivedTopic:
    """One derived topic. `source` is the name of the exchange's topic that it is computed from."""

    stream: str
    kind: DerivedKind
    parameter: str
    subject: str
    source: str
    has_state: bool = True

    @property
    def name(self) -> str:
        """The topic without stream and closing dot."""
        return ".".join(part for part in (self.kind, self.parameter, self.subject) if part)


_BEST: Final = {
    "spot": "orderbook.1.{}",
    "linear": "orderbook.1.{}",
    "inverse": "orderbook.1.{}",
    "option": "orderbook.25.{}",  # the least deep book that there is
    "spread": "orderbook.25.{}",
}
_TICKERS: Final = "tickers.{}"
# Of each kind: the source by category. Where a category is missing the data does not exist.
_SOURCES: Final[dict[DerivedKind, Mapping[str, str]]] = {
    DerivedKind.BBO: _BEST,
    DerivedKind.TICKER: dict.fromkeys(_BEST, _TICKERS),
}


def derived(stream: str, name: str) -> DerivedTopic | None:
    """Return the derived topic of this name, None where the name is none of a derived one.

    Raises:
        TopicError: it can not exist on that stream; says why and what would be right.
    """
    word, _, subject = name.partition(".")
    if stream not in PUBLIC_STREAMS or word not in frozenset(DerivedKind):
        return None
    kind = DerivedKind(word)
    parameter = ""
    source = _SOURCES[kind].get(stream)
    if source is None:
        categories = " and ".join(_SOURCES[kind])
        raise TopicError(stream, name, f"{stream} has no {kind}", f"it exists on {categories}")
    return DerivedTopic(
        stream, kind, parameter, subject, _source(stream, name, source.format(subject))
    )


def _source(stream: str, name: str, source: str) -> str:
    try:
        return check(stream, source).name
    except TopicError as error:
        word = source.rpartition(".")[0]
        hint = error.hint.replace(word, name.partition(".")[0])
        raise TopicError(stream, name, error.problem, hint) from None
