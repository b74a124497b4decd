"""The bus: the front door that forwards events and routes requests, and decides nothing."""

from __future__ import annotations

import logging
import time

import zmq

from bybitbus import codec, topics
from bybitbus.endpoints import events_address
from bybitbus.errors import CodecError, TopicError
from bybitd.bus.desk import Desk
from bybitd.bus.forwarder import Forwarder
from bybitd.bus.roster import Roster
from bybitd.bus.streams import Refusal, Streams
from bybitd.errors import StartError
from bybitd.runtime.program import Program

# The bus publishes like any other program, behind its own forwarder: so it sees, as they do, what
# every client subscribes to.
OWN_EVENTS = "inproc://bus.own-events"
_STATUS_PREFIX = topics.join("gateway", "status")
log = logging.getLogger(__name__)


def main(program: Program) -> None:
    """Run the bus until told to stop. `program` publishes at `OWN_EVENTS`.

    Raises:
        StartError: the public address can not be bound, or forwarding stopped.
    """
    settings, context, loop = program.settings, program.context, program.loop
    others = [name for name in settings.programs() if name != "bus"]
    roster = Roster(settings.programs())
    streams = Streams(settings)
    desk = Desk(program, roster)
    program.details = desk.details

    def joined(topic: topics.Topic, as_written: str) -> None:
        reject(as_written, streams.refuse(topic))

    def no_topic(prefix: str, error: TopicError) -> None:
        reject(prefix, streams.refuse_prefix(prefix, error.problem))

    def reject(topic: str, refusal: Refusal | None) -> None:
        if refusal is not None:
            program.reject_topic(topic[: topics.MAX_TOPIC_BYTES], *refusal)

    program.on_subscription(joined, no_topic=no_topic)

    statuses = context.socket(zmq.SUB)
    statuses.linger = 0
    for name in others:
        statuses.connect(events_address(program.run_dir, name))
    statuses.subscribe(_STATUS_PREFIX)
    loop.add_reader(statuses, lambda: _take_statuses(statuses, roster))

    def forwarding_ended() -> None:
        raise StartError("forwarding stopped; the bus ends so that it is started afresh")

    forwarder = Forwarder(
        context,
        events_address(program.run_dir, "bus"),
        [OWN_EVENTS, *(events_address(program.run_dir, name) for name in others)],
        high_water_mark=settings.bus.high_water_mark,
        ended=lambda: loop.call_soon_threadsafe(forwarding_ended),
    )
    program.set_state("ready")
    program.run(closing=[forwarder.close, desk.close, statuses.close])


def _take_statuses(socket: zmq.Socket[bytes], roster: Roster) -> None:
    while True:
        try:
            topic, body = socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
        try:
            status = codec.decode_event(body)
        except CodecError as error:
            log.warning("< %s: %s", topic.decode(errors="replace"), error)
            continue
        program = topic.decode(errors="replace").removeprefix(_STATUS_PREFIX).removesuffix(".")
        roster.heard(program, status, time.monotonic())
