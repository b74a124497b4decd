"""private-stream-<account>: composes the private socket, the kept state and REST, and runs."""

from __future__ import annotations

import time
from typing import Any, Final

from bybitbus import topics
from bybitd.nearest import nearest
from bybitd.net.rest import RestWorker
from bybitd.private_stream.account import Account, describe
from bybitd.private_stream.account_ops import AccountOps
from bybitd.private_stream.dcp import Dcp
from bybitd.private_stream.fills import Fills
from bybitd.private_stream.private_socket import PrivateSocket
from bybitd.runtime.account_access import AccountAccess
from bybitd.runtime.late_joiners import LateJoiners
from bybitd.runtime.placed_here import PlacedHere, journal_path
from bybitd.runtime.program import Program

PREFIX: Final = "private-stream-"
_TICK_S: Final = 0.25
_DCP_S: Final = 0.5


def main(program: Program) -> None:
    """Keep one account until told to stop."""
    name = program.name.removeprefix(PREFIX)
    loop = program.loop
    access = AccountAccess(program.settings, name, program.run_dir, loop, program.ip_gate)
    worker = RestWorker(loop.call_soon_threadsafe, threads=1)
    questions = RestWorker(loop.call_soon_threadsafe, threads=2)
    fills = Fills(program.state_dir / f"{name}.private.db")
    placed = PlacedHere(journal_path(program.state_dir, name))
    account = Account(program, name, access, worker, fills, placed)

    def compared() -> int:
        return account.compared if account.ready else 0

    def refused() -> dict[str, str]:
        return socket.refused

    dcp_s = program.settings.accounts[name].dcp_s
    dcp = Dcp(dcp_s, questions, lambda: access.client, compared, refused)
    wanted = tuple(dict.fromkeys((*account.topics, *dcp.topics)))
    where = access.locate("private")
    socket = PrivateSocket(loop, where, access.login, wanted, account, dcp.ping_every_ms)
    joiners = LateJoiners(loop, account.snapshot)

    def joined(topic: topics.Topic, written: str) -> None:
        if topic.stream != account.stream:
            return
        if topic.name in account.topics:
            joiners.joined(str(topic))
            return
        near = nearest(topic.name, account.topics)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(account.topics)}"
        program.reject_topic(written, "no topic of this account's stream", hint)

    def details() -> dict[str, Any]:
        return {
            "connections": [socket.connection.describe()],
            "clock": access.describe(),
            "key": access.describe_key(),
            "refused_topics": socket.refused,
            **describe(account),
            **dcp.describe(),
        }

    def count() -> None:
        program.counters.update(
            bad_frames=socket.bad_frames,
            fills=len(fills),
            repeated_fills=account.repeated_fills,
            vanished_orders=account.vanished,
        )

    program.handle(AccountOps(account, access, questions).handlers())
    program.on_subscription(joined)
    program.details = details
    loop.call_every(_TICK_S, socket.tick)
    loop.call_every(1.0, count)
    loop.call_every(_DCP_S, lambda: dcp.tick(time.monotonic()))
    access.start()
    socket.start()
    closing = [socket.close, worker.close, questions.close, access.close]
    program.run(closing=[*closing, fills.close, placed.close])
