"""Make good what a reader has missed (`ipc/PROTOCOL.md`, "Holes and their cure").

Pure: events in the order of arrival go in, events in their own order come out (`ready`); what must
be asked of the gateway is told by `asks`. A topic whose hole is being closed waits, with its
`gateway.feed.` events, so that the two keep their order; the other topics do not.

What can not be made good is told once, by `missing` of the event after it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from bybitbus.codes import Code
from bybitbus.events import Event
from bybitbus.sequence import Sequences, Verdict
from bybitbus.waiting import (
    FEED_PREFIX,
    FIRST_PAUSE_MS,
    UNKNOWN_EPOCH,
    Ask,
    Hole,
    Waiting,
    before_it,
    category,
    is_whole,
)

PATIENCE_MS: Final = 2_000  # for so long a gateway that does not answer may hold a topic up
RETRY_MS: Final = 200
MOST_PAUSE_MS: Final = 30_000
SILENCE_MS: Final = 5_000  # after which it is asked whether there was nothing to say
SURE_FOR_MS: Final = 300_000  # then it is asked again: the gateway may have been restarted
MOST_AT_ONCE: Final = 8  # replies are up to 256 KiB

_PASSING: Final = frozenset(
    {Code.UNAVAILABLE, Code.NO_ANSWER, Code.NOT_READY, Code.BUSY, Code.RATE_LIMITED, Code.INTERNAL}
)


class Cure:
    """Stands between the events of one socket, judged by `arrived`, and their reader."""

    def __init__(self, arrived: Sequences) -> None:
        self.ready: deque[Event] = deque()
        self.cured = 0  # messages that were missed and made good
        self._arrived = arrived
        self._streams: dict[str, Waiting] = {}
        self._asks: deque[Ask] = deque()
        self._flying = 0
        # To find out who fell silent: what had come at the last look, and what is known to be all.
        self._look_ms = 0
        self._looked: dict[str, tuple[int, int]] = {}
        self._complete: dict[str, tuple[int, int]] = {}
        self._forget_ms = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is being made good, so that what follows can be passed on at once."""
        return not self._streams

    # What the reader does

    def followed(self, topic: str, now_ms: int) -> None:
        """Note a new subscription; where nothing comes of it the state is asked for."""
        if topic.endswith(".") and category(topic) and not topic.startswith(FEED_PREFIX):
            stream = self._streams.setdefault(topic, Waiting(topic))
            stream.lacking = True
            stream.retry_ms = now_ms + FIRST_PAUSE_MS

    def forget(self, prefix: str, but: Iterable[str] = ()) -> None:
        """Drop every topic below `prefix` that is not below one of `but`."""
        kept = tuple(but)
        self._looked.clear()
        for topic in [name for name in self._streams if name.startswith(prefix)]:
            if not topic.startswith(kept):
                del self._streams[topic]

    def check(self, now_ms: int) -> None:
        """Ask of every topic whether its last message has come: silence does not tell."""
        self._check(self._arrived.all(), now_ms)

    def _check(self, topics: Iterable[str], now_ms: int) -> None:
        streams = {}
        for topic in topics:
            last, name = self._arrived.last(topic), topic.removeprefix(FEED_PREFIX)
            if last is None or not category(topic):
                continue
            streams[name] = stream = self._streams.setdefault(name, Waiting(name))
            if topic not in stream.known:
                stream.known.add(topic)
                stream.delivered.check(topic, *last)
            if topic not in stream.unchecked and not (stream.lacking and topic == name):
                stream.unchecked.append(topic)
        for stream in streams.values():
            self._go_on(stream, now_ms)

    def _is_complete(self, topic: str) -> bool:
        last = self._looked[topic]
        other = (
            topic.removeprefix(FEED_PREFIX)
            if topic.startswith(FEED_PREFIX)
            else FEED_PREFIX + topic
        )
        # One publisher counts both: where one has a new epoch, the other's is over.
        return self._complete.get(topic) == last and self._looked.get(other, last)[0] == last[0]

    # What arrives

    def take(self, event: Event, now_ms: int) -> None:
        """Take one event in, as the socket's reader judged it."""
        verdict, topic = event.verdict, event.topic
        if verdict is Verdict.REPEAT:
            return
        name = topic.removeprefix(FEED_PREFIX)
        stream = self._streams.get(name)
        if stream is None:
            whole = verdict is Verdict.FIRST and is_whole(event.body)
            sound = whole or verdict is Verdict.NEXT
            sound = sound or (verdict is Verdict.RESEND and not event.missing)
            if sound or not category(topic):
                self.ready.append(event)
                return
            stream = self._streams[name] = Waiting(name)
        if topic not in stream.known:
            stream.known.add(topic)
            if (before := before_it(event)) is not None:
                stream.delivered.check(topic, *before)
        stream.kept.append(event)
        self._go_on(stream, now_ms)

    def asks(self) -> list[Ask]:
        """Return the requests to send now; each is handed out once."""
        asks = []
        while self._asks and self._flying < MOST_AT_ONCE:
            ask = self._asks.popleft()
            if self._waits(ask) is not None:
                self._flying += 1
                asks.append(ask)
        return asks

    def answer(self, ask: Ask, result: Any, now_ms: int) -> None:
        """Take the result of a request."""
        self._flying -= 1
        stream = self._waits(ask)
        if stream is None:
            return
        stream.asked = None
        try:
            if ask.op == "market.snapshot":
                self._take_snapshot(stream, ask.args["topic"], result["body"], now_ms)
            else:
                self._take_replay(stream, result["list"], result["last"], now_ms)
        except (LookupError, TypeError):
            self._refused(stream, ask, Code.BAD_MESSAGE, now_ms)
        self._go_on(stream, now_ms)

    def refuse(self, ask: Ask, code: str, now_ms: int) -> None:
        """Take note that a request failed; `code` is `no_answer` where no reply came."""
        self._flying -= 1
        stream = self._waits(ask)
        if stream is not None:
            stream.asked = None
            self._refused(stream, ask, code, now_ms)
            self._go_on(stream, now_ms)

    def next_deadline_ms(self) -> int:
        """Return when `tick` is wanted next."""
        waiting = (each for each in self._streams.values() if each.asked is None)
        due = (each.retry_ms for each in waiting if each.retry_ms is not None)
        return min((self._look_ms, *due))

    def tick(self, now_ms: int) -> None:
        """Ask again for what could not be had, and once after those who fell silent."""
        for stream in list(self._streams.values()):
            if stream.retry_ms is None or now_ms < stream.retry_ms or stream.asked is not None:
                continue
            stream.retry_ms = None
            if stream.hole is not None:
                self._ask_replay(stream, stream.hole)
            elif stream.lacking:
                self._ask_snapshot(stream, stream.topic)
        if now_ms >= self._look_ms:
            self._look_ms = now_ms + SILENCE_MS
            before, self._looked = self._looked, self._arrived.all()
            silent = [topic for topic, last in self._looked.items() if before.get(topic) == last]
            self._check((topic for topic in silent if not self._is_complete(topic)), now_ms)
            if now_ms >= self._forget_ms:
                self._forget_ms = now_ms + SURE_FOR_MS
                self._complete.clear()

    # Within

    def _waits(self, ask: Ask) -> Waiting | None:
        stream = self._streams.get(ask.stream)
        return stream if stream is not None and stream.asked is ask else None

    def _go_on(self, stream: Waiting, now_ms: int) -> None:
        while stream.kept and stream.asked is None and stream.hole is None:
            event = stream.kept[0]
            if event.body["epoch"] in stream.over:
                stream.kept.popleft()
                continue
            missing = stream.missing(event)
            if not missing or (stream.lacking and event.topic == stream.topic):
                stream.kept.popleft()
                self._deliver(stream, event, now_ms)
                continue
            epoch = event.body["epoch"]
            stream.hole = Hole(event.topic, epoch, missing, now_ms + PATIENCE_MS)
            stream.retry_ms = None
            self._ask_replay(stream, stream.hole)
        if stream.asked is not None or stream.hole is not None:
            return
        if stream.unchecked:
            self._ask_for_more(stream, stream.unchecked.pop(), now_ms)
        elif stream.lacking:
            if stream.retry_ms is None:
                stream.retry_ms = now_ms + stream.pause_ms
        elif self._is_over(stream):
            del self._streams[stream.topic]

    def _ask_for_more(self, stream: Waiting, topic: str, now_ms: int) -> None:
        epoch, seq = stream.delivered.last(topic) or (UNKNOWN_EPOCH, 0)
        stream.hole = Hole(topic, epoch, range(seq + 1, seq + 1), now_ms + PATIENCE_MS)
        stream.hole.open_ended = True
        self._ask_replay(stream, stream.hole)

    def _is_over(self, stream: Waiting) -> bool:
        """Tell whether the socket's events can be passed on again as they come."""
        for topic in (stream.topic, FEED_PREFIX + stream.topic):
            last, arrived = stream.delivered.last(topic), self._arrived.last(topic)
            if last is None or last == arrived:
                continue
            if arrived is not None and arrived[0] != last[0]:
                return False  # what is over would count as a new epoch
            # What was had by request may still come: then it is a repeat.
            self._arrived.check(topic, *last, resend=True)
        return True

    def _deliver(self, stream: Waiting, event: Event, now_ms: int) -> None:
        body, missing = event.body, len(stream.missing(event))
        resend = body.get("resend", False)
        verdict, _ = stream.delivered.check(event.topic, body["epoch"], body["seq"], resend)
        if verdict is Verdict.REPEAT:
            return
        if event.topic == stream.topic:
            if is_whole(body):
                stream.lacking = False
                stream.retry_ms = None
                stream.pause_ms = FIRST_PAUSE_MS
            elif not stream.lacking and (missing or verdict is not Verdict.NEXT):
                stream.lacking = True
                stream.retry_ms = now_ms + stream.pause_ms
        self.ready.append(Event(event.topic, body, verdict, missing))

    def _take_replay(self, stream: Waiting, bodies: list[Any], last: int, now_ms: int) -> None:
        hole = stream.hole
        if hole is None:
            return
        if hole.open_ended:
            hole.wanted = range(hole.wanted.start, last + 1)
        for body in bodies:
            if body["epoch"] != hole.epoch or body["seq"] not in hole.wanted:
                raise LookupError("not what was asked for")
            self.cured += 1
            self._deliver(stream, Event(hole.topic, body, Verdict.NEXT), now_ms)
            hole.wanted = range(body["seq"] + 1, hole.wanted.stop)
        if not hole.wanted:
            stream.hole = None
            if hole.open_ended:
                self._complete[hole.topic] = hole.epoch, last
        elif bodies:
            hole.rest = False
            hole.patient_until_ms = now_ms + PATIENCE_MS
            self._ask_replay(stream, hole)
        else:
            raise LookupError("nothing of what was asked for")

    def _take_snapshot(
        self, stream: Waiting, topic: str, body: dict[str, Any], now_ms: int
    ) -> None:
        epoch, seq = body["epoch"], body["seq"]
        if stream.hole is None or stream.hole.open_ended:  # what came meanwhile has no hole
            for _ in range(stream.before(topic, epoch, seq)):
                self._deliver(stream, stream.kept.popleft(), now_ms)
        stream.hole = None
        stream.over |= stream.asked_in - {epoch}
        self._complete[topic] = epoch, seq
        snapshot = Event(topic, {**body, "resend": True}, Verdict.RESEND)
        self._deliver(stream, snapshot, now_ms)

    def _refused(self, stream: Waiting, ask: Ask, code: str, now_ms: int) -> None:
        hole, passing = stream.hole, code in _PASSING
        if hole is None:
            self._no_state(stream, passing, now_ms)
        elif hole.open_ended:
            self._unseen(stream, hole, ask, passing)
        elif ask.op == "market.snapshot":
            self._tell(stream, now_ms)
            if stream.lacking:
                self._no_state(stream, passing, now_ms)
        elif passing and now_ms < hole.patient_until_ms:
            stream.retry_ms = now_ms + RETRY_MS
        elif hole.topic == stream.topic and not is_whole(stream.kept[0].body):
            self._ask_snapshot(stream, stream.topic)
        elif code == Code.GONE and not hole.rest:
            hole.rest = True
            self._ask_replay(stream, hole)
        else:
            self._tell(stream, now_ms)

    def _unseen(self, stream: Waiting, hole: Hole, ask: Ask, passing: bool) -> None:
        """Take note that it can not be told whether a topic went on."""
        if passing:
            stream.hole = None  # the next look asks again
        elif ask.op == "market.snapshot":
            hole.rest = True
            self._ask_replay(stream, hole)
        elif not hole.rest:
            self._ask_snapshot(stream, hole.topic)
        else:
            stream.hole = None
            self._complete[hole.topic] = hole.epoch, hole.wanted.start - 1

    def _tell(self, stream: Waiting, now_ms: int) -> None:
        stream.hole = None
        self._deliver(stream, stream.kept.popleft(), now_ms)

    def _no_state(self, stream: Waiting, passing: bool, now_ms: int) -> None:
        if passing:
            stream.retry_ms = now_ms + stream.pause_ms
            stream.pause_ms = min(MOST_PAUSE_MS, 2 * stream.pause_ms)
        else:
            stream.lacking = False
            stream.retry_ms = None

    def _ask_replay(self, stream: Waiting, hole: Hole) -> None:
        args = {"category": category(hole.topic), "topic": hole.topic, "epoch": hole.epoch}
        if not hole.rest:
            args["from"] = hole.wanted.start
        if not hole.open_ended:
            args["to"] = hole.wanted.stop - 1
        self._ask(stream, "market.replay", args)

    def _ask_snapshot(self, stream: Waiting, topic: str) -> None:
        lasts = (self._arrived.last(topic), stream.delivered.last(topic))
        stream.asked_in = {last[0] for last in lasts if last is not None} - {UNKNOWN_EPOCH}
        stream.asked_in.update(event.body["epoch"] for event in stream.kept)
        args = {"category": category(topic), "topic": topic}
        self._ask(stream, "market.snapshot", args)

    def _ask(self, stream: Waiting, op: str, args: dict[str, Any]) -> None:
        stream.asked = ask = Ask(stream.topic, op, args)
        self._asks.append(ask)
