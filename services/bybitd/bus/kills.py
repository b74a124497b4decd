"""`gateway.kill` and `gateway.unkill` at the front door (`ipc/PROTOCOL.md`, "Kill switch").

A kill is written down here before any program is asked: one that is down, or hangs, is stopped too.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bybitbus.codes import Code
from bybitbus.messages import ErrorBody, Request, gateway_error
from bybitbus.server import Call
from bybitd.bus.gathering import Answer, Gathering, Part
from bybitd.errors import StartError
from bybitd.runtime import kill_file
from bybitd.runtime.arguments import Argument, wrong
from bybitd.runtime.kill_file import Killed

KILL, UNKILL = "gateway.kill", "gateway.unkill"
_FIELDS: Final = {
    KILL: {"account": Argument(str), "reason": Argument(str)},
    UNKILL: {"account": Argument(str, required=True)},
}
Send = Callable[[str, Request, Part], None]
log = logging.getLogger(__name__)


class Kills:
    """Hands kills on to the programs of `accounts`. `send(program, request, part)` asks one."""

    def __init__(self, accounts: list[str], state_dir: Path, send: Send) -> None:
        self._accounts = accounts
        self._state_dir = state_dir
        self._send = send

    def serve(self, call: Call) -> None:
        """Take one request to as many accounts as it means: a kill without a name means all."""
        request = call.request
        error = wrong(request.op, request.args, _FIELDS[request.op])
        named = request.args.get("account")
        if error is None and named is not None and named not in self._accounts:
            error = gateway_error(
                Code.UNKNOWN_ACCOUNT,
                f"account {named!r} is not configured; nothing was done",
                hint=f"configured: {', '.join(sorted(self._accounts)) or 'none'}",
            )
        if error is not None:
            call.fail(error)
            return
        accounts = self._accounts if named is None else [str(named)]
        failed = self._write_down(request, accounts) if request.op == KILL else {}
        gathering = Gathering(accounts, lambda answers: _reply(call, answers, failed))
        deadline_ms = request.deadline_at_ms(call.received_ns // 1_000_000)
        for account in accounts:
            args = {**request.args, "account": account}
            asked = Request(
                id=request.id,
                op=request.op,
                args=args,
                account=account,
                client=request.client,
                deadline_ms=deadline_ms,
            )
            self._send(f"order-execution-{account}", asked, gathering.part(account, asked))

    def _write_down(self, request: Request, accounts: list[str]) -> dict[str, str]:
        """Stop the accounts for good; return which could not be, and why."""
        failed: dict[str, str] = {}
        reason = request.args.get("reason") or Killed().reason
        killed = Killed(reason=reason, by=request.client, at_ns=time.time_ns())
        for account in accounts:
            try:
                kill_file.write(self._state_dir, account, killed)
            except (OSError, StartError) as error:
                log.error("= the kill of %s could not be written down: %s", account, error)
                failed[account] = str(error)
        return failed


def _reply(call: Call, answers: dict[str, Answer], failed: dict[str, str]) -> None:
    reports: dict[str, Any] = {}
    for account, answer in answers.items():
        if not isinstance(answer, ErrorBody):
            reports[account] = answer
        elif call.request.op == UNKILL or account in failed:
            call.fail(_not_done(call.request.op, account, answer, failed.get(account, "")))
            return
        else:
            problem = f"{answer.message}; it cancels as soon as it is back"
            reports[account] = {
                "account": account,
                "killed": True,
                "complete": False,
                "open": None,
                "problem": problem,
                "cancelled": [],
            }
    call.succeed({"accounts": reports})


def _not_done(op: str, account: str, answer: ErrorBody, why: str) -> ErrorBody:
    told = f"{answer.message}; {why}" if why else answer.message
    return gateway_error(Code.UNAVAILABLE, f"{op}: account {account}: {told}", retry_safe=True)
