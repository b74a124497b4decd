"""The two clocks of the simulated exchange."""

import time


class ServerClock:
    """Tell the time: `engine_ms` drives the markets, `shown_ms` is what clients are told.

    They differ by `skew_ms`, so that a test can set the exchange's clock wrong without sending
    the matching engine back in time.
    """

    __slots__ = ("skew_ms",)

    def __init__(self) -> None:
        self.skew_ms = 0

    def engine_ms(self) -> int:
        """Tell the true time, ms since the Unix epoch."""
        return time.time_ns() // 1_000_000

    def shown_ms(self) -> int:
        """Tell the time that signatures and windows are judged by, ms since the Unix epoch."""
        return time.time_ns() // 1_000_000 + self.skew_ms
