from __future__ import annotations

import os
import signal
import socket
import threading
import time

import pytest
import zmq

from bybitd.runtime.loop import Loop


def test_timers_run_in_order_of_their_moment_and_a_cancelled_one_not_at_all() -> None:
    loop, ran = Loop(), []
    loop.call_later(0.03, lambda: (ran.append("late"), loop.stop()))
    loop.call_later(0.01, lambda: ran.append("early"))
    loop.call_later(0.02, lambda: ran.append("never")).cancel()
    loop.run()
    loop.close()
    assert ran == ["early", "late"]


def test_a_periodic_callback_that_was_late_keeps_the_beat_and_does_not_catch_up() -> None:
    loop, moments = Loop(), []

    def beat() -> None:
        moments.append(time.monotonic())
        if len(moments) == 1:
            time.sleep(0.13)  # misses two beats
        if len(moments) == 3:
            loop.stop()

    begin = time.monotonic()
    loop.call_every(0.05, beat)
    loop.run()
    loop.close()
    beats = [(moment - begin) / 0.05 for moment in moments]
    assert beats[1] >= 3.9
    assert beats[2] - beats[1] >= 0.5


def test_a_descriptor_and_a_zmq_socket_wake_the_same_loop() -> None:
    loop, heard = Loop(), []
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    ours, theirs = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    ours.bind("inproc://loop")
    theirs.connect("inproc://loop")
    left, right = socket.socketpair()

    def note(text: bytes) -> None:
        heard.append(text)
        if len(heard) == 2:
            loop.stop()

    loop.add_reader(ours, lambda: note(ours.recv()))
    loop.add_reader(left.fileno(), lambda: note(left.recv(10)))
    theirs.send(b"zmq")
    right.send(b"tcp")
    loop.run()
    loop.close()
    left.close()
    right.close()
    context.destroy(0)
    assert sorted(heard) == [b"tcp", b"zmq"]


def test_a_source_removed_by_another_callback_of_the_same_turn_is_not_called() -> None:
    loop = Loop()
    pairs = [socket.socketpair() for _ in range(2)]
    called = []

    def first_come(number: int) -> None:
        called.append(number)
        loop.remove(pairs[1 - number][0].fileno())
        loop.remove(pairs[number][0].fileno())
        loop.call_later(0.01, loop.stop)

    for number, (left, right) in enumerate(pairs):
        loop.add_reader(left.fileno(), lambda number=number: first_come(number))
        right.send(b"x")
    loop.run()
    loop.close()
    for left, right in pairs:
        left.close()
        right.close()
    assert len(called) == 1


def test_a_thread_wakes_a_loop_that_sleeps() -> None:
    loop, where = Loop(), []

    def here() -> None:
        where.append(threading.current_thread())
        loop.stop()

    thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(here))
    loop.call_later(0.02, thread.start)
    begin = time.monotonic()
    loop.run()
    loop.close()
    thread.join()
    assert where == [threading.current_thread()]
    assert time.monotonic() - begin < 0.9  # it did not wait for the idle turn


def test_a_signal_ends_the_loop_after_its_turn() -> None:
    loop = Loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        loop.stop_on_signals()
        loop.call_later(0.01, lambda: os.kill(os.getpid(), signal.SIGTERM))
        loop.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        loop.close()


def test_a_defect_in_a_callback_ends_the_loop_instead_of_hiding() -> None:
    loop = Loop()
    loop.call_later(0, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        loop.run()
    loop.close()
