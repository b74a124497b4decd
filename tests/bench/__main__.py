"""`make bench`: measure, print a table, write `build/bench.json` (a flat map of numbers).

Every figure stands beside a baseline that was measured in the same run, because the machine is
shared and its speed changes by the hour: compare ratios, not numbers of two days.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable
from pathlib import Path

import msgspec

from tests.bench import feed, latency, memory, orders, symbols600

_PARTS: dict[str, Callable[[], dict[str, float]]] = {
    "feed": feed.measure,
    "latency": latency.measure,
    "orders": orders.measure,
    "memory": memory.measure,
    "symbols600": symbols600.measure,
}
_WHAT = {
    "feed": "Feed throughput: exchange frame to decoded message in another process",
    "latency": f"One-way latency at {latency.RATE_PER_S} messages per second",
    "orders": "Order round trip: client to acknowledgement of the exchange and back",
    "memory": "Resident memory with a few subscribers",
    "symbols600": "600 symbols with books, trades and tickers at once, through the bus",
}


def main() -> None:
    """Measure the parts that are named, all of them without names."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*_PARTS, []], help="which parts (all)")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"))
    options = parser.parse_args()
    figures: dict[str, float] = {}
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}")
    for name in options.parts or _PARTS:
        print(f"\n{_WHAT[name]}")
        found = _PARTS[name]()
        for figure, value in found.items():
            print(f"  {figure:52} {value:>14,.2f}", flush=True)
        figures |= found
    options.out.parent.mkdir(parents=True, exist_ok=True)
    rounded = {name: round(value, 3) for name, value in figures.items()}
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(rounded)) + b"\n")
    print(f"\nwritten to {options.out}")


if __name__ == "__main__":
    main()
