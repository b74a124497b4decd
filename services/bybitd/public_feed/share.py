"""What of a category this program carries: all of it, or one of several shards. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bybitd.settings import Feeds, feed_of, feed_program
from bybitd.venue.shards import shard_of_topic


@dataclass(frozen=True, slots=True)
class Share:
    """The `number`th of `shards` programs, from 1.

    `category` may also be the stream `system`, which is carried whole.
    """

    category: str
    number: int = 1
    shards: int = 1

    def owns(self, name: str) -> bool:
        """Tell whether a topic of the category (without stream and closing dot) is ours."""
        return self.shards == 1 or shard_of_topic(self.category, name, self.shards) == self.number

    def program_of(self, name: str) -> str:
        """Return the name of the program that carries a topic."""
        return feed_program(self.category, shard_of_topic(self.category, name, self.shards))


def share_of(program: str, feeds: Feeds) -> Share:
    """Return what a program of this name carries.

    Raises:
        ValueError: it carries no public data.
    """
    found = feed_of(program)
    if found is None:
        raise ValueError(f"{program} carries no public data")
    category, number = found
    return Share(category, number, feeds.of(category).shards)
