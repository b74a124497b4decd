"""The topics that the configuration wants always on. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from bybitd.errors import ConfigError
from bybitd.public_feed.offered import offered
from bybitd.public_feed.share import Share
from bybitd.venue.errors import TopicError


def always_on(share: Share, written: Iterable[str]) -> tuple[str, ...]:
    """Return the names of `feeds.<category>.topics` that are in this share, each once. They may be
    written as the exchange spells them (`tickers.BTCUSDT`) or as the bus does
    (`linear.tickers.BTCUSDT.`).

    Raises:
        ConfigError: one of them, whoever's it is, can not exist; says which, why, and what would
            be right.
    """
    category = share.category
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
    return tuple(filter(share.owns, names))
