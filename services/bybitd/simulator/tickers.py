"""The ticker records of every category (Bybit V5, Ticker stream and Get Tickers).

`record` writes the stream's fields, `rest_row` those of REST, which differ a little.
"""

from datetime import UTC, datetime
from decimal import Decimal

from bybitd.simulator.fair_value import FUNDING_INTERVAL_MS
from bybitd.simulator.instruments import plain
from bybitd.simulator.market import Market
from bybitd.simulator.market_rows import DayFigures, turnover_of

Record = dict[str, str]
_YEAR_MS = 365 * 86_400_000


class TickerSource:
    """Writes the ticker of one market at a moment."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._day = DayFigures(market)

    def record(self, now_ms: int) -> Record:
        """Write the record of the `tickers` stream."""
        match self._market.instrument.category:
            case "spot":
                return self._spot(now_ms)
            case "option":
                return self._option(now_ms)
            case "spread":
                return self._spread(now_ms)
            case _:
                return self._contract(now_ms)

    def rest_row(self, now_ms: int) -> Record:
        """Write the row of `/v5/market/tickers`."""
        record = self.record(now_ms)
        match self._market.instrument.category:
            case "spot":
                return record | self._touch(now_ms)
            case "option":
                for side in ("bid", "ask"):
                    for part in ("Price", "Size", "Iv"):
                        record[f"{side}1{part}"] = record.pop(f"{side}{part}")
                record["markIv"] = record.pop("markPriceIv")
                return record
            case "spread":
                return record
            case _:
                return _NO_DELIVERY | record | self._rest_delivery()

    def _touch(self, now_ms: int) -> Record:
        it = self._market.instrument
        bid, bid_lots, ask, ask_lots = self._market.touch(now_ms)
        return {
            "bid1Price": "" if bid is None else it.price.text(bid),
            "bid1Size": "" if bid is None else it.size.text(bid_lots),
            "ask1Price": "" if ask is None else it.price.text(ask),
            "ask1Size": "" if ask is None else it.size.text(ask_lots),
        }

    def _spot(self, now_ms: int) -> Record:
        it, day = self._market.instrument, self._day.at(now_ms)
        last = self._market.last_tick(now_ms)
        index = self._market.fair_value.index(it.reference, now_ms)
        return {
            "symbol": it.symbol,
            "lastPrice": it.price.text(last),
            "highPrice24h": it.price.text(day.high),
            "lowPrice24h": it.price.text(day.low),
            "prevPrice24h": it.price.text(day.previous),
            "volume24h": plain(it.size.decimal(day.lots)),
            "turnover24h": plain(turnover_of(it, day.turnover)),
            "price24hPcnt": plain(_change(last, day.previous, "0.0001")),
            "usdIndexPrice": plain(Decimal(f"{index:.6f}")),
        }

    def _spread(self, now_ms: int) -> Record:
        it, day = self._market.instrument, self._day.at(now_ms)
        best = self._touch(now_ms)
        return {
            "symbol": it.symbol,
            **{name.replace("1", ""): text for name, text in best.items()},
            "lastPrice": it.price.text(self._market.last_tick(now_ms)),
            "highPrice24h": it.price.text(day.high),
            "lowPrice24h": it.price.text(day.low),
            "prevPrice24h": it.price.text(day.previous),
            "volume24h": plain(it.size.decimal(day.lots)),
        }

    def _contract(self, now_ms: int) -> Record:
        it, day, market = self._market.instrument, self._day.at(now_ms), self._market
        last = market.last_tick(now_ms)
        # Bybit computes mark and index prices once a second.
        second_ms = now_ms // 1000 * 1000
        index = Decimal(market.index_text(market.fair_index(second_ms)))
        mark = market.mark_price(second_ms)
        one_side = market.fair_value.open_interest(it, now_ms)
        interest = it.size.decimal(one_side)
        worth = interest / mark if it.inverse else interest * mark
        record = {
            "symbol": it.symbol,
            "tickDirection": market.direction,
            "price24hPcnt": plain(_change(last, day.previous, "0.000001")),
            "lastPrice": it.price.text(last),
            "prevPrice24h": it.price.text(day.previous),
            "highPrice24h": it.price.text(day.high),
            "lowPrice24h": it.price.text(day.low),
            "prevPrice1h": it.price.text(day.hour_ago),
            "markPrice": f"{mark:f}",
            "indexPrice": f"{index:f}",
            "openInterest": plain(2 * interest),
            "openInterestValue": f"{2 * worth:.2f}",
            "singleOpenInterest": plain(interest),
            "singleOpenInterestValue": f"{worth:.2f}",
            "turnover24h": f"{turnover_of(it, day.turnover):.4f}",
            "volume24h": f"{it.size.decimal(day.lots):.4f}",
        }
        record |= self._funding(now_ms) if it.perpetual else self._delivery(now_ms, mark, index)
        record |= self._touch(now_ms)
        if it.perpetual or it.settle == "USDT":
            record |= {"preOpenPrice": "", "preQty": "", "curPreListingPhase": ""}
        return record

    def _funding(self, now_ms: int) -> Record:
        upcoming = (now_ms // FUNDING_INTERVAL_MS + 1) * FUNDING_INTERVAL_MS
        rate = self._market.fair_value.funding_rate(self._market.instrument, now_ms)
        return {
            "fundingIntervalHour": str(FUNDING_INTERVAL_MS // 3_600_000),
            "fundingCap": "0.00375",
            "nextFundingTime": str(upcoming),
            "fundingRate": plain(Decimal(f"{rate:.8f}")),
        }

    def _delivery(self, now_ms: int, mark: Decimal, index: Decimal) -> Record:
        it = self._market.instrument
        delivery = datetime.fromtimestamp(it.delivery_ms / 1000, UTC)
        rate = (mark - index) / index
        years = Decimal(max(1, it.delivery_ms - now_ms)) / _YEAR_MS
        return {
            "deliveryTime": f"{delivery:%Y-%m-%dT%H:%M:%SZ}",
            "basisRate": f"{rate:.8f}",
            "deliveryFeeRate": "0",
            "predictedDeliveryPrice": "0.00",
            "basis": f"{mark - index:.2f}",
            "basisRateYear": f"{rate / years:.8f}",
            "nextFundingTime": "",
            "fundingRate": "",
        }

    def _rest_delivery(self) -> Record:
        delivery_ms = self._market.instrument.delivery_ms
        return {"deliveryTime": str(delivery_ms)}

    def _option(self, now_ms: int) -> Record:
        it, day, market = self._market.instrument, self._day.at(now_ms), self._market
        value = market.fair_value.option(it, now_ms // 1000 * 1000)
        bid, bid_lots, ask, ask_lots = market.touch(now_ms)
        last = market.last_tick(now_ms)

        def volatility(tick: int | None) -> str:
            if tick is None:
                return "0"
            off = float(it.price.decimal(tick)) - value.price
            return f"{min(5.0, max(0.0, value.iv + off / max(1e-9, 100 * value.vega))):.4f}"

        lots = it.size.decimal(day.lots)
        return {
            "symbol": it.symbol,
            "bidPrice": "0" if bid is None else it.price.text(bid),
            "bidSize": "0" if bid is None else it.size.text(bid_lots),
            "bidIv": volatility(bid),
            "askPrice": "0" if ask is None else it.price.text(ask),
            "askSize": "0" if ask is None else it.size.text(ask_lots),
            "askIv": volatility(ask),
            "lastPrice": it.price.text(last),
            "highPrice24h": it.price.text(day.high),
            "lowPrice24h": it.price.text(day.low),
            "markPrice": f"{value.price:.8f}",
            "indexPrice": f"{value.underlying:.2f}",
            "markPriceIv": f"{value.iv:.4f}",
            "underlyingPrice": f"{value.underlying:.2f}",
            "openInterest": plain(it.size.decimal(market.fair_value.open_interest(it, now_ms))),
            "turnover24h": plain(turnover_of(it, day.turnover)),
            "volume24h": plain(lots),
            "totalVolume": plain(lots.to_integral_value() * 30),
            "totalTurnover": plain((turnover_of(it, day.turnover) * 30).to_integral_value()),
            "delta": f"{value.delta:.8f}",
            "gamma": f"{value.gamma:.8f}",
            "vega": f"{value.vega:.8f}",
            "theta": f"{value.theta:.8f}",
            "predictedDeliveryPrice": "0",
            "change24h": plain(_change(last, day.previous, "0.00000001")),
        }


_NO_DELIVERY = dict.fromkeys(
    ("predictedDeliveryPrice", "basisRate", "deliveryFeeRate", "basis", "basisRateYear",
     "fundingRate", "nextFundingTime", "fundingIntervalHour", "fundingCap",
     "preOpenPrice", "preQty", "curPreListingPhase"),
    "",
)  # fmt: skip


def _change(now: int, then: int, places: str) -> Decimal:
    return (Decimal(now - then) / max(1, then)).quantize(Decimal(places))
