"""Our frames are read by somebody else's parser."""

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websocket._abnf import ABNF, frame_buffer

from bybitd.simulator.wire import frames


def parsed(data):
    rest = memoryview(data)

    def receive(count):
        nonlocal rest
        piece, rest = bytes(rest[:count]), rest[count:]
        return piece

    frame = frame_buffer(receive, skip_utf8_validation=True).recv_frame()
    return frame, bytes(rest)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_every_length_form_is_read_back(size):
    frame, rest = parsed(frames.frame(b"x" * size))
    assert (frame.fin, frame.opcode, frame.data, rest) == (1, ABNF.OPCODE_TEXT, b"x" * size, b"")


def test_a_pong_repeats_its_payload():
    frame, _ = parsed(frames.frame(b"hello", frames.PONG))
    assert (frame.opcode, frame.data) == (ABNF.OPCODE_PONG, b"hello")


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5), st.integers(9, 15))
def test_compressed_frames_are_read_by_a_client_that_keeps_its_context(payloads, bits):
    inflate = zlib.decompressobj(wbits=-bits)
    for payload in payloads:
        data = frames.frame(payload, window_bits=bits)
        assert data[0] == 0xC1
        length = data[1]
        body = data[2:] if length < 126 else data[4:]
        assert inflate.decompress(body + b"\x00\x00\xff\xff") == payload


def test_replies_escape_what_the_exchange_escapes():
    text = frames.encode_reply({"ret_msg": "args size >10", "origin": "a=1&b=<2"})
    assert text == b'{"ret_msg":"args size \\u003e10","origin":"a=1\\u0026b=\\u003c2"}'


def test_garbage_is_not_what_it_should_be():
    frame, _ = parsed(frames.garbage("text"))
    with pytest.raises(json.JSONDecodeError):
        json.loads(frame.data)
    frame, _ = parsed(frames.garbage("utf8"))
    with pytest.raises(UnicodeDecodeError):
        frame.data.decode()
    truncated = frames.garbage("truncated")
    assert int.from_bytes(truncated[2:4], "big") > len(truncated)
