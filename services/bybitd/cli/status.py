"""`status` and `version`: what runs, and how it is."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from bybitbus.client import Client
from bybitbus.codes import PROTOCOL_VERSION
from bybitd.cli import daemon, display, exits, place, readiness
from bybitd.cli.unreachable import Unreachable


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs of this family."""
    parser = verbs.add_parser("status", help="show every program; 0 only when all are ready")
    place.add_options(parser)
    parser.set_defaults(verb=status)
    parser = verbs.add_parser("version", help="show the versions")
    place.add_options(parser)
    parser.set_defaults(verb=version)


def status(options: argparse.Namespace) -> int:
    """Show the supervisor's and the bus's word on every program; 1 when one is not ready."""
    here = place.find(options)
    if not daemon.is_running(here.run_dir):
        raise Unreachable(here.run_dir)
    programs = joined(here.run_dir)
    ready = all(entry["state"] == "ready" for entry in programs.values())
    if options.json:
        display.print_json({"ready": ready, "run_dir": str(here.run_dir), "programs": programs})
    else:
        display.print_table([row(name, entry) for name, entry in programs.items()], HEADER)
    return exits.OK if ready else exits.FAILED


def joined(run_dir: Path) -> dict[str, dict[str, Any]]:
    """Return the status of every program: the bus's word on it, and the supervisor's in
    `supervisor`, which counts where the bus has none.

    Raises:
        Unreachable: there is no supervisor.
    """
    from bybitd.cli.supervisor_client import SupervisorClient

    with Client(run_dir, client="bybitd-cli") as client:
        known = readiness.statuses(client)
    programs: dict[str, dict[str, Any]] = {}
    order = list(known or {})  # of starting; the supervisor only knows the alphabet
    processes = SupervisorClient(run_dir).processes()
    processes.sort(key=lambda p: order.index(p.program) if p.program in order else len(order))
    for process in processes:
        entry = dict((known or {}).get(process.program, {}))
        if process.state != "RUNNING" or not entry:
            entry["state"], entry["reason"] = _without_bus(process.state, process.exit_code)
        entry["supervisor"] = process.state
        programs[process.program] = entry
    return programs


def _without_bus(state: str, exit_code: int) -> tuple[str, str]:
    if state == "RUNNING":
        return "unknown", "the bus does not answer"
    if state == "EXITED" and exit_code == exits.CONFIG:
        return "stopped", "its configuration is wrong; its log says how"
    return "down", f"supervisor says {state}"


HEADER = ("PROGRAM", "STATE", "PID", "UP", "MEMORY", "PUBLISHED", "REASON")


def row(name: str, entry: dict[str, Any]) -> tuple[object, ...]:
    """Return one line of the table."""
    import time

    started_ns = entry.get("started_ns")
    up = f"{int((time.time_ns() - started_ns) / 1e9)} s" if started_ns else ""
    memory = f"{entry['rss_bytes'] / 1e6:.0f} MB" if "rss_bytes" in entry else ""
    published = entry.get("counters", {}).get("published", "")
    return (
        name,
        entry["state"],
        entry.get("pid", ""),
        up,
        memory,
        published,
        entry.get("reason", ""),
    )


def version(options: argparse.Namespace) -> int:
    """Show the versions of the package, the wire, and what they stand on."""
    import zmq

    known = {
        "bybitd": installed_version("bybitd"),
        "protocol": PROTOCOL_VERSION,
        "python": platform.python_version(),
        "libzmq": zmq.zmq_version(),
    }
    if options.json:
        display.print_json(known)
    else:
        print(f"bybitd {known['bybitd']} (protocol {known['protocol']}, Python {known['python']}, "
              f"libzmq {known['libzmq']})")  # fmt: skip
    return exits.OK
