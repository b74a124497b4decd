"""Which host and path serve what, by environment and region (Bybit V5, "Integration Guidance"
and "WebSocket / Connect").

A key of one environment or region is refused by the hosts of another (retCode 10003).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bybitd.venue.enums import ENVIRONMENTS, Environment
from bybitd.venue.errors import HostError

_PATHS: Final = {
    "spot": "/v5/public/spot",
    "linear": "/v5/public/linear",
    "inverse": "/v5/public/inverse",
    "option": "/v5/public/option",
    "spread": "/v5/public/spread",
    "status": "/v5/public/misc/status",
    "private": "/v5/private",
    "trade": "/v5/trade",
}
SOCKETS: Final = tuple(_PATHS)

# Region -> (REST host, WebSocket host). The documentation names no stream host for nl and ae;
# the global one serves them.
_MAINNET: Final = {
    "": ("api.bybit.com", "stream.bybit.com"),
    "bytick": ("api.bytick.com", "stream.bybit.com"),
    "nl": ("api.bybit.nl", "stream.bybit.com"),
    "ae": ("api.bybit.ae", "stream.bybit.com"),
    "eu": ("api.bybit.eu", "stream.bybit.eu"),
    "ge": ("api.bybitgeorgia.ge", "stream.bybitgeorgia.ge"),
    "id": ("api.bybit.id", "stream.bybit.id"),
    "jp": ("api.manepa.jp", "stream.manepa.jp"),
    "kz": ("api.bybit.kz", "stream.bybit.kz"),
    "tr": ("api.bybit.tr", "stream.bybit.tr"),
}
# The testnet stream host of jp is formed like the others: the documentation prints only REST.
_TESTNET: Final = {
    "": ("api-testnet.bybit.com", "stream-testnet.bybit.com"),
    "jp": ("api-testnet.manepa.jp", "stream-testnet.manepa.jp"),
}
_DEMO: Final = {"": ("api-demo.bybit.com", "stream-demo.bybit.com")}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimAddress:
    """Where the simulator listens: one `host:port` for everything it serves."""

    netloc: str
    tls: bool = False
    trade_socket: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The base URLs of one environment and region, without a slash at the end.

    `trade` is None where there is no order entry over WebSocket: use REST.
    """

    rest: str
    public: str
    private: str
    trade: str | None

    def websocket(self, socket: str) -> str:
        """Return the URL of one of SOCKETS (a category, `status`, `private`, `trade`).

        Raises:
            HostError: no such socket in this environment.
        """
        if socket not in _PATHS:
            raise HostError(f"no WebSocket is called {socket!r}; there are {', '.join(SOCKETS)}")
        base = {"private": self.private, "trade": self.trade}.get(socket, self.public)
        if base is None:
            raise HostError("this environment has no trade WebSocket; orders go over REST")
        return base + _PATHS[socket]


def hosts(environment: Environment, region: str = "", *, sim: SimAddress | None = None) -> Hosts:
    """Return the base URLs of an environment; `sim` is needed for `sim` and only there.

    Raises:
        HostError: the environment or region does not exist, or `sim` is missing.
    """
    if environment == "sim":
        if sim is None:
            raise HostError("the address of the simulator is not known")
        tail = "s://" if sim.tls else "://"
        stream = f"ws{tail}{sim.netloc}"
        trade = stream if sim.trade_socket else None
        return Hosts(rest=f"http{tail}{sim.netloc}", public=stream, private=stream, trade=trade)
    tables = {"mainnet": _MAINNET, "testnet": _TESTNET, "demo": _DEMO}
    if environment not in tables:
        raise HostError(f"environment {environment!r} is none of {', '.join(ENVIRONMENTS)}")
    table = tables[environment]
    if region not in table:
        named = ", ".join(repr(name) for name in table)
        raise HostError(f"region {region!r} does not exist on {environment}; there are {named}")
    api, stream = table[region]
    private = f"wss://{stream}"
    if environment == "demo":
        # Demo trading looks at the mainnet's market and has no trade socket (handshake 404).
        public = f"wss://{_MAINNET[''][1]}"
        return Hosts(rest=f"https://{api}", public=public, private=private, trade=None)
    return Hosts(rest=f"https://{api}", public=private, private=private, trade=private)
