"""The ops that a feed serves (`ipc/PROTOCOL.md`, "Market")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from bybitbus import topics as bus_topics
from bybitbus.codes import Code
from bybitbus.server import Call
from bybitd.public_feed.feed import Feed
from bybitd.public_feed.offered import offered
from bybitd.public_feed.published import Health, Published
from bybitd.public_feed.refusal import Refusal, refuse
from bybitd.public_feed.replay import Source, replay
from bybitd.runtime.arguments import Argument, wrong
from bybitd.runtime.instruments import Instruments
from bybitd.settings import feed_program
from bybitd.venue.errors import TopicError

Handler = Callable[[Call], None]
_CATEGORY: Final = {"category": Argument(str, required=True)}
_TOPIC: Final = {**_CATEGORY, "topic": Argument(str, required=True)}
_FIELDS: Final[dict[str, dict[str, Argument]]] = {
    "market.snapshot": _TOPIC,
    "market.replay": {
        **_TOPIC,
        "epoch": Argument(int, required=True),
        "from": Argument(int),
        "to": Argument(int),
    },
    "market.instruments": {**_CATEGORY, "symbol": Argument(str)},
}
_FEED_PREFIX: Final = "gateway.feed."


class Requests:
    """Answers from what the feed holds and has sent; nothing here asks the exchange."""

    def __init__(self, feed: Feed, instruments: Instruments, published: Source) -> None:
        self._feed = feed
        self._instruments = instruments
        self._published = published

    def handlers(self) -> dict[str, Handler]:
        """Return the ops with what serves them."""
        return {
            "market.snapshot": self._serving(self.snapshot),
            "market.replay": self._serving(self.replay),
            "market.instruments": self._serving(self.list_instruments),
        }

    def snapshot(self, args: dict[str, Any]) -> dict[str, Any]:
        """Return the state of a topic, with the numbers of the last event that it includes.

        Raises:
            Refusal: `unknown_topic`, `bad_field`, `not_found`, `not_ready`.
        """
        topic = self._topic(args["topic"])
        held = self._feed.find(topic)
        if held is None:
            raise refuse(
                Code.NOT_FOUND, f"nobody subscribes to {topic}", f"subscribe to {topic} first"
            )
        if topic == held.feed_topic:
            return self._numbered(topic, self._state_of(held))
        if not held.has_state:
            hint = "its events are not repeated"
            raise refuse(Code.NOT_FOUND, f"{held.topic} has no state", hint)
        body = held.message() if held.health is Health.LIVE else None
        if body is None:
            state = f"{held.health}: {held.reason}".removesuffix(": ")
            message = f"{held.topic} holds nothing that can be trusted ({state})"
            hint = f"wait for gateway.feed.{held.topic} to say live"
            raise refuse(Code.NOT_READY, message, hint, retry_safe=True)
        return self._numbered(topic, {**body, "rx": held.rx_ns})

    def replay(self, args: dict[str, Any]) -> dict[str, Any]:
        """Return messages that were published before, as they went out.

        Raises:
            Refusal: `unknown_topic`, `not_found`, `gone`, `bad_field`.
        """
        topic = self._topic(args["topic"])
        if not self._published.seq(topic):
            message = f"nothing was published on {topic} yet"
            raise refuse(Code.NOT_FOUND, message, f"subscribe to {topic} first")
        return replay(self._published, topic, args)

    def list_instruments(self, args: dict[str, Any]) -> dict[str, Any]:
        """Return the exchange's instrument rows, of one symbol or all.

        Raises:
            Refusal: `not_ready`, `not_found`.
        """
        instruments, category, symbol = self._instruments, self._feed.category, args.get("symbol")
        if not instruments.fetched_ns:
            message = f"the instruments of {category} are not there yet: {instruments.problem}"
            raise refuse(Code.NOT_READY, message, "try again in a second", retry_safe=True)
        rows = instruments.rows(symbol)
        if symbol is not None and not rows:
            raise refuse(
                Code.NOT_FOUND,
                f"args.symbol: {category} lists no {symbol!r}",
                "symbols are upper case; market.instruments without symbol lists all",
                retry_safe=True,
            )
        return {"list": rows, "nextPageCursor": ""}

    def _serving(self, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> Handler:
        def serve(call: Call) -> None:
            try:
                self._check(call.request.op, call.request.args)
                result = answer(call.request.args)
            except Refusal as refusal:
                call.fail(refusal.body)
            else:
                call.succeed(result)

        return serve

    def _check(self, op: str, args: dict[str, Any]) -> None:
        if (error := wrong(op, args, _FIELDS[op])) is not None:
            raise Refusal(error)
        if args["category"] != self._feed.category:
            raise refuse(
                Code.BAD_FIELD,
                f"args.category: {args['category']!r} is not served here, "
                f"but {self._feed.category!r} is",
                f"send it to the bus, or to {feed_program(args['category'], 1)}",
            )

    def _numbered(self, topic: str, body: dict[str, Any]) -> dict[str, Any]:
        numbers = {"seq": self._published.seq(topic), "epoch": self._published.epoch}
        return {"topic": topic, **numbers, "body": {**body, **numbers}}

    def _state_of(self, held: Published) -> dict[str, Any]:
        if held.health is Health.PENDING:
            message = f"nothing came of {held.topic} yet"
            raise refuse(Code.NOT_READY, message, "try again in a second", retry_safe=True)
        return held.feed_state()

    def _topic(self, written: str) -> str:
        """Return the topic of the bus that is meant."""
        about = written.removeprefix(_FEED_PREFIX)
        topic = bus_topics.join(self._feed.category, self._name(about))
        return topic if about == written else _FEED_PREFIX + topic

    def _name(self, written: str) -> str:
        category = self._feed.category
        bare = written.removesuffix(".")
        stream, _, rest = bare.partition(".")
        try:
            name = offered(category, rest if stream == category else bare).name
        except TopicError as error:
            message = f"args.topic: {written!r} is no topic of {category}: {error.problem}"
            raise refuse(Code.UNKNOWN_TOPIC, message, error.hint) from None
        share = self._feed.share
        if not share.owns(name):
            message = f"args.topic: {written!r} is not carried by this program"
            hint = f"send it to the bus, or to {share.program_of(name)}"
            raise refuse(Code.BAD_FIELD, message, hint)
        return name
