from __future__ import annotations

import itertools
import struct

import pytest
import websocket
from hypothesis import given
from hypothesis import strategies as st

from bybitd.net.frames import MAX_MESSAGE_BYTES, FrameReader, Opcode, build, close_payload


def server_frame(opcode: int, payload: bytes, final: bool = True) -> bytes:
    head = (0x80 if final else 0) | opcode
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", head, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", head, 126, size) + payload
    return struct.pack("!BBQ", head, 127, size) + payload


class Pieces:
    """A socket of given bytes, for websocket-client's own parser."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def recv(self, count: int) -> bytes:
        piece, self._data = self._data[:count], self._data[count:]
        if not piece:
            raise EOFError
        return piece


def oracle(data: bytes) -> list[tuple[int, bytes]]:
    """What websocket-client makes of the same bytes: (opcode, payload) of data and control."""
    from websocket._abnf import continuous_frame, frame_buffer

    frames = frame_buffer(Pieces(data).recv, skip_utf8_validation=True)
    whole = continuous_frame(fire_cont_frame=False, skip_utf8_validation=True)
    found = []
    try:
        while True:
            frame = frames.recv_frame()
            if frame.opcode in (0, 1, 2):
                whole.validate(frame)
                whole.add(frame)
                if whole.is_fire(frame):
                    _opcode, complete = whole.extract(frame)
                    found.append((1, complete.data))
            else:
                found.append((frame.opcode, frame.data))
    except EOFError:
        return found


def chunks(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


payloads = st.one_of(
    st.binary(max_size=10),
    st.integers(120, 130).map(lambda n: b"m" * n),
    st.sampled_from([65_534, 65_535, 65_536, 70_000]).map(lambda n: b"L" * n),
)
controls = st.tuples(st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125))


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    out = b""
    for _ in range(draw(st.integers(1, 6))):
        for opcode, payload in draw(st.lists(controls, max_size=1)):
            out += server_frame(opcode, payload)
        parts = draw(st.lists(payloads, min_size=1, max_size=3))
        for number, part in enumerate(parts):
            final = number == len(parts) - 1
            out += server_frame(Opcode.CONT if number else Opcode.TEXT, part, final)
            if not final:
                for opcode, payload in draw(st.lists(controls, max_size=1)):
                    out += server_frame(opcode, payload)
    return out


@given(streams(), st.lists(st.integers(0, 200_000), max_size=8))
def test_any_stream_in_any_pieces_reads_as_websocket_client_reads_it(
    data: bytes, cuts: list[int]
) -> None:
    reader, messages = FrameReader(), []
    for chunk in chunks(data, cuts):
        messages += reader.feed(chunk)
    expected = oracle(data)
    assert reader.failure is None
    assert messages == [payload for opcode, payload in expected if opcode == 1]
    assert [(c.opcode, c.payload) for c in reader.controls] == [e for e in expected if e[0] != 1]


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_garbage_never_raises_and_nothing_follows_a_failure(pieces: list[bytes]) -> None:
    reader = FrameReader()
    for piece in pieces:
        failed = reader.failure is not None
        messages = reader.feed(piece)
        assert not (failed and messages)


def failure_of(data: bytes) -> str:
    reader = FrameReader()
    assert reader.feed(data) == []
    assert reader.failure is not None
    assert reader.feed(server_frame(1, b"{}")) == []
    return reader.failure.reason


def test_a_masked_frame_from_the_server_fails_the_connection() -> None:
    assert "mask" in failure_of(b"\x81\x82abcd..")


def test_a_reserved_bit_fails_the_connection() -> None:
    assert "reserved" in failure_of(b"\xc1\x02{}")


def test_an_undefined_opcode_fails_the_connection() -> None:
    assert "opcode" in failure_of(b"\x83\x00")


def test_a_fragmented_ping_fails_the_connection() -> None:
    assert "control" in failure_of(b"\x09\x00")


def test_a_continuation_without_a_beginning_fails_the_connection() -> None:
    assert "begins or goes on" in failure_of(server_frame(0, b"x"))


def test_a_new_message_inside_a_fragmented_one_fails_the_connection() -> None:
    reader = FrameReader()
    reader.feed(server_frame(1, b"a", final=False))
    reader.feed(server_frame(1, b"b"))
    assert reader.failure is not None
    assert reader.failure.code == 1002


def test_a_message_over_the_limit_is_refused_by_its_header_alone() -> None:
    header = struct.pack("!BBQ", 0x81, 127, MAX_MESSAGE_BYTES + 1)
    assert "longer" in failure_of(header)


def test_fragments_together_over_the_limit_are_refused() -> None:
    reader, half = FrameReader(), b"x" * (MAX_MESSAGE_BYTES // 2 + 1)
    reader.feed(server_frame(1, half, final=False))
    reader.feed(server_frame(0, half))
    assert reader.failure is not None
    assert reader.failure.code == 1009


def test_messages_before_a_violation_are_still_delivered() -> None:
    reader = FrameReader()
    assert reader.feed(server_frame(1, b"good") + b"\xc1\x00") == [b"good"]
    assert reader.failure is not None


def test_a_close_frame_gives_its_code_and_reason_and_nothing_after_it_counts() -> None:
    reader = FrameReader()
    closing = server_frame(8, close_payload(1001, "restart"))
    assert reader.feed(server_frame(1, b"a") + closing + server_frame(1, b"b")) == [b"a"]
    assert reader.feed(server_frame(1, b"c")) == []
    assert [control.close_code() for control in reader.controls] == [(1001, "restart")]


def test_a_close_frame_may_be_empty() -> None:
    reader = FrameReader()
    reader.feed(server_frame(8, b""))
    assert reader.controls[0].close_code() == (1005, "")


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 5000])
def test_a_close_code_that_must_not_be_sent_fails_the_connection(code: int) -> None:
    assert "close" in failure_of(server_frame(8, code.to_bytes(2, "big")))


@given(st.sampled_from([Opcode.TEXT, Opcode.PING, Opcode.PONG]), payloads)
def test_what_we_build_is_what_websocket_client_builds_for_the_same_mask(
    opcode: Opcode, payload: bytes
) -> None:
    built = build(opcode, payload)
    start = len(built) - len(payload) - 4
    expected = websocket.ABNF.create_frame(payload, opcode)
    expected.get_mask_key = lambda _size: built[start : start + 4]
    assert built == expected.format()
