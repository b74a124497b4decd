"""supervisord with a quicker beat: `python -m bybitd.cli.supervise` instead of its own command.

supervisord notices a death at once but starts the program again only on its next turn, and a turn
lasts up to a second where nothing is logged. That second is most of the time for which a killed
program is missing. Here a turn lasts a tenth of it; everything else is supervisor's own.
"""

from __future__ import annotations

from typing import Any

from supervisor import supervisord
from supervisor.options import ServerOptions

from bybitd.runtime.process import keep_secrets

TURN_S = 0.1


class QuickOptions(ServerOptions):  # type: ignore[misc]  # supervisor has no types
    """supervisor's options, whose poller waits no longer than a turn."""

    def __init__(self) -> None:
        super().__init__()
        poll = self.poller.poll
        self.poller.poll = lambda timeout: poll(min(timeout, TURN_S))


def main(arguments: list[str] | None = None) -> Any:
    """Be supervisord, with its arguments."""
    keep_secrets()  # its environment may hold keys, which its children inherit
    supervisord.ServerOptions = QuickOptions
    return supervisord.main(arguments)


if __name__ == "__main__":
    main()
