"""Which of several programs carries a topic, where a category is split among them by symbol.

The feed that publishes and the bus that routes must come to the same answer, in every run: it
follows from the name of the topic alone. A derived topic goes with the topic of the exchange that
it is made of, so that all topics of a symbol, and whatever is made of them, have one publisher.
Source: `ipc/PROTOCOL.md`, "Shards".
"""

from __future__ import annotations

from zlib import crc32

from bybitd.venue.topics import POOLS, Kind, pool_group


def shard_of_topic(category: str, name: str, shards: int) -> int:
    """Return the number, from 1, of the program that carries a topic.

    `name` is without stream and closing dot. Every name has a number, also one of no topic, so that
    exactly one program has to say what is wrong with it.
    """
    return shard_of(_subject(category, name), shards)


def shard_of(subject: str, shards: int) -> int:
    """Return the number, from 1, of the program that carries a symbol, the trades of a base coin of
    `option`, or a pool group.
    """
    return 1 if shards == 1 else 1 + crc32(subject.encode()) % shards


def _subject(category: str, name: str) -> str:
    word, _, rest = name.partition(".")
    # No symbol has a dot in it; a depth or interval stands before the symbol.
    subject = rest.rpartition(".")[2]
    groups = POOLS.get(category)
    if word == Kind.INSURANCE and groups and subject and subject not in groups:
        return pool_group(category, subject)
    return subject
