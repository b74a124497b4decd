from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bybitd.errors import StartError
from bybitd.net.errors import IpBanned, NotSent, OverBudget
from bybitd.net.ip_budget import Purpose
from bybitd.net.ip_gate import FILE, IpGate

# When told to, calls as fast as it can, without end; says how many had left at each refusal.
CALLER = """
import sys
from pathlib import Path
from bybitd.net.errors import OverBudget
from bybitd.net.ip_budget import Purpose
from bybitd.net.ip_gate import IpGate
gate = IpGate(Path(sys.argv[1]), int(sys.argv[2])).of(Purpose.ESSENTIAL)
left = 0
print("ready", flush=True)
sys.stdin.readline()
while True:
    try:
        gate.enter("/v5/x")
        left += 1
    except OverBudget:
        print(left, flush=True)
"""
BANNED = """
import sys, time
from pathlib import Path
from bybitd.net.ip_gate import IpGate
IpGate(Path(sys.argv[1]), 100).banned()
print("banned", flush=True)
time.sleep(60)
"""


@contextmanager
def process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()


def said(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def pass_until_full(gate: IpGate, purpose: Purpose = Purpose.ESSENTIAL) -> int:
    for count in range(1000):
        try:
            gate.enter(purpose, "/v5/x")
        except OverBudget:
            return count
    raise AssertionError("it never fills")


def test_two_processes_have_one_budget_and_a_killed_one_leaves_what_it_used(
    tmp_path: Path,
) -> None:
    with process(CALLER, tmp_path, 600) as one, process(CALLER, tmp_path, 600) as two:
        assert (said(one), said(two)) == ("ready", "ready")
        begun_s = time.monotonic()
        for child in (one, two):
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        left = int(said(one)) + int(said(two))
        took_s = time.monotonic() - begun_s
    # Killed while counting, they hold no lock, and what they used is used.
    with closing(IpGate(tmp_path, 600)) as gate:
        more = pass_until_full(gate)
        at_once = time.monotonic() - begun_s < 5
        assert gate.used() <= 600
    assert left == 600 or took_s > 5
    assert more == 0 or not at_once


def test_a_ban_is_seen_by_every_process_and_survives_the_one_that_was_told(
    tmp_path: Path,
) -> None:
    with closing(IpGate(tmp_path, 100)) as other:
        assert other.banned_until_ms() == 0
        with process(BANNED, tmp_path) as told:
            assert said(told) == "banned"
        for gate in (other, IpGate(tmp_path, 100)):
            until_ms = gate.banned_until_ms()
            assert 590_000 < until_ms - time.time() * 1000 <= 600_000
            with pytest.raises(IpBanned) as caught:
                gate.enter(Purpose.ESSENTIAL, "/v5/order/create")
            assert abs(caught.value.until_ms - until_ms) < 1000
            assert not caught.value.sent


def test_threads_of_one_process_are_counted_like_processes(tmp_path: Path) -> None:
    with closing(IpGate(tmp_path, 200)) as gate:
        counts: list[int] = []
        threads = [
            threading.Thread(target=lambda: counts.append(pass_until_full(gate))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(counts) >= 200
        assert gate.used() <= 200


def test_it_is_said_when_the_next_call_may_leave(tmp_path: Path) -> None:
    with closing(IpGate(tmp_path, 2)) as gate:
        before_ms = time.time() * 1000
        pass_until_full(gate, Purpose.MARKET)
        with pytest.raises(OverBudget) as caught:
            gate.enter(Purpose.MARKET, "/v5/market/time")
        assert not isinstance(caught.value, IpBanned)
        assert before_ms + 4990 < caught.value.until_ms < time.time() * 1000 + 5010
        gate.of(Purpose.ESSENTIAL).enter("/v5/order/create")


def test_only_its_owner_can_read_the_file_and_a_folder_that_is_none_is_named(
    tmp_path: Path,
) -> None:
    with closing(IpGate(tmp_path, 20)):
        assert stat.S_IMODE(os.stat(tmp_path / FILE).st_mode) == 0o600
    with pytest.raises(StartError, match="ip-budget"):
        IpGate(tmp_path / "none", 20)


def test_nothing_leaves_a_program_that_stops(tmp_path: Path) -> None:
    gate = IpGate(tmp_path, 20)
    gate.close()
    gate.close()
    with pytest.raises(NotSent, match="stops"):
        gate.enter(Purpose.ESSENTIAL, "/v5/x")
