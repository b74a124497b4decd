"""`Client`, `Subscriber` and `Follower` for asyncio, with the same surface as the blocking ones.

Many tasks may use one `Client` at once; a `Subscriber` or `Follower` is for one task. Close them
(`async with`, or `close()`) in the loop that they were used in.
"""

from bybitbus.aio.client import Client
from bybitbus.aio.follower import Follower
from bybitbus.aio.subscriber import Subscriber

__all__ = ["Client", "Follower", "Subscriber"]
