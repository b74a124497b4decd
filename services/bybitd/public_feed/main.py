"""`public-feed-<category>`: the public data of one category, shared."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from bybitd.net.connection import Address
from bybitd.net.ip_budget import Purpose
from bybitd.net.rest import RestWorker
from bybitd.net.shared_connects import FILE as CONNECTS_FILE
from bybitd.net.shared_connects import SharedConnects
from bybitd.public_feed.carriers import Carriers
from bybitd.public_feed.configured import always_on
from bybitd.public_feed.derived.view import View
from bybitd.public_feed.errands import Errands
from bybitd.public_feed.feed import Feed
from bybitd.public_feed.fetching import AT_ONCE, Fetcher
from bybitd.public_feed.filling import Filling
from bybitd.public_feed.market_rest import MarketRest
from bybitd.public_feed.requests import Requests
from bybitd.public_feed.seeds import Seeds
from bybitd.public_feed.share import share_of
from bybitd.public_feed.system_stream import SystemStream
from bybitd.public_feed.upstream import monotonic_ms
from bybitd.runtime.exchange import Endpoints, endpoints
from bybitd.runtime.instruments import Instruments
from bybitd.runtime.late_joiners import LateJoiners
from bybitd.runtime.program import Program
from bybitd.settings import Settings

BEAT_S = 0.25


def main(program: Program) -> None:
    """Serve one category, or a share of it, until told to stop.

    Raises:
        ConfigError: a configured topic can not exist, or the environment has no such region.
    """
    settings, loop = program.settings, program.loop
    share = share_of(program.name, settings.feeds)
    category = share.category
    program.publisher.keep(settings.feeds.replay_bytes)

    def find() -> Endpoints | None:
        return endpoints(settings, program.run_dir)

    def locate() -> Address | None:
        found = find()
        if found is None:
            return None
        return Address(found.hosts.websocket(category), found.authority)

    def show(feed: Feed) -> None:
        state, reason = feed.condition(started=program.state != "starting")
        program.set_state(state, reason)

    connects = SharedConnects(program.run_dir / CONNECTS_FILE)
    carriers = Carriers(
        category=category,
        redundancy=settings.feeds.redundancy,
        reactor=loop,
        locate=locate,
        budget=connects,
        changed=show,
    )

    def settle_later(delay_ms: int, view: View) -> None:
        loop.call_later(delay_ms / 1000, lambda: feed.pipeline.settle(view, monotonic_ms()))

    feed = Feed(
        share,
        program.publisher,
        always=always_on(share, settings.feeds.of(category).topics),
        linger_ms=int(settings.feeds.linger_s * 1000),
        book_interval_ms=settings.feeds.book_interval_ms,
        later=settle_later,
        counters=program.counters,
        new_carrier=carriers.new,
        again=lambda topic: late_joiners.joined(topic),
        reject=program.reject_topic,
    )
    late_joiners = LateJoiners(loop, feed.resend)
    worker = RestWorker(loop.call_soon_threadsafe, threads=1)
    gate = program.ip_gate.of(Purpose.MARKET)
    instruments = Instruments(category, loop, worker, find, gate)
    callers = RestWorker(loop.call_soon_threadsafe, threads=AT_ONCE)
    fetcher = Fetcher(callers, find, gate, loop.call_later)
    errands = Errands(feed.find)
    seeds = Seeds(category, feed.channels, feed.views, errands, feed.pipeline, fetcher)
    filling = Filling(category, feed.channels, errands, feed.pipeline, fetcher)
    market_rest = MarketRest(category, loop, find, gate)
    requests = Requests(feed, instruments, program.publisher)

    closing = [feed.close, fetcher.close, worker.close, callers.close, market_rest.close]
    system = None
    if program.name == settings.system_program():
        system = SystemStream(program, find, gate, worker, connects, BEAT_S)
        closing.append(system.close)

    def beat() -> None:
        now_ms, now_ns = monotonic_ms(), time.time_ns()
        feed.beat(now_ms, now_ns)
        seeds.beat(now_ms)
        filling.beat(now_ms, now_ns)
        errands.forget_gone()

    def details() -> Mapping[str, Any]:
        more = {} if system is None else {"system": system.describe()}
        listed, rest = instruments.describe(), fetcher.describe()
        return {**feed.describe(), "instruments": listed, "rest": rest, **more}

    def configure(settings: Settings) -> None:
        feed.configure(int(settings.feeds.linger_s * 1000), settings.feeds.book_interval_ms)

    def check(settings: Settings) -> None:
        always_on(share, settings.feeds.of(category).topics)

    program.reload.on_change(configure, check)
    program.details = details
    program.handle({**requests.handlers(), "market.rest": market_rest.serve})
    program.on_subscription(
        lambda topic, written: feed.joined(topic, written, time.time_ns()),
        lambda topic, written: feed.left(topic, written, monotonic_ms()),
    )
    feed.start(time.time_ns())
    instruments.refresh()
    loop.call_every(BEAT_S, beat)
    program.run(closing=[*closing, connects.close])
