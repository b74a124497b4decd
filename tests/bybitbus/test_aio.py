"""The asyncio client and subscriber over real sockets."""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.asyncio

from bybitbus.aio import Client, Subscriber
from bybitbus.codes import Code
from bybitbus.endpoints import events_address, requests_address
from bybitbus.errors import NoAnswer, PathTooLong, Refused
from bybitbus.events import Event
from bybitbus.publisher import Publisher, Subscription
from bybitbus.sequence import Verdict
from tests.bybitbus.answering import answering

TOPIC, OTHER = "linear.tickers.BTCUSDT.", "linear.tickers.ETHUSDT."


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 20))


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110  what is waited for comes from other threads
        await asyncio.sleep(0.002)


def test_many_tasks_share_one_client(run_dir: Path, async_context: zmq.asyncio.Context) -> None:
    async def main() -> None:
        async with Client(run_dir, client="maker", context=async_context) as client:
            tasks = [asyncio.create_task(client.request("hold", {"n": n})) for n in range(100)]
            await until(lambda: len(server.held) == 100)
            assert await client.request("release") is None
            assert [result["n"] for result in await asyncio.gather(*tasks)] == list(range(100))
            assert len(client.correlation) == 0

    with answering(requests_address(run_dir)) as server:
        run(main())
        assert {request.client for request in server.requests} == {"maker"}


def test_requests_can_be_sent_first_and_their_replies_received_later(
    run_dir: Path, async_context: zmq.asyncio.Context
) -> None:
    async def main() -> None:
        async with Client(run_dir, context=async_context) as client:
            ids = {await client.send("echo", {"n": n}): n for n in range(20)}
            client.give_up(await client.send("echo"))
            assert await client.request("echo", {"own": 1}) == {"own": 1}
            replies = [await client.receive(5000) for _ in ids]
            assert {reply.id: reply.result["n"] for reply in replies if reply} == ids
            assert await client.receive(20) is None

    with answering(requests_address(run_dir)):
        run(main())


def test_an_error_reply_raises_and_silence_is_no_answer(
    run_dir: Path, async_context: zmq.asyncio.Context
) -> None:
    async def main() -> None:
        async with Client(run_dir, context=async_context) as client:
            with pytest.raises(Refused, match="too much"):
                await client.request("refuse")
            with pytest.raises(NoAnswer):
                await client.request("hold", timeout_ms=30)
            assert await client.request("release") is None
            assert client.correlation.late == 1

    with answering(requests_address(run_dir)):
        run(main())


def test_a_request_that_nobody_listens_to_is_refused_and_never_sent_later(
    run_dir: Path, async_context: zmq.asyncio.Context
) -> None:
    async def main() -> None:
        async with Client(run_dir, context=async_context) as client:
            with pytest.raises(Refused) as raised:
                await client.request("echo", {"n": 1}, timeout_ms=30)
            assert raised.value.code == Code.UNAVAILABLE
            with answering(requests_address(run_dir)) as server:
                assert await client.request("echo", {"n": 2}) == {"n": 2}
                assert [request.args for request in server.requests] == [{"n": 2}]
            # ZeroMQ may lose what is sent into a connection that is breaking.
            plain = zmq.Socket.shadow(client.socket)
            await until(lambda: not plain.poll(0, zmq.POLLOUT))
            with answering(requests_address(run_dir)):
                assert await client.request("echo", {"n": 3}) == {"n": 3}

    run(main())


def test_what_is_sent_in_the_moment_that_its_time_is_up_is_not_said_to_be_unsent(
    run_dir: Path, async_context: zmq.asyncio.Context
) -> None:
    async def main() -> None:
        async with Client(run_dir, context=async_context) as client:
            due_s = time.monotonic() + 0.1
            sending = asyncio.create_task(client.send("echo", {"n": 1}, timeout_ms=100))
            await asyncio.sleep(0)
            # The loop is busy while somebody begins to listen and the time passes.
            with answering(requests_address(run_dir)) as server:
                assert select.select([client.socket.fileno()], [], [], 10)[0]
                while time.monotonic() <= due_s:
                    pass
                request_id = await sending
                reply = await client.receive(5000)
                assert reply is not None
                assert (reply.id, reply.result) == (request_id, {"n": 1})
                assert len(server.requests) == 1

    run(main())


