"""Answer a subscription to a topic with state by sending that state again, once for several.

`ipc/PROTOCOL.md`, "Snapshots".
"""

from __future__ import annotations

from collections.abc import Callable

from bybitd.runtime.loop import Loop

GATHER_S = 0.05  # joiners within this share one snapshot


class LateJoiners:
    """Collects who joined which topic and calls `resend(topic)` once per topic and window.

    The first joiner of a window is answered at once; those who come within the window after it
    share the snapshot at its end.
    """

    def __init__(self, loop: Loop, resend: Callable[[str], None]) -> None:
        self._loop = loop
        self._resend = resend
        self._windows: dict[str, bool] = {}  # topic -> somebody joined since the last snapshot

    def joined(self, topic: str) -> None:
        """Note a new subscriber of `topic`."""
        if topic in self._windows:
            self._windows[topic] = True
            return
        self._windows[topic] = False
        self._resend(topic)
        self._loop.call_later(GATHER_S, lambda: self._close(topic))

    def _close(self, topic: str) -> None:
        if self._windows.pop(topic):
            self.joined(topic)
