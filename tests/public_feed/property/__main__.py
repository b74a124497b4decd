"""`make prove-books`: run many cases, print what they were made of, write `build/books.json`.

Cases have the seeds SEED, SEED + 1, ...; one that fails is run again by CASES=1 and its seed.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec

from tests.public_feed.property.case import Wrong, run_case

_EVERY_S = 10.0


def main():
    """Run the cases and return 1 if one of them broke a promise."""
    parser = argparse.ArgumentParser(prog="make prove-books", description=__doc__)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1, help="of the first case")
    parser.add_argument("--out", type=Path, default=Path("build/books.json"))
    options = parser.parse_args()
    begin_s = told_s = time.monotonic()
    sums, counted = Counter(), {name: Counter() for name in ("faults", "asked", "topics", "feed")}
    wrong = []
    for seed in range(options.seed, options.seed + options.cases):
        try:
            outcome = run_case(seed)
        except Wrong as error:
            wrong.append(seed)
            print(f"WRONG {error}", flush=True)
            continue
        counted["faults"] += outcome.faults
        counted["topics"] += outcome.topics
        counted["feed"] += outcome.counters
        counted["asked"].update({" ".join(key): n for key, n in outcome.asked.items()})
        for name in ("compared", "final", "events", "cured", "missing"):
            sums[name] += getattr(outcome, name)
        if time.monotonic() - told_s > _EVERY_S:
            told_s = time.monotonic()
            print(f"{seed - options.seed + 1} of {options.cases}, {len(wrong)} wrong", flush=True)
    report = {
        "cases": options.cases,
        "seed": options.seed,
        "wrong_seeds": wrong,
        "books_compared_while_live": sums["compared"],
        "books_compared_at_the_end": sums["final"],
        "events_handed_over": sums["events"],
        "messages_cured": sums["cured"],
        "messages_told_missing": sums["missing"],
        **{name: dict(sorted(counter.items())) for name, counter in counted.items()},
        "seconds": round(time.monotonic() - begin_s, 1),
    }
    text = msgspec.json.format(msgspec.json.encode(report))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(text + b"\n")
    print(text.decode())
    if wrong:
        print(f"again: make prove-books CASES=1 SEED={wrong[0]}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
