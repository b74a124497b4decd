"""The simulator as a process of the daemon: the exchange in a thread, its frame in the loop."""

from __future__ import annotations

import logging
import secrets
import sqlite3
from pathlib import Path

from bybitd.errors import ConfigError, StartError
from bybitd.runtime import exchange as contact
from bybitd.runtime.program import Program
from bybitd.settings import Settings
from bybitd.simulator.exchange import ApiKey, ExchangeConfig
from bybitd.simulator.store import AccountStore
from bybitd.simulator.wire.auth import verifier
from bybitd.simulator.wire.limits import RateLimits
from bybitd.simulator.wire.running import RunningSimulator
from bybitd.simulator.wire.server import WireConfig

_FIRST_UID = 100_001
_WATCH_S = 0.5
log = logging.getLogger(__name__)


def main(program: Program) -> None:
    """Run the simulated exchange until told to stop.

    It keeps its port, its keys and its accounts over restarts: the port and keys by what it left
    in the run folder, the accounts (resting orders, positions, balances) in the state folder.
    """
    keys = _keys(program)
    settings = program.settings.simulator
    config = ExchangeConfig(
        seed=settings.seed,
        rate_per_s=settings.rate_per_s,
        symbols={str(name): count for name, count in settings.symbols.items()} or None,
        api_keys=keys,
    )
    file = program.state_dir / "simulator.db"
    try:
        store = AccountStore(str(file))
        simulator = _start(program, config, store)
    except (ValueError, sqlite3.DatabaseError) as error:
        raise StartError(f"{file}: {error}; remove it to start with new accounts") from None
    authority = str(simulator.authority) if simulator.authority else ""
    endpoint = contact.SimulatorEndpoint(
        netloc=f"127.0.0.1:{simulator.port}",
        authority=authority,
        trade_socket=settings.trade_socket,
    )
    contact.leave(contact.endpoint_path(program.run_dir), endpoint, 0o640)
    log.info("= exchange at %s", simulator.rest_url)
    program.details = lambda: {"rest_url": simulator.rest_url, "ws_url": simulator.ws_url}

    def watch() -> None:
        if simulator.broken is not None:
            # A market that stands still looks alive: end, and be restarted with the accounts kept.
            raise StartError("the simulated exchange broke; see the log") from simulator.broken

    program.loop.call_every(_WATCH_S, watch)
    program.set_state("ready")
    program.run(closing=[simulator.close, store.close])


def _start(program: Program, config: ExchangeConfig, store: AccountStore) -> RunningSimulator:
    settings = program.settings.simulator
    last = contact.read_endpoint(program.run_dir)
    wanted = settings.port or (int(last.netloc.rpartition(":")[2]) if last else 0)
    limits = RateLimits(enabled=settings.rate_limits)
    tls_dir = _tls_dir(program.run_dir) if settings.tls else None
    # Those who are connected look for the old port first; if somebody else took it meanwhile,
    # the endpoint file tells them the new one.
    for port in dict.fromkeys((wanted, 0)):
        try:
            wire = WireConfig(
                port=port, tls_dir=tls_dir, limits=limits, trade_socket=settings.trade_socket
            )
            return RunningSimulator(config, wire, store)
        except OSError as error:
            if port == 0 or settings.port:
                raise StartError(
                    f"the simulator can not listen on 127.0.0.1:{port}: {error.strerror}; "
                    "set simulator.port to a free one, or to 0 for any"
                ) from None
    raise AssertionError("one of the ports was tried")


def _keys(program: Program) -> tuple[ApiKey, ...]:
    """Return the key of each account: made here and left in the run folder, or the account's own
    where its public half was registered.
    """
    settings = program.settings
    uids = {account: _FIRST_UID + number for number, account in enumerate(settings.accounts)}
    known = {key.account: key for key in contact.read_keys(program.run_dir)}
    made = tuple(
        known.get(account)
        or contact.SimulatorKey(
            account=account,
            uid=uid,
            api_key="sim" + secrets.token_hex(8),
            api_secret=secrets.token_hex(18),
        )
        for account, uid in uids.items()
        if account not in settings.simulator.public_keys
    )
    contact.leave(contact.keys_path(program.run_dir), made, 0o600)
    own = tuple(
        _registered(settings, account, uids.get(account))
        for account in settings.simulator.public_keys
    )
    return own + tuple(ApiKey(key=key.api_key, secret=key.api_secret, uid=key.uid) for key in made)


def _registered(settings: Settings, account: str, uid: int | None) -> ApiKey:
    where = f"simulator.public_keys.{account}"
    entry = settings.accounts.get(account)
    if entry is None or uid is None:
        raise ConfigError("there is no such account", where=where)
    if not entry.api_key:
        raise ConfigError("the account names no api_key", where=where)
    path = Path(settings.simulator.public_keys[account]).expanduser().absolute()
    try:
        pem = path.read_text(encoding="ascii")
        verifier(pem)
    except OSError as error:
        raise ConfigError(f"{path} can not be read: {error.strerror}", where=where) from None
    except ValueError as error:
        raise ConfigError(f"{path} is no RSA public key in PEM: {error}", where=where) from None
    return ApiKey(key=entry.api_key, secret=pem, uid=uid)


def _tls_dir(run_dir: Path) -> Path:
    folder = run_dir / "simulator.tls"
    folder.mkdir(mode=0o750, exist_ok=True)
    return folder
