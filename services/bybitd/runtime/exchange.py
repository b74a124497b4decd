"""Where the exchange of this daemon is: fixed hosts, or what the simulator left in the run folder.

The simulator chooses its port and makes its own test keys, so it leaves both in files beside the
sockets: `simulator.endpoint` for everybody, `simulator.keys` (mode 0600) for those who trade.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from bybitd.settings import Settings
from bybitd.venue.hosts import Hosts, SimAddress, hosts


class SimulatorEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where the simulator listens; `authority` is the certificate to trust, "" without TLS.

    Without `trade_socket` orders go over REST only, as in demo trading.
    """

    netloc: str
    authority: str = ""
    trade_socket: bool = True


class SimulatorKey(msgspec.Struct, frozen=True, kw_only=True):
    """A test key of the simulator, good nowhere else."""

    account: str
    uid: int
    api_key: str
    api_secret: str

    def __repr__(self) -> str:
        return f"SimulatorKey(account={self.account!r}, uid={self.uid})"


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """The hosts, and the certificate authority to trust ("" for the system's own)."""

    hosts: Hosts
    authority: str = ""


def endpoint_path(run_dir: Path) -> Path:
    """Return the file that says where the simulator listens."""
    return run_dir / "simulator.endpoint"


def keys_path(run_dir: Path) -> Path:
    """Return the file that holds the simulator's test keys."""
    return run_dir / "simulator.keys"


def endpoints(settings: Settings, run_dir: Path) -> Endpoints | None:
    """Return where to connect now; None while the simulator has not said where it is.

    Raises:
        HostError: the environment has no such region.
    """
    if settings.environment != "sim":
        return Endpoints(hosts=hosts(settings.environment, settings.region))
    found = read_endpoint(run_dir)
    if found is None:
        return None
    address = SimAddress(
        netloc=found.netloc, tls=bool(found.authority), trade_socket=found.trade_socket
    )
    return Endpoints(hosts=hosts("sim", sim=address), authority=found.authority)


def read_endpoint(run_dir: Path) -> SimulatorEndpoint | None:
    """Return what the simulator wrote, None if it has not (or not a whole file)."""
    try:
        return msgspec.json.decode(endpoint_path(run_dir).read_bytes(), type=SimulatorEndpoint)
    except (OSError, msgspec.DecodeError):
        return None


def read_keys(run_dir: Path) -> tuple[SimulatorKey, ...]:
    """Return the simulator's test keys, none if it has not made them yet."""
    try:
        text = keys_path(run_dir).read_bytes()
        return msgspec.json.decode(text, type=tuple[SimulatorKey, ...])
    except (OSError, msgspec.DecodeError):
        return ()


def leave(path: Path, message: object, mode: int) -> None:
    """Write a small JSON file so that a reader sees the old one or the new one, never a half."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(msgspec.json.encode(message))
    draft.replace(path)
