"""Take the requests of all clients: answer those about the bus, hand the others on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, Final

from bybitbus import codec
from bybitbus.codes import PROTOCOL_VERSION
from bybitbus.endpoints import requests_address
from bybitbus.messages import ErrorBody, Request
from bybitbus.ops import OPS, Route
from bybitbus.server import Call
from bybitd.bus.door import Door
from bybitd.bus.gathering import Part
from bybitd.bus.kills import KILL, UNKILL, Kills
from bybitd.bus.reloads import Reloads
from bybitd.bus.roster import Roster
from bybitd.bus.router import Router, Unanswered
from bybitd.runtime import reload
from bybitd.runtime.arguments import unknown
from bybitd.runtime.program import Program
from bybitd.settings import CATEGORIES

EXPIRE_PERIOD_S = 0.1
log = logging.getLogger(__name__)


class Desk:
    """Serves every op of the protocol on the program's request socket."""

    def __init__(self, program: Program, roster: Roster) -> None:
        self._program = program
        self._roster = roster
        settings = program.settings
        self._router: Router[Call | Part] = Router(settings.programs(), settings.accounts)
        self._doors = {name: self._door(name) for name in settings.programs() if name != "bus"}
        reloads = Reloads(program.reload, list(self._doors), program.run_dir, self._ask)
        kills = Kills(list(settings.accounts), program.state_dir, self._ask)
        self._own: dict[str, Callable[[Call], None]] = {
            KILL: kills.serve,
            UNKILL: kills.serve,
            reload.OP: reloads.serve,
            "gateway.hello": self._hello,
            "gateway.ping": lambda call: call.succeed({"program": "bus"}),
            "gateway.status": self._status,
            "gateway.subscriptions": lambda call: call.succeed({"topics": sorted(program.topics)}),
        }
        program.handle(dict.fromkeys(OPS, self.serve))
        program.loop.call_every(EXPIRE_PERIOD_S, self._expire)

    def details(self) -> Mapping[str, Any]:
        """Return what the status of the bus says beside what every status says: the requests that
        wait, the replies that came too late to be passed on, the state of the others.
        """
        states = self._roster.states(time.monotonic())
        del states["bus"]
        return {"pending": self._router.pending, "late": self._router.late, "programs": states}

    def serve(self, call: Call) -> None:
        """Answer one request here or hand it to its program."""
        target = self._router.route(call.request)
        if isinstance(target, ErrorBody):
            call.fail(target)
            return
        if (refusal := _unknown_field(call)) is not None:
            call.fail(refusal)
            return
        if target == "bus":
            self._own[call.request.op](call)
            return
        self._hand_on(call, call.request, target, call.body)

    def close(self) -> None:
        """Release the connections to the programs."""
        for door in self._doors.values():
            door.close()

    def _ask(self, program: str, request: Request, part: Part) -> None:
        self._hand_on(part, request, program, codec.encode(request))

    def _hand_on(self, waiter: Call | Part, request: Request, program: str, body: bytes) -> None:
        key = self._router.admit(waiter, request, program, time.time_ns() // 1_000_000)
        if isinstance(key, ErrorBody):
            waiter.fail(key)
        elif not self._doors[program].send(key, body):
            waiter.fail(self._router.withdraw(key))

    def _door(self, name: str) -> Door:
        program = self._program
        address = requests_address(program.run_dir, name)
        return Door(program.context, program.loop, address, self._replied, lambda: self._lost(name))

    def _replied(self, key: int, body: bytes) -> None:
        if (call := self._router.answered(key)) is not None:
            call.relay(body)

    def _lost(self, name: str) -> None:
        self._roster.gone(name, time.monotonic())
        unanswered = self._router.lost(name)
        log.warning("= %s has gone; %d requests were waiting for it", name, len(unanswered))
        self._give_up(unanswered)

    def _expire(self) -> None:
        self._give_up(self._router.expire(time.time_ns() // 1_000_000))

    def _give_up(self, unanswered: list[Unanswered[Call | Part]]) -> None:
        for call, error in unanswered:
            log.warning("> %s %s: %s", call.request.op, call.request.id, error.message)
            call.fail(error)

    def _hello(self, call: Call) -> None:
        settings = self._program.settings
        call.succeed(
            {
                "protocol": PROTOCOL_VERSION,
                "version": version("bybitd"),
                "instance": str(self._program.run_dir),
                "epoch": self._program.publisher.epoch,
                "environment": settings.environment,
                "programs": self._states(),
                "accounts": sorted(settings.accounts),
                "categories": [name for name in CATEGORIES if settings.feeds.of(name).enabled],
            }
        )

    def _states(self) -> dict[str, str]:
        return {name: entry["state"] for name, entry in self._programs().items()}

    def _status(self, call: Call) -> None:
        if call.request.args.get("program") == "bus":
            call.succeed(self._program.status())
            return
        programs = self._programs()
        ready = all(entry["state"] == "ready" for entry in programs.values())
        call.succeed({"ready": ready, "programs": programs})

    def _programs(self) -> dict[str, dict[str, Any]]:
        programs = self._roster.view(time.monotonic())
        programs["bus"] = self._program.status()
        return programs


_NAMES: Final = {Route.BUS: (), Route.ANY: ("program",)}


def _unknown_field(call: Call) -> ErrorBody | None:
    # The fields of the other ops are known to the programs that serve them.
    op = call.request.op
    names = _NAMES.get(OPS[op].route)
    return None if names is None else unknown(op, call.request.args, names)
