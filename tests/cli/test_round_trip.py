"""What is published reaches `bybitd sub --json` as it was: every key, every decimal as its text."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bybitbus import topics
from bybitd.cli.exits import OK
from bybitd.cli.main import main
from bybitd.public_feed.derived.catalogue import DerivedKind, derived
from bybitd.settings import CATEGORIES
from bybitd.venue.topics import PUBLIC_STREAMS, Kind, check
from tests import payloads
from tests.bus.conftest import Bus, FakeProgram

VECTORS = Path(__file__).parents[2] / "ipc" / "vectors" / "events.json"
SAMPLES = Path(__file__).parents[3] / "shared" / "bybit-v5" / "samples"
OURS = ("seq", "epoch", "rx", "tx", "resend")
PRIVATE = "private.main"
# The stream of a message whose name does not tell it.
STREAMS = {name: name for name in ("spot", "inverse", "option", "spread", "system")}
Published = tuple[str, dict[str, Any]]


def stream_of(words: str, message: dict[str, Any]) -> str:
    """Say on which stream a message comes, by the words of its file's name."""
    if "creationTime" in message:
        return PRIVATE
    return next((stream for word, stream in STREAMS.items() if word in words), "linear")


def documented() -> list[Published]:
    """The messages of topics in the exchange's documentation, where a copy of it is at hand."""
    found = []
    for path in sorted(SAMPLES.glob("ws-*/*.json")):
        folder = path.parent.name
        if "-req" in path.stem or "rfq" in folder:
            continue
        message = json.loads(path.read_text())
        if "topic" in message:
            stream = stream_of(f"{folder} {path.stem}", message)
            found.append((topics.join(stream, message["topic"]), message))
    return found


def ours() -> list[Published]:
    """The messages that come with the tests."""
    names = sorted(path.stem for path in payloads.FOLDER.glob("ws_*.json"))
    envelopes = [(name, payloads.envelope(name)) for name in names]
    return [
        (topics.join(stream_of(name, message), message["topic"]), message)
        for name, message in envelopes
    ]


def vectors() -> list[Published]:
    """The golden messages of the topics that have a stream of the exchange."""
    found = []
    for entry in json.loads(VECTORS.read_text()):
        if not entry["topic"].startswith("gateway."):
            body = {key: value for key, value in entry["body"].items() if key not in OURS}
            found.append((entry["topic"], body))
    return found


class Source:
    """Publishes each message of a topic once, when somebody has subscribed to it."""

    def __init__(self, program: FakeProgram, messages: list[Published]) -> None:
        self._publisher = program.publisher
        self._waiting: dict[str, list[dict[str, Any]]] = {}
        for topic, body in messages:
            self._waiting.setdefault(topic, []).append(body)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._publisher.socket.poll(20)
            for prefix, joined in self._publisher.subscriptions():
                for body in self._waiting.pop(prefix, []) if joined else []:
                    self._publisher.publish(prefix, dict(body), 1_790_000_000_000_000_001)

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()


@pytest.fixture(scope="module")
def bus() -> Iterator[Bus]:
    folder = Path(tempfile.mkdtemp(prefix="bb", dir="/tmp"))
    started = Bus(folder, "environment: sim\n")
    try:
        yield started
    finally:
        started.close()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def program(bus: Bus) -> FakeProgram:
    return bus.play("public-feed-linear")


def same(read: Any, sent: Any) -> bool:
    """Tell whether two values are equal and of the same types, all the way down."""
    if type(read) is not type(sent):
        return False
    if isinstance(sent, dict):
        return list(read) == list(sent) and all(same(read[key], sent[key]) for key in sent)
    if isinstance(sent, list):
        return len(read) == len(sent) and all(map(same, read, sent))
    return bool(read == sent)


@pytest.mark.parametrize("collect", [documented, ours, vectors], ids=lambda each: each.__name__)
def test_each_message_reads_back_key_by_key(
    bus: Bus,
    program: FakeProgram,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    collect: Any,
) -> None:
    messages: list[Published] = collect()
    if not messages:
        pytest.skip("the samples of the documentation are not at hand")
    monkeypatch.setenv("BYBITD_RUN_DIR", str(bus.run_dir))
    asked = list(dict.fromkeys(topic for topic, _ in messages))
    source = Source(program, messages)
    try:
        count = str(len(messages))
        assert main(["sub", *asked, "--count", count, "--seconds", "30", "--json"]) == OK
    finally:
        source.close()
    read: dict[str, list[dict[str, Any]]] = {}
    for line in capsys.readouterr().out.splitlines():
        event = json.loads(line)
        body = event["body"]
        assert {"seq", "epoch", "rx", "tx"} <= body.keys()
        read.setdefault(event["topic"], []).append(
            {key: value for key, value in body.items() if key not in OURS}
        )
    for topic, sent in messages:
        assert same(read[topic].pop(0), sent), topic


def test_there_is_a_message_of_every_kind_of_topic() -> None:
    messages = [*ours(), *vectors()]
    public = [topics.split(topic) for topic, _ in messages if not topic.startswith("private.")]
    assert {topic.stream for topic in public} == {*CATEGORIES, "system"} == set(PUBLIC_STREAMS)
    made = [derived(topic.stream, topic.name) for topic in public]
    assert {each.kind for each in made if each is not None} == set(DerivedKind)
    theirs = [topic for topic, each in zip(public, made, strict=True) if each is None]
    assert {check(topic.stream, topic.name).kind for topic in theirs} == set(Kind)