def test_a_listener_that_goes_in_the_moment_of_sending_leaves_the_request_unsent(
    run_dir: Path, async_context: zmq.asyncio.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(_body: bytes) -> None:
        raise zmq.Again

    async def main() -> None:
        async with Client(run_dir, context=async_context) as client:
            monkeypatch.setattr(client.socket, "send", gone)
            with pytest.raises(Refused, match="was not sent"):
                await client.request("echo")
            assert len(client.correlation) == 0

    run(main())


def test_a_request_that_is_cancelled_is_given_up(
    run_dir: Path, async_context: zmq.asyncio.Context
) -> None:
    async def main() -> None:
        async with Client(run_dir, context=async_context) as client:
            task = asyncio.create_task(client.request("hold"))
            await until(lambda: server.held)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert len(client.correlation) == 0
            assert await client.request("echo", {"n": 1}) == {"n": 1}

    with answering(requests_address(run_dir)) as server:
        run(main())


def test_a_subscriber_reads_judges_and_changes_its_topics(
    run_dir: Path, async_context: zmq.asyncio.Context
) -> None:
    async def main() -> None:
        async with Subscriber(run_dir, [TOPIC, OTHER], context=async_context) as subscriber:
            await joined(2)
            publisher.socket.send_multipart([TOPIC.encode(), b"\xc1"])
            publisher.publish(TOPIC, {})
            publisher.publish(OTHER, {})
            publisher.publish(TOPIC, {})
            came = []
            async for event in subscriber:
                came.append((event.topic, event.verdict))
                if len(came) == 3:
                    break
            assert came == [
                (TOPIC, Verdict.FIRST),
                (OTHER, Verdict.FIRST),
                (TOPIC, Verdict.NEXT),
            ]
            assert subscriber.reader.malformed == 1
            subscriber.unsubscribe(OTHER)
            subscriber.resubscribe(TOPIC)
            await joined(3)
            publisher.publish(OTHER, {})
            publisher.resend(TOPIC, {})
            again = await subscriber.receive(5000)
            assert again is not None
            assert (again.topic, again.verdict) == (TOPIC, Verdict.RESEND)
            assert await subscriber.receive(20) is None

    async def joined(number: int) -> None:
        came: list[Subscription] = []

        def all_came() -> bool:
            came.extend(publisher.subscriptions())
            return len(came) == number

        await until(all_came)

    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    publisher = Publisher(context, events_address(run_dir), epoch=9)
    try:
        run(main())
    finally:
        publisher.close()
        context.destroy(linger=0)


def test_a_receive_that_is_cancelled_loses_no_event(
    run_dir: Path, async_context: zmq.asyncio.Context
) -> None:
    async def main() -> None:
        async with Subscriber(run_dir, [TOPIC], context=async_context) as subscriber:
            await until(lambda: list(publisher.subscriptions()))
            seqs: list[int] = []
            for _ in range(50):
                waiting = asyncio.create_task(subscriber.receive())
                await asyncio.sleep(0)
                publisher.publish(TOPIC, {})
                await asyncio.sleep(0.001)
                waiting.cancel()
                early = (await asyncio.gather(waiting, return_exceptions=True))[0]
                if isinstance(early, Event):  # it came before it could be cancelled
                    seqs.append(early.body["seq"])
            while (late := await subscriber.receive(200)) is not None:
                seqs.append(late.body["seq"])
            assert seqs == list(range(1, 51))

    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    publisher = Publisher(context, events_address(run_dir), epoch=9)
    try:
        run(main())
    finally:
        publisher.close()
        context.destroy(linger=0)


def test_a_folder_that_is_too_long_is_refused(async_context: zmq.asyncio.Context) -> None:
    async def main() -> None:
        for kind in (Client, Subscriber):
            with pytest.raises(PathTooLong):
                kind("/tmp/" + "x" * 120, context=async_context)

    run(main())
