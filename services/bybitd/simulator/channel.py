"""What every open public topic is to the exchange: a thing that has messages now and then."""

from abc import ABC, abstractmethod
from typing import Any

from bybitd.simulator.market import Market

Envelope = dict[str, Any]
NEVER = float("inf")


class Channel(ABC):
    """One open public topic. It costs something only while it is open."""

    def __init__(self, category: str, topic: str, markets: tuple[Market, ...]) -> None:
        self.category = category
        self.topic = topic
        self.markets = markets

    @abstractmethod
    def initial(self, now_ms: int) -> Envelope | None:
        """Make the first message of a new subscriber, as of what the others have been sent."""

    @abstractmethod
    def poll(self, now_ms: int) -> list[Envelope]:
        """Make the messages that are due now; the markets have been advanced."""

    @abstractmethod
    def due_ms(self) -> float:
        """Tell when `poll` is wanted if the markets do not change; the past means at once."""

    def close(self) -> None:
        """Let go of the markets."""
        return

    def option_id(self, seq: int, now_ms: int) -> Envelope:
        """Give the `id` member that option messages begin with, nothing in other categories."""
        return {"id": f"{self.topic}-{seq}-{now_ms}"} if self.category == "option" else {}
