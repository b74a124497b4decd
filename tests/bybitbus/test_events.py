from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitbus.events import EventReader
from bybitbus.sequence import Verdict

TOPIC = b"linear.publicTrade.BTCUSDT."


def test_a_message_becomes_an_event_with_its_verdict() -> None:
    reader = EventReader()
    for seq, verdict, missing in ((1, Verdict.FIRST, 0), (4, Verdict.HOLE, 2)):
        body = {"data": [], "seq": seq, "epoch": 9, "tx": 1}
        event = reader.read([TOPIC, msgpack.packb(body)])
        assert event == (TOPIC.decode(), body, verdict, missing)
    assert (reader.received, reader.malformed) == (2, 0)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"seq": 2}, id="no epoch"),
        pytest.param({"epoch": 9}, id="no seq"),
        pytest.param({"seq": "2", "epoch": 9}, id="seq as a string"),
        pytest.param({"seq": True, "epoch": 9}, id="seq as a boolean"),
        pytest.param({"seq": 2.0, "epoch": 9}, id="seq as a float"),
        pytest.param({"seq": -2, "epoch": 9}, id="seq below zero"),
        pytest.param({"seq": 2, "epoch": -9}, id="epoch below zero"),
        pytest.param({"seq": 2, "epoch": 9, "resend": 1}, id="resend as a number"),
        pytest.param([], id="no map"),
    ],
)
def test_a_body_without_proper_numbers_is_counted_and_passed_over(body: Any) -> None:
    reader = EventReader()
    assert reader.read([TOPIC, msgpack.packb(body)]) is None
    assert reader.malformed == 1
    good = reader.read([TOPIC, msgpack.packb({"seq": 3, "epoch": 9})])
    assert good is not None
    assert good.verdict is Verdict.FIRST  # the bad one left no trace in the numbers


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_no_frames_whatever_make_a_reader_raise(frames: list[bytes]) -> None:
    reader = EventReader()
    event = reader.read(frames)
    assert (reader.received, reader.malformed) == ((1, 0) if event else (0, 1))
