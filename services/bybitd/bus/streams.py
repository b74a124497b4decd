"""Which streams the programs of this configuration serve, and what to say of the others.

Pure. The names within a stream are the business of the program that serves it
(`ipc/PROTOCOL.md`, "Topics").
"""

from __future__ import annotations

from typing import NamedTuple

from bybitbus.topics import Topic
from bybitd.nearest import nearest
from bybitd.settings import CATEGORIES, Settings


class Refusal(NamedTuple):
    """Why a topic can not exist here, and what to do."""

    problem: str
    hint: str


class Streams:
    """The streams of one configuration. `gateway` is served by every program."""

    def __init__(self, settings: Settings) -> None:
        self._disabled = {name for name in CATEGORIES if not settings.feeds.of(name).enabled}
        self._accounts = set(settings.accounts)
        self.served = sorted(
            {name for name in CATEGORIES if name not in self._disabled}
            | {f"private.{account}" for account in self._accounts}
            | ({"system"} if settings.system_program() else set())
            | {"gateway"}
        )

    def refuse(self, topic: Topic) -> Refusal | None:
        """Return why no program serves the stream of `topic`, or None when one does."""
        stream = topic.stream
        if stream in self.served:
            return None
        if stream in self._disabled:
            return Refusal(
                f"the {stream} feed is switched off", f"set feeds.{stream}.enabled: true"
            )
        if stream == "system":
            return Refusal(
                "every feed is switched off, and one of them would carry it",
                "set feeds.<category>.enabled: true",
            )
        if stream.startswith("private."):
            account = stream.removeprefix("private.")
            return Refusal(
                f"account {account!r} is not configured",
                f"configured: {', '.join(sorted(self._accounts)) or 'none'}",
            )
        near = nearest(stream, self.served)
        return Refusal(
            f"there is no stream {stream!r}",
            f"did you mean {near!r}?" if near else f"served here: {', '.join(self.served)}",
        )

    def refuse_prefix(self, prefix: str, problem: str) -> Refusal | None:
        """Return why a subscription that is no topic can match nothing, or None when it is the
        beginning of a stream that is served ("", "linear.", "private.").
        """
        if any(f"{stream}.".startswith(prefix) for stream in self.served):
            return None
        return Refusal(problem, "a topic is <stream>.<name>. with a closing dot")
