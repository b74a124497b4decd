"""The position settings: `/v5/position/set-leverage` and `/v5/position/switch-mode`.

Sources: Bybit V5, Position.
"""

from collections.abc import Callable
from typing import Any

from bybitd.simulator.account import Account
from bybitd.simulator.changes import Changes
from bybitd.simulator.instruments import Instrument, plain
from bybitd.simulator.markets import Markets
from bybitd.simulator.parameters import Body, category_of, instrument_of, number, text, whole
from bybitd.simulator.refusal import Refusal, parameter_error

Reply = tuple[dict[str, Any], dict[str, Any]]
_ONE_WAY, _HEDGE = 0, 3


class PositionApi:
    """Changes leverage and position mode."""

    def __init__(self, markets: Markets, changes: Changes) -> None:
        self._markets = markets
        self._changes = changes
        self.routes: dict[str, Callable[[Account, Body, int], Reply]] = {
            "/v5/position/set-leverage": self._set_leverage,
            "/v5/position/switch-mode": self._switch_mode,
            "/v5/position/set-auto-add-margin": self._set_auto_add_margin,
        }

    def _set_leverage(self, account: Account, body: Body, now_ms: int) -> Reply:
        if category_of(body) not in ("linear", "inverse"):
            raise parameter_error("params error: category invalid")
        it = instrument_of(self._markets, body)
        buy, sell = number(text(body, "buyLeverage")), number(text(body, "sellLeverage"))
        if buy is None or sell is None or buy < 1 or buy % 1 * 100 % 1:
            raise parameter_error("params error: leverage invalid")
        if buy != sell:
            raise parameter_error("buy leverage not equal sell leverage")
        if buy > it.max_leverage:
            raise Refusal(
                110013,
                f"cannot set leverage [{plain(buy)}] gt maxLeverage "
                f"[{plain(it.max_leverage)}] by risk limit",
            )
        if buy == account.leverage_of(it):
            raise Refusal(110043, "leverage not modified")
        account.set_leverage(it, buy)
        self._changes.settings(account)
        for idx in (1, 2) if it.symbol in account.hedged else (0,):
            self._changes.position(account, it, idx)
        self._changes.coin(account, it.settle)
        return {}, {}

    def _switch_mode(self, account: Account, body: Body, now_ms: int) -> Reply:
        if category_of(body) != "linear":
            raise parameter_error("params error: category invalid")
        mode = body.get("mode")
        if mode not in (_ONE_WAY, _HEDGE) or isinstance(mode, bool):
            raise parameter_error("params error: mode invalid")
        chosen = self._switched(body)
        hedge = mode == _HEDGE
        if all((it.symbol in account.hedged) == hedge for it in chosen):
            raise Refusal(110025, "Position mode is not modified")
        for it in chosen:
            if any(account.position(it, idx).size for idx in (0, 1, 2)):
                raise Refusal(
                    110024,
                    "You have an existing position, so the position mode cannot be switched.",
                )
            if any(account.open_on(it.category, it.symbol)):
                raise Refusal(
                    110028,
                    "You have existing open orders, so the position mode cannot be switched.",
                )
        for it in chosen:
            (account.hedged.add if hedge else account.hedged.discard)(it.symbol)
        self._changes.settings(account)
        return {}, {}

    def _set_auto_add_margin(self, account: Account, body: Body, now_ms: int) -> Reply:
        if category_of(body) != "linear":
            raise parameter_error("params error: category invalid")
        it = instrument_of(self._markets, body)
        wanted = body.get("autoAddMargin")
        if isinstance(wanted, bool) or wanted not in (0, 1):
            raise parameter_error("params error: autoAddMargin invalid")
        if not account.settings.isolated:
            raise Refusal(110076, "Only isolated mode can set auto-add-margin")
        idx = whole(body, "positionIdx", (0, 1, 2))
        if idx not in account.indexes(it):
            raise parameter_error("position idx not match position mode")
        position = account.position(it, idx)
        if position.auto_add == wanted:
            raise Refusal(110027, "Margin has not been modified.")
        position.auto_add = int(wanted)
        account.keep(position)
        self._changes.position(account, it, idx)
        return {}, {}

    def _switched(self, body: Body) -> list[Instrument]:
        """List the USDT perpetuals that `symbol` or `coin` name; no others know hedge mode."""
        if text(body, "symbol"):
            it = instrument_of(self._markets, body)
            if it.settle != "USDT" or not it.perpetual:
                raise Refusal(110029, "Hedge mode is not supported for this symbol.")
            return [it]
        coin = text(body, "coin")
        if not coin:
            raise parameter_error("params error: symbol or coin is required")
        listed = self._markets.instruments.get("linear", {}).values()
        chosen = [it for it in listed if it.perpetual and it.settle == coin == "USDT"]
        if not chosen:
            raise Refusal(110029, "Hedge mode is not supported for this symbol.")
        return chosen
