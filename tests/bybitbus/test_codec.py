from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bybitbus import codec
from bybitbus.codes import Code, Origin, Outcome
from bybitbus.errors import CodecError
from bybitbus.messages import ErrorBody, Reply, Request

DECODERS: list[Callable[[bytes], Any]] = [
    codec.decode_event,
    codec.decode_request,
    codec.decode_reply,
]

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)
maps = st.dictionaries(st.text(max_size=12), values, max_size=8)
requests = st.builds(
    Request,
    id=st.text(max_size=36),
    op=st.text(max_size=20),
    args=maps,
    account=st.text(max_size=24),
    client=st.text(max_size=24),
    deadline_ms=st.none() | st.integers(0, 2**62),
)
errors = st.builds(
    ErrorBody,
    code=st.sampled_from(Code),
    message=st.text(),
    origin=st.sampled_from(Origin),
    outcome=st.sampled_from(Outcome),
    retry_safe=st.booleans(),
    hint=st.text(),
    exchange=st.none() | maps,
)
replies = st.builds(
    Reply,
    id=st.text(max_size=36),
    ok=st.booleans(),
    result=values,
    error=st.none() | errors,
    t=st.dictionaries(st.text(max_size=12), st.integers(0, 2**63)),
)


@given(maps)
def test_an_event_has_the_bytes_of_the_msgpack_package_and_comes_back(body: Any) -> None:
    encoded = codec.encode(body)
    assert encoded == msgpack.packb(body, use_bin_type=True)
    assert codec.decode_event(encoded) == body


@given(requests)
def test_a_request_comes_back_as_it_was(request: Request) -> None:
    assert codec.decode_request(codec.encode(request)) == request


@given(replies)
def test_a_reply_comes_back_as_it_was(reply: Reply) -> None:
    assert codec.decode_reply(codec.encode(reply)) == reply


@pytest.mark.parametrize("decode", DECODERS)
@given(st.binary(max_size=200))
def test_garbage_is_a_codec_error_and_nothing_else(
    decode: Callable[[bytes], Any], garbage: bytes
) -> None:
    with suppress(CodecError):
        decode(garbage)
    assert isinstance(codec.salvage_id(garbage), str)


@pytest.mark.parametrize("decode", DECODERS)
@given(request=requests, place=st.floats(0, 1), byte=st.integers(0, 255))
def test_a_damaged_request_is_a_codec_error_or_another_message(
    decode: Callable[[bytes], Any], request: Request, place: float, byte: int
) -> None:
    damaged = bytearray(codec.encode(request))
    damaged[min(int(place * len(damaged)), len(damaged) - 1)] = byte
    with suppress(CodecError):
        decode(bytes(damaged))


@given(requests, st.data())
def test_a_truncated_request_is_a_codec_error(request: Request, data: st.DataObject) -> None:
    encoded = codec.encode(request)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(CodecError):
        codec.decode_request(encoded[:cut])


@pytest.mark.parametrize("decode", DECODERS)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\x81\xa4args" + b"\x91" * 200_000 + b"\xc0", id="deep lists"),
        pytest.param(b"\x81\xa4args" + b"\x81\xa1a" * 200_000 + b"\xc0", id="deep maps"),
        pytest.param(b"\x81\xa4args\xdd\xff\xff\xff\xff", id="a list said to be huge"),
        pytest.param(b"\x81\xa4args\xd7\xff" + b"\xff" * 8, id="a time out of range"),
        pytest.param(b"\x81\xa4args\x81\x80\x01", id="a map as a key"),
        pytest.param(b"\x81\xa4args\xa2\xff\xff", id="a string that is no UTF-8"),
        pytest.param(b"\x81\xa2\xff\xff\x01", id="a key that is no UTF-8"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x90", id="a list"),
        pytest.param(b"\x81\x01\x01", id="a number as a key"),
    ],
)
def test_a_hostile_frame_is_a_codec_error(decode: Callable[[bytes], Any], body: bytes) -> None:
    with pytest.raises(CodecError):
        decode(body)
    assert codec.salvage_id(body) == ""


@pytest.mark.parametrize(
    ("loose", "names"),
    [
        ({"id": "1", "op": "x", "arg": {}}, "unknown field `arg`"),
        ({"id": "1"}, "required field `op`"),
        ({"op": "x"}, "required field `id`"),
        ({"id": 1, "op": "x"}, "id: Expected `str`"),
        ({"id": "1", "op": "x", "args": []}, "args: Expected `object`"),
        ({"id": "1", "op": "x", "deadline_ms": 1.5}, "deadline_ms: Expected `int"),
        ({"id": "1", "op": "x", "account": None}, "account: Expected `str`"),
    ],
)
def test_a_request_of_another_shape_is_refused_with_the_name_of_the_field(
    loose: dict[str, Any], names: str
) -> None:
    with pytest.raises(CodecError, match=names):
        codec.decode_request(msgpack.packb(loose))


def test_a_request_above_the_limit_is_refused_before_it_is_read() -> None:
    body = codec.encode(Request(id="1", op="x", args={"a": "x" * codec.MAX_REQUEST_BYTES}))
    with pytest.raises(CodecError, match=r"at most 1048576"):
        codec.decode_request(body)


def test_a_reply_may_carry_keys_that_are_not_known_yet() -> None:
    reply = codec.decode_reply(msgpack.packb({"id": "1", "ok": True, "later": 1}))
    assert reply == Reply(id="1", ok=True)


def test_the_id_of_a_request_that_can_not_be_read_is_salvaged() -> None:
    assert codec.salvage_id(msgpack.packb({"id": "7", "op": 3})) == "7"
    assert codec.salvage_id(msgpack.packb({"id": 7, "op": "x"})) == ""
