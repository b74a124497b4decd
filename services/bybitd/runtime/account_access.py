"""How a process of one account reaches the exchange: its key, the hosts, REST and the clock.

The simulator of `sim` may come up later than this process, or again at another port, so all of it
is looked for until it is there, and looked at again before each connection.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bybitd.errors import ConfigError
from bybitd.net.clock import ClockOffset, now_ms
from bybitd.net.connection import Address
from bybitd.net.errors import RestError
from bybitd.net.ip_budget import Purpose
from bybitd.net.ip_gate import IpGate
from bybitd.net.rest import RestClient, RestReply, RestWorker
from bybitd.runtime import credentials, exchange
from bybitd.runtime.loop import Loop
from bybitd.settings import Settings
from bybitd.venue import key_rights
from bybitd.venue.key_rights import KeyRights
from bybitd.venue.sign import Key, rest_headers, socket_auth

CLOCK_PERIOD_S: Final = 60.0
_RETRY_S: Final = 0.1
_CLOCK_RETRY_S: Final = 2.0
_SAMPLES: Final = 5
_LOGIN_VALID_MS: Final = 10_000
_RIGHTS_RETRY_S: Final = 5.0
log = logging.getLogger(__name__)


class AccountAccess:
    """One account's way to the exchange. Everything but `call`'s jobs belongs to the loop's thread.

    `client` is None until `known`, and so is `inquirer`, which is for what clients only want to
    know: it leaves room in the IP budget for the other. Requests are signed with the account's
    `recv_window_ms` and the measured time of the exchange. `rights` is what the key may do, None
    until the exchange has told; on mainnet nothing else is done before that.
    """

    def __init__(
        self, settings: Settings, account: str, run_dir: Path, loop: Loop, ip_gate: IpGate
    ) -> None:
        self.settings = settings
        self.account = account
        self.recv_window_ms = settings.accounts[account].recv_window_ms
        self.clock = ClockOffset()
        self.client: RestClient | None = None
        self.inquirer: RestClient | None = None
        self.has_trade_socket = True
        self.rights: KeyRights | None = None
        self._asking_rights = False
        self._run_dir = run_dir
        self._loop = loop
        self._ip_gate = ip_gate
        self._endpoints: exchange.Endpoints | None = None
        self._key: Key | None = None
        self._public: RestClient | None = None
        self._tried_clock = False
        self._measuring = False
        self._worker = RestWorker(loop.call_soon_threadsafe, threads=1)

    @property
    def known(self) -> bool:
        """Whether the hosts and the key are known, and the key may be used."""
        vouched = self.settings.environment != "mainnet" or self.rights is not None
        return self.client is not None and vouched

    @property
    def read_only(self) -> bool:
        """Whether the key is known to be good for reading only."""
        return self.rights is not None and self.rights.read_only

    def start(self) -> None:
        """Look for everything, and measure the clock from then on.

        Raises:
            ConfigError: there is no usable key.
            HostError: the environment has no such region.
        """
        if not self._refresh():
            self._loop.call_later(_RETRY_S, self.start)
            return
        self._keep_measuring()

    def locate(self, socket: str) -> Callable[[], Address | None]:
        """Return what tells a connection where `private` or `trade` is."""

        def where() -> Address | None:
            if not self._refresh() or not (self.clock.known or self._tried_clock):
                return None
            if not self.known:
                return None
            assert self._endpoints is not None
            return Address(self._endpoints.hosts.websocket(socket), self._endpoints.authority)

        return where

    def login(self, _now_ms: int = 0) -> bytes:
        """Return the frame that logs a socket in now."""
        assert self._key is not None, "a socket opens only where the key is known"
        return socket_auth(self._key, self.exchange_ms() + _LOGIN_VALID_MS)

    def exchange_ms(self) -> int:
        """Return what the exchange's clock shows now."""
        return self.clock.exchange_ms(now_ms())

    def doubt_clock(self) -> None:
        """Measure the clock again: the exchange refused a timestamp."""
        self.clock.forget()
        self._measure()

    def describe(self) -> dict[str, Any]:
        """Return what the status shows of the clock."""
        return {"offset_ms": self.clock.offset_ms, "error_ms": self.clock.error_ms}

    def describe_key(self) -> dict[str, Any]:
        """Return what the status shows of the key: what it may do, never what it is."""
        return self.rights.describe() if self.rights else {}

    def close(self) -> None:
        """Release threads and connections."""
        self._worker.close()
        for client in (self.client, self.inquirer, self._public):
            if client is not None:
                client.close()

    def _refresh(self) -> bool:
        endpoints = exchange.endpoints(self.settings, self._run_dir)
        if self._key is None:
            self._key = credentials.key(self.settings, self.account, self._run_dir)
        if endpoints is None or self._key is None:
            return False
        if endpoints != self._endpoints:
            self._endpoints = endpoints
            self.has_trade_socket = endpoints.hosts.trade is not None
            base, authority = endpoints.hosts.rest, endpoints.authority
            key = self._key

            def sign(payload: str) -> dict[str, str]:
                return self._sign(key, payload)

            gate = self._ip_gate.of(Purpose.ESSENTIAL)
            lower = self._ip_gate.of(Purpose.ACCOUNT)
            self.client = RestClient(base, gate, sign, authority=authority)
            self.inquirer = RestClient(base, lower, sign, authority=authority)
            self._public = RestClient(base, gate, authority=authority)
            log.info("= the exchange is at %s", base)
        return True

    def _sign(self, key: Key, payload: str) -> dict[str, str]:
        return rest_headers(
            key, payload, timestamp_ms=self.exchange_ms(), recv_window_ms=self.recv_window_ms
        )

    def _keep_measuring(self) -> None:
        self._measure()
        self._loop.call_later(
            CLOCK_PERIOD_S if self.clock.known else _CLOCK_RETRY_S, self._keep_measuring
        )

    def _measure(self) -> None:
        client = self._public
        if client is None or self._measuring:
            return

        def ask() -> list[RestReply]:
            return [client.get("/v5/market/time") for _ in range(_SAMPLES)]

        self._measuring = self._worker.submit(ask, self._measured)

    def _measured(self, replies: list[RestReply] | None, error: RestError | None) -> None:
        self._measuring = False
        self._tried_clock = True
        if replies is None:
            log.warning("< the exchange's clock could not be read: %s", error)
            return
        for reply in replies:
            if reply.time_ms:
                self.clock.add(reply.sent_ns, reply.received_ns, reply.time_ms)
        if self.clock.warns:
            log.warning(
                "= this machine's clock is %d ms off the exchange's; set it (ntp, chrony)",
                -self.clock.offset_ms,
            )
        if self.rights is None:
            self._ask_rights()

    def _ask_rights(self) -> None:
        client = self.client
        if client is None or self._asking_rights or self.rights is not None:
            return

        def done(reply: RestReply | None, error: RestError | None) -> None:
            self._asking_rights = False
            if reply is not None and reply.ret_code == 0:
                self._take_rights(key_rights.read(reply.result))
                return
            why = f"{reply.ret_code} {reply.ret_msg}" if reply else str(error)
            log.warning("< what the key may do could not be read: %s", why)
            self._loop.call_later(_RIGHTS_RETRY_S, self._ask_rights)

        self._asking_rights = self._worker.submit(lambda: client.get(key_rights.PATH, {}), done)

    def _take_rights(self, rights: KeyRights) -> None:
        allowed = self.settings.accounts[self.account].allow_withdrawal_keys
        problem = key_rights.refusal(rights, self.settings.environment, allowed=allowed)
        if problem:
            raise ConfigError(
                problem,
                where=f"accounts.{self.account}",
                hint="make a key without that right, or set allow_withdrawal_keys: true",
            )
        self.rights = rights
        if rights.read_only:
            log.warning("= the key is read-only: the exchange will refuse every order")
