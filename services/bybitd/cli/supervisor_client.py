"""Talk to the supervisor of one run folder over its control socket."""

from __future__ import annotations

import xmlrpc.client
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

from supervisor.xmlrpc import SupervisorTransport

from bybitd.cli.unreachable import Unreachable
from bybitd.errors import StartError


class Process(NamedTuple):
    """One program as the supervisor sees it. `exit_code` counts only where it is not running."""

    program: str
    state: str
    pid: int
    exit_code: int


class SupervisorClient:
    """Calls the supervisor. Each call raises `Unreachable` when there is none."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        transport = SupervisorTransport(None, None, f"unix://{run_dir}/supervisor.sock")
        self._server = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)

    def processes(self) -> list[Process]:
        """Return all programs, by name."""
        found = self._call("getAllProcessInfo")
        return [
            Process(info["name"], info["statename"], info["pid"], info["exitstatus"])
            for info in found
        ]

    def restart(self, program: str) -> None:
        """Stop a program, wait for its end, start it again.

        Raises:
            StartError: the supervisor can not.
        """
        running = {process.program: process.state for process in self.processes()}
        if running.get(program) in ("RUNNING", "STARTING"):
            self._call("stopProcess", program, True)
        self._call("startProcess", program, True)

    def shutdown(self) -> None:
        """Ask the supervisor to stop all programs and end. Returns at once."""
        self._call("shutdown")

    def _call(self, method: str, *arguments: object) -> Any:
        try:
            return getattr(self._server.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            raise StartError(f"the supervisor refused {method}: {fault.faultString}") from None
        except (OSError, HTTPException, xmlrpc.client.ProtocolError):
            raise Unreachable(self._run_dir) from None
