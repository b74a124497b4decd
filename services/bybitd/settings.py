"""The settings: one frozen tree, with every default. `settings_file` reads it.

Secrets are never in it by value: it names the files or variables that hold them.
"""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from bybitbus.endpoints import default_run_dir

Environment = Literal["sim", "testnet", "demo", "mainnet"]
Category = Literal["spot", "linear", "inverse", "option", "spread"]
_FEED_PREFIX = "public-feed-"
# Those with public data. Orders, positions and the like know the first four (`venue.enums`).
CATEGORIES: tuple[Category, ...] = ("spot", "linear", "inverse", "option", "spread")

Seconds = Annotated[float, msgspec.Meta(gt=0)]
Milliseconds = Annotated[int, msgspec.Meta(gt=0)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,23}\Z")]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping of the configuration file; an unknown key is an error."""


class Log(_Section, frozen=True):
    """What goes to the log."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Bus(_Section, frozen=True):
    """The front door."""

    high_water_mark: Annotated[int, msgspec.Meta(ge=1000, le=10_000_000)] = 50_000


class Feed(_Section, frozen=True):
    """One category of public data. `topics` are always on; the rest follows subscriptions.

    `shards` is the number of programs that share the category's symbols among them.
    """

    enabled: bool = True
    shards: Annotated[int, msgspec.Meta(ge=1, le=16)] = 1
    topics: tuple[str, ...] = ()


class Feeds(_Section, frozen=True):
    """The public side. `redundancy` is the number of connections that carry each topic."""

    linger_s: Seconds = 30.0
    book_interval_ms: Milliseconds = 100
    redundancy: Annotated[int, msgspec.Meta(ge=1, le=3)] = 1
    replay_bytes: Annotated[int, msgspec.Meta(ge=0)] = 33_554_432
    spot: Feed = Feed()
    linear: Feed = Feed()
    inverse: Feed = Feed()
    option: Feed = Feed()
    spread: Feed = Feed()

    def of(self, category: str) -> Feed:
        """Return the settings of one of CATEGORIES."""
        feed: Feed = getattr(self, category)
        return feed


class Rest(_Section, frozen=True):
    """REST calls to the exchange, of all programs together."""

    calls_per_5s: Annotated[int, msgspec.Meta(ge=20, le=600)] = 500


PrivateTopic = Literal[
    "execution.fast",
    "dcp.future",
    "dcp.spot",
    "dcp.option",
    "strategy",
    "spread.order",
    "spread.execution",
]

Count = Annotated[int, msgspec.Meta(ge=1)]


class ClientLimits(_Section, frozen=True):
    """What one strategy may do; whatever is unset has no limit.

    `symbols` are patterns of `<category>.<symbol>`, such as `linear.BTCUSDT` or `spot.*`. Values
    are in the quote coin (USD contracts count as USD), quantities in the exchange's units.
    """

    symbols: tuple[str, ...] = ()
    max_order_value: Decimal | None = None
    max_order_qty: dict[str, Decimal] = {}
    max_open_orders: Count | None = None
    max_open_value: Decimal | None = None
    price_band_pct: Decimal | None = None
    orders_per_s: Count | None = None

    def __post_init__(self) -> None:
        for name in ("max_order_value", "max_open_value"):
            value = getattr(self, name)
            if value is not None and not (value.is_finite() and value > 0):
                raise ValueError(f"{name} must be above zero, not {value}")
        for symbol, qty in self.max_order_qty.items():
            if not (qty.is_finite() and qty > 0):
                raise ValueError(f"max_order_qty of {symbol} must be above zero, not {qty}")
        band = self.price_band_pct
        if band is not None and not (band.is_finite() and 0 < band < 100):
            raise ValueError(f"price_band_pct must be above 0 and below 100, not {band}")
        for pattern in self.symbols:
            category, dot, symbol = pattern.partition(".")
            if category not in (*CATEGORIES, "*") or not dot or not symbol:
                raise ValueError(
                    f"symbols: {pattern!r} is no <category>.<symbol>, such as linear.BTCUSDT"
                )
        _ordered(self, "max_order_value", "max_open_value")


class Limits(ClientLimits, frozen=True):
    """What an account may do, all clients together, orders placed elsewhere included.

    A position counts as it would be if every open order were filled. `max_price_age_ms` is how old
    the market's price may be where a limit needs one. `when_blind` says what to do while the
    private stream is down and positions and foreign orders can not be seen.
    """

    max_position_value: Decimal | None = None
    max_position_qty: dict[str, Decimal] = {}
    max_price_age_ms: Milliseconds = 5000
    when_blind: Literal["refuse", "go-on"] = "refuse"

    def __post_init__(self) -> None:
        super().__post_init__()
        value = self.max_position_value
        if value is not None and not (value.is_finite() and value > 0):
            raise ValueError(f"max_position_value must be above zero, not {value}")
        for symbol, qty in self.max_position_qty.items():
            if not (qty.is_finite() and qty > 0):
                raise ValueError(f"max_position_qty of {symbol} must be above zero, not {qty}")
            most = self.max_order_qty.get(symbol)
            if most is not None and most > qty:
                raise ValueError(
                    f"max_order_qty of {symbol} ({most}) is above its max_position_qty ({qty})"
                )
        _ordered(self, "max_order_value", "max_position_value")


def _ordered(limits: ClientLimits, smaller: str, larger: str) -> None:
    low, high = getattr(limits, smaller), getattr(limits, larger)
    if low is not None and high is not None and low > high:
        raise ValueError(f"{smaller} ({low}) is above {larger} ({high}): it would never be reached")


class Account(_Section, frozen=True):
    """One account: where its keys are, how long an order may take, and what it may do.

    `clients` are the limits of single strategies, by the name that they send as `client`.

    The key id may stand here or in a file or variable; the secret only in a file or variable.
    A relative file is looked for in $CREDENTIALS_DIRECTORY where systemd sets that, else in the
    working folder. `private_topics` are wanted beside order, execution, position, wallet and
    greeks. Without `allow_withdrawal_keys` a key that may withdraw is refused on mainnet. With
    `dcp_s` the exchange cancels the account's orders when it has heard nothing of the private
    stream for so many seconds, where it grants that (DCP).
    """

    api_key: str = ""
    api_key_file: str = ""
    api_key_env: str = ""
    api_secret_file: str = ""
    api_secret_env: str = ""
    recv_window_ms: Annotated[int, msgspec.Meta(ge=500, le=60_000)] = 5000
    order_timeout_ms: Milliseconds = 5000
    private_topics: tuple[PrivateTopic, ...] = ()
    allow_withdrawal_keys: bool = False
    limits: Limits = Limits()
    clients: dict[str, ClientLimits] = {}
    dcp_s: Annotated[int, msgspec.Meta(ge=3, le=300)] | None = None


class Journal(_Section, frozen=True):
    """The order journal. `process` survives a killed process, `disk` survives a power cut.

    `keep_days` is for how long it keeps what is over; 0 keeps everything.
    """

    sync: Literal["process", "disk"] = "process"
    keep_days: Annotated[int, msgspec.Meta(ge=0, le=36_500)] = 30


class Simulator(_Section, frozen=True):
    """The exchange on this machine, used only where `environment` is `sim`.

    `symbols` sets how many symbols a category has; without it there is a small catalogue.
    `rate_limits` off answers as fast as it can, for benchmarks. `trade_socket` off is as demo
    trading: orders over REST only. `public_keys` names, for accounts that sign with their own RSA
    key here too, the files of the public halves.
    """

    port: Port = 0
    tls: bool = False
    seed: int = 1
    rate_per_s: Annotated[float, msgspec.Meta(ge=0, le=100_000)] = 20.0
    rate_limits: bool = True
    trade_socket: bool = True
    symbols: dict[Category, Annotated[int, msgspec.Meta(ge=1, le=2000)]] = {}
    public_keys: dict[Name, str] = {}


class Settings(_Section, frozen=True):
    """Everything that can be set."""

    environment: Environment = "sim"
    region: str = ""
    run_dir: str = ""
    state_dir: str = ""
    log: Log = Log()
    bus: Bus = Bus()
    feeds: Feeds = Feeds()
    rest: Rest = Rest()
    accounts: dict[Name, Account] = msgspec.field(default_factory=lambda: {"main": Account()})
    journal: Journal = Journal()
    simulator: Simulator = Simulator()

    def programs(self) -> tuple[str, ...]:
        """Return the names of the programs that this configuration runs, in starting order."""
        names = ["simulator"] if self.environment == "sim" else []
        names.append("bus")
        names += self.feed_programs()
        for account in self.accounts:
            names += [f"private-stream-{account}", f"order-execution-{account}"]
        return tuple(names)

    def feed_programs(self) -> list[str]:
        """Return the names of the programs that carry public data, all shards of a category."""
        feeds = {name: self.feeds.of(name) for name in CATEGORIES}
        return [
            feed_program(name, number)
            for name, feed in feeds.items()
            if feed.enabled
            for number in range(1, feed.shards + 1)
        ]

    def system_program(self) -> str | None:
        """Return the name of the program that carries the stream `system` beside its category, None
        where no category is enabled.
        """
        return next(iter(self.feed_programs()), None)


def feed_program(category: str, number: int) -> str:
    """Return the name of the `number`th program of a category's public data, from 1."""
    return f"{_FEED_PREFIX}{category}" + (f"-{number}" if number > 1 else "")


def feed_of(program: str) -> tuple[Category, int] | None:
    """Return category and number of a program that carries public data, None for another one."""
    bare, dash, number = program.removeprefix(_FEED_PREFIX).partition("-")
    found = next((category for category in CATEGORIES if category == bare), None)
    if found is None or (dash and not number.isdecimal()):
        return None
    return (found, int(number or 1)) if program == feed_program(found, int(number or 1)) else None


def run_dir(settings: Settings, chosen: str | None = None) -> Path:
    """Return the run folder: `--run-dir`, else the file's, else the environment's."""
    named = chosen or os.environ.get("BYBITD_RUN_DIR") or settings.run_dir
    return Path(named).expanduser().absolute() if named else default_run_dir()


def state_dir(settings: Settings, chosen: str | None = None) -> Path:
    """Return the state folder: `--state-dir`, else the file's, else the environment's."""
    environ = os.environ
    named = chosen or environ.get("BYBITD_STATE_DIR") or settings.state_dir
    if not named:
        named = environ.get("STATE_DIRECTORY", "").split(":")[0] or "~/.local/state/bybitd"
    return Path(named).expanduser().absolute()
