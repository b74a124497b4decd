"""What keeps an account safe, put together: the gates that requests pass, what is heard of the
account for them to judge by, and what cancels of itself (kill switch, leases).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bybitbus.server import Call
from bybitd.net.rest import RestClient, RestWorker
from bybitd.order_execution.announcer import Announcer
from bybitd.order_execution.private_events import PrivateEvents
from bybitd.order_execution.safety.account_events import AccountEvents, monotonic_ms
from bybitd.order_execution.safety.account_state import AccountState
from bybitd.order_execution.safety.kill_desk import KillDesk
from bybitd.order_execution.safety.kill_switch import KillSwitch
from bybitd.order_execution.safety.lease_desk import LeaseDesk
from bybitd.order_execution.safety.limit_gate import LimitGate
from bybitd.order_execution.safety.pace_gate import PaceGate
from bybitd.order_execution.safety.prices import Prices
from bybitd.order_execution.safety.sight_gate import SightGate
from bybitd.order_execution.safety.sweep import Sweeper
from bybitd.order_execution.searcher import Searcher
from bybitd.runtime.program import Program
from bybitd.settings import Settings


class Guard:
    """Guards one account. `act` takes a request of ours, `client` is how open orders are listed
    with `worker` (None while the exchange is not known).

    `gates` are asked in their order, `pace` last.

    Raises:
        StartError: whether the account is stopped, or the leases of the last run, can not be read.
    """

    def __init__(
        self,
        program: Program,
        account: str,
        announcer: Announcer,
        searcher: Searcher,
        worker: RestWorker,
        client: Callable[[], RestClient | None],
        act: Callable[[Call], None],
    ) -> None:
        self._loop = program.loop
        self._account = account
        orders, actions = announcer.orders, announcer.actions
        settings = program.settings.accounts[account]

        self.switch = KillSwitch(program.state_dir, account)
        self._state = state = AccountState()
        self._prices = prices = Prices(program.context, program.run_dir)
        self._limits = LimitGate(account, settings, orders, actions, state, prices, monotonic_ms)
        self.gates = (self.switch, SightGate(state, account), self._limits)
        self.pace = PaceGate(account, settings)

        heard = AccountEvents(searcher, state)
        self.events = PrivateEvents(program.context, program.run_dir, account, heard)

        def swept() -> None:
            self._kills.swept()

        alive, later = orders.live.values, self._loop.call_later
        sweeper = Sweeper(act, worker, client, alive, searcher.check_all, later, swept)
        self._kills = KillDesk(program, account, self.switch, sweeper)
        self._leases = LeaseDesk(program, account, act, alive)

    @property
    def reconciled(self) -> bool:
        """Whether the account was compared with the exchange since the start."""
        return self._state.reconciled

    def handlers(self) -> dict[str, Callable[[Call], None]]:
        """Return the ops and who serves them."""
        return self._kills.handlers() | self._leases.handlers()

    def start(self) -> None:
        """Listen, and go on with a kill that is under way."""
        self._loop.add_reader(self.events.socket, self.events.read)
        self._loop.add_reader(self._prices.socket, self._prices.read)
        self._kills.start()

    def tick(self) -> None:
        """Act on what is due. To be called every 100 ms or so."""
        self._kills.tick()
        self._leases.tick()

    def configure(self, settings: Settings) -> None:
        """Judge by these settings from now on."""
        self._limits.configure(settings.accounts[self._account])
        self.pace.settings = settings.accounts[self._account]

    def describe(self) -> dict[str, Any]:
        """Return what the status shows."""
        return {
            "reconciled": self.reconciled,
            "prices": self._prices.describe(),
            **self._kills.describe(),
            **self._leases.describe(),
        }

    def close(self) -> None:
        """Close the sockets."""
        self.events.close()
        self._prices.close()
