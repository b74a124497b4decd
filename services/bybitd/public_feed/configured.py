"""The topics that the configuration wants always on. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from bybitd.errors import ConfigError
from bybitd.public_feed.offered import offered
from bybitd.venue.errors import TopicError


def always_on(category: str, written: Iterable[str]) -> tuple[str, ...]:
    """Return the names of `feeds.<category>.topics`, each once. They may be written as the
    exchange spells them (`tickers.BTCUSDT`) or as the bus does (`linear.tickers.BTCUSDT.`).

    Raises:
        ConfigError: one of them can not exist; says which, why, and what would be right.
    """
    names: dict[str, None] = {}
    for number, topic in enumerate(written):
        bare = topic.removesuffix(".").removeprefix(f"{category}.")
        try:
            names[offered(category, bare).name] = None
        except TopicError as error:
            raise ConfigError(
                f"{topic!r} is no topic of {category}: {error.problem}",
                where=f"feeds.{category}.topics[{number}]",
                hint=error.hint,
            ) from None
    return tuple(names)
