"""The local ZeroMQ bus of bybitd: topics, messages, publisher, subscriber, server, client.

Knows nothing of the exchange. The wire is specified in `ipc/PROTOCOL.md`. Clients need no more
than the names below; those for asyncio are in `bybitbus.aio`.
"""

from bybitbus.book import Book
from bybitbus.client import Client
from bybitbus.codes import PROTOCOL_VERSION, Code, Origin, Outcome
from bybitbus.errors import BusError, NoAnswer, Refused, RequestError
from bybitbus.events import Event
from bybitbus.follower import Follower
from bybitbus.sequence import Verdict
from bybitbus.subscriber import Subscriber

__all__ = [
    "PROTOCOL_VERSION",
    "Book",
    "BusError",
    "Client",
    "Code",
    "Event",
    "Follower",
    "NoAnswer",
    "Origin",
    "Outcome",
    "Refused",
    "RequestError",
    "Subscriber",
    "Verdict",
]
