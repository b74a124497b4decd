"""`gateway.reload` at the front door (`ipc/PROTOCOL.md`, "Reload").

Two rounds: every program says whether it could be started with the file, and only then all of them
take over what can change while they run. Both rounds name the content by its hash.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from bybitbus.codes import Code
from bybitbus.messages import ErrorBody, Request
from bybitbus.server import Call
from bybitd.bus.gathering import Answer, Gathering, Part
from bybitd.errors import ConfigError
from bybitd.runtime import exchange
from bybitd.runtime.arguments import wrong
from bybitd.runtime.config_file import ConfigFile
from bybitd.runtime.reload import OP, Reload, bad_config
from bybitd.settings import Settings
from bybitd.venue.errors import HostError

# For each round: a program that hangs shall not keep a person waiting.
_PATIENCE_MS: Final = 3000
Send = Callable[[str, Request, Part], None]


class Reloads:
    """Has the bus itself (`own`) and all `others` read their configuration again.

    `send(program, request, part)` asks one of them.
    """

    def __init__(self, own: Reload, others: list[str], run_dir: Path, send: Send) -> None:
        self._own = own
        self._others = others
        self._send = send

        def check(settings: Settings) -> None:
            try:
                exchange.endpoints(settings, run_dir)
            except HostError as error:
                raise ConfigError(str(error), where="region") from None

        own.on_change(lambda _settings: None, check)

    def serve(self, call: Call) -> None:
        """Check the file with all programs, then have them take it over."""
        if (refusal := wrong(OP, call.request.args, {})) is not None:
            call.fail(refusal)
            return
        try:
            found = self._own.read()
            self._own.check(found)
        except ConfigError as error:
            call.fail(bad_config(error))
            return

        def checked(answers: dict[str, Answer]) -> None:
            for program, answer in answers.items():
                if isinstance(answer, ErrorBody) and answer.code == Code.BAD_CONFIG:
                    call.fail(
                        msgspec.structs.replace(answer, message=f"{program}: {answer.message}")
                    )
                    return
            ask_all({"sha256": found.sha256}, taken)

        def taken(answers: dict[str, Answer]) -> None:
            own = {"bus": self._own.take(found)}
            call.succeed(_report(found, {**own, **answers}))

        def ask_all(args: dict[str, Any], done: Callable[[dict[str, Answer]], None]) -> None:
            due_ms = time.time_ns() // 1_000_000 + _PATIENCE_MS
            request = Request(id=call.request.id, op=OP, args=args, deadline_ms=due_ms)
            gathering = Gathering(self._others, done)
            for program in self._others:
                self._send(program, request, gathering.part(program, request))

        ask_all({"sha256": found.sha256, "check": True}, checked)


def _report(found: ConfigFile, answers: dict[str, Answer]) -> dict[str, Any]:
    applied: defaultdict[str, list[str]] = defaultdict(list)
    restart: defaultdict[str, list[str]] = defaultdict(list)
    missing: dict[str, dict[str, str]] = {}
    for program, answer in answers.items():
        if isinstance(answer, ErrorBody):
            missing[program] = {"code": str(answer.code), "message": answer.message}
            continue
        for key in answer["applied"]:
            applied[key].append(program)
        for key in answer["restart"]:
            restart[key].append(program)
    return {
        "file": str(found.path),
        "sha256": found.sha256,
        "applied": dict(sorted(applied.items())),
        "restart": dict(sorted(restart.items())),
        "missing": missing,
    }
