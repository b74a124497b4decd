"""Every sample message of the exchange's documentation, where a copy of them is at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from bybitd.venue.control import AuthResult, Pong, SubscribeAck, TradeReply, classify
from bybitd.venue.instruments import parse
from bybitd.venue.outcome import Result
from bybitd.venue.session import Session
from bybitd.venue.state import state_for
from bybitd.venue.topics import check, split

SAMPLES = Path(__file__).parents[3] / "shared" / "bybit-v5" / "samples"
MESSAGES = sorted(path for path in SAMPLES.glob("ws-*/*.json") if "-req" not in path.stem)
PUBLIC = [path for path in MESSAGES if path.parent.name in ("ws-public", "ws-spread-public")]
INSTRUMENTS = sorted(SAMPLES.glob("rest-market/instrument-*.json"))

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not at hand")


def decoded(path: Path) -> dict[str, Any]:
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_documented_message_is_data_or_a_control_frame_that_is_known(path: Path) -> None:
    session = Session("linear", {}, 0)
    session.take_events()
    message = session.receive(path.read_bytes(), 0)
    if message is not None:
        assert message == decoded(path)
    else:
        known = (AuthResult, Pong, SubscribeAck, TradeReply)
        assert isinstance(classify(decoded(path)), known)


@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.stem)
def test_a_documented_public_message_suits_the_state_of_its_topic(path: Path) -> None:
    message = decoded(path)
    if "topic" not in message:
        pytest.skip("an acknowledgement")
    name = message["topic"]
    stream = "spread" if path.parent.name == "ws-spread-public" else "linear"
    stream = "option" if path.stem == "ticker-option" else stream
    stream = "spot" if path.stem == "ticker-spot" else stream
    topic = check(stream, name)
    assert split(name) == (topic.kind, topic.parameter, topic.subject)
    state = state_for(topic)
    outcome = state.apply(message)
    assert outcome.result in (Result.APPLIED, Result.WAITING)
    if outcome.publish and topic.behaviour.has_state:
        assert state.message() == message


@pytest.mark.parametrize("path", INSTRUMENTS, ids=lambda path: path.stem)
def test_a_documented_instrument_is_understood(path: Path) -> None:
    result = decoded(path)["result"]
    for row in result["list"]:
        assert parse(result["category"], row).symbol == row["symbol"]
