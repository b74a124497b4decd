"""The kill switch of one account: whether it may trade (`ipc/PROTOCOL.md`, "Kill switch")."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from bybitbus.codes import Code
from bybitbus.messages import ErrorBody, gateway_error
from bybitd.order_execution.gates import Ask
from bybitd.runtime import kill_file
from bybitd.runtime.kill_file import Killed

# What can only take risk away stays possible, and so does asking.
_ALLOWED: Final = frozenset(
    {"order.cancel", "order.cancel-batch", "order.cancel-all", "order.pre-check"}
)


class KillSwitch:
    """A gate that nothing passes while the account's kill file is there.

    Raises:
        StartError: whether it is there can not be found out.
    """

    def __init__(self, state_dir: Path, account: str) -> None:
        self._state_dir = state_dir
        self._account = account
        self.killed = kill_file.read(state_dir, account)

    def kill(self, reason: str, by: str) -> Killed:
        """Stop the account, now and over restarts. Stopping it again changes nothing.

        Raises:
            OSError: the file could not be written; the account is stopped until the program ends.
        """
        if self.killed is None:
            self.killed = Killed(reason=reason, by=by, at_ns=time.time_ns())
        self.killed = kill_file.write(self._state_dir, self._account, self.killed)
        return self.killed

    def unkill(self) -> None:
        """Let the account trade again.

        Raises:
            OSError: the file could not be taken away; the account stays stopped.
        """
        kill_file.remove(self._state_dir, self._account)
        self.killed = None

    def look(self) -> bool:
        """Look whether somebody else has stopped the account; True if that is news.

        A file that is taken away by hand changes nothing while the program runs.
        """
        if self.killed is not None:
            return False
        self.killed = kill_file.read(self._state_dir, self._account)
        return self.killed is not None

    def stops(self, op: str) -> bool:
        """Tell whether an operation may not leave now. Any thread may ask."""
        return self.killed is not None and op not in _ALLOWED

    def refusal(self, ask: Ask) -> ErrorBody | None:
        """Return why a request may not pass: everything but cancelling, while killed."""
        killed = self.killed
        if killed is None or not self.stops(ask.op):
            return None
        by = f" by {killed.by}" if killed.by else ""
        return gateway_error(
            Code.KILLED,
            f"{ask.op}: the account was stopped{by}: {killed.reason}; nothing was sent",
            hint="it trades again after gateway.unkill",
        )
