"""The golden messages bind the `msgpack` package, our codec and the files to each other."""

from __future__ import annotations

import json
from typing import Any

import msgpack
import msgspec
import pytest

from bybitbus import codec, topics
from bybitbus.codes import Code
from bybitbus.events import EventReader
from bybitbus.messages import ErrorBody, Reply, Request
from bybitbus.ops import OPS
from tests.bybitbus.make_vectors import FOLDER, files


def vectors(name: str) -> list[Any]:
    loaded: list[dict[str, Any]] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return [pytest.param(vector, id=vector["name"]) for vector in loaded]


@pytest.mark.parametrize("name", ["events.json", "requests.json", "replies.json"])
def test_the_files_are_what_their_generator_writes(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == files()[name]


@pytest.mark.parametrize(
    "vector", vectors("events.json") + vectors("requests.json") + vectors("replies.json")
)
def test_the_msgpack_package_and_our_codec_agree_on_the_bytes_both_ways(
    vector: dict[str, Any],
) -> None:
    body = bytes.fromhex(vector["body_hex"])
    assert msgpack.packb(vector["body"], use_bin_type=True) == body
    assert codec.encode(vector["body"]) == body
    assert msgpack.unpackb(body) == vector["body"]
    assert codec.decode_event(body) == vector["body"]


@pytest.mark.parametrize("vector", vectors("events.json"))
def test_an_event_of_the_vectors_is_read_as_an_event(vector: dict[str, Any]) -> None:
    frames = [bytes.fromhex(vector["topic_hex"]), bytes.fromhex(vector["body_hex"])]
    event = EventReader().read(frames)
    assert event is not None
    assert (event.topic, event.body) == (vector["topic"], vector["body"])
    assert str(topics.split(event.topic)) == event.topic


@pytest.mark.parametrize("vector", vectors("requests.json"))
def test_a_request_of_the_vectors_is_exactly_what_our_client_sends(vector: dict[str, Any]) -> None:
    body = bytes.fromhex(vector["body_hex"])
    request = codec.decode_request(body)
    assert request == Request(**vector["body"])
    assert codec.encode(request) == body
    assert request.op in OPS


@pytest.mark.parametrize("vector", vectors("replies.json"))
def test_a_reply_of_the_vectors_is_exactly_what_our_server_sends(vector: dict[str, Any]) -> None:
    body = bytes.fromhex(vector["body_hex"])
    reply = codec.decode_reply(body)
    assert codec.encode(reply) == body
    assert msgspec.to_builtins(reply) == vector["body"]
    assert (reply.error is None) == reply.ok


def test_the_vectors_show_errors_of_each_origin_and_an_unknown_outcome() -> None:
    errors = [
        msgspec.convert(vector.values[0]["body"]["error"], ErrorBody)
        for vector in vectors("replies.json")
        if not vector.values[0]["body"]["ok"]
    ]
    assert {error.origin for error in errors} == {"gateway", "exchange", "network"}
    assert {error.outcome for error in errors} == {"rejected", "unknown"}
    assert len({error.code for error in errors} & set(Code)) >= 5


def test_an_encoded_reply_leaves_out_what_is_empty() -> None:
    assert msgpack.unpackb(codec.encode(Reply(id="1", ok=True))) == {"id": "1", "ok": True}
