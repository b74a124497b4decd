"""`make chaos`: at least a thousand orders through faults, compared with what really happened.

Writes `build/chaos.json` and ends with 1 if anything was doubled, lost, misreported or unsettled.
"""

from __future__ import annotations

import argparse
import multiprocessing
import secrets
import sys
import time
from pathlib import Path

import msgspec

from tests.chaos import campaign
from tests.chaos.campaign import Result


def main() -> int:
    """Run the campaign in worlds side by side and add up what came of it."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="faults to strike (%(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="draws the same again")
    parser.add_argument("--worlds", type=int, default=2, help="side by side (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("build/chaos.json"))
    options = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    print(f"{options.runs} runs, seed {seed}", flush=True)
    began_s = time.monotonic()
    share = -(-options.runs // options.worlds)
    total = Result(seed)
    with multiprocessing.get_context("spawn").Pool(options.worlds) as pool:
        arguments = [(seed + number, share) for number in range(options.worlds)]
        for result in pool.starmap(campaign.run, arguments, chunksize=1):
            total.add(result)
    for step, count in sorted(total.steps.items()):
        print(f"  {count:5}  {step}")
    for detail in total.details:
        print(detail)
    figures = total.figures()
    told = {name: value for name, value in figures.items() if isinstance(value, int)}
    print(" ".join(f"{name} {value}" for name, value in told.items()))
    print(f"{time.monotonic() - began_s:.0f} s")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")
    return 1 if total.faults else 0


if __name__ == "__main__":
    sys.exit(main())
