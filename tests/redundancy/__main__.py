"""`python -m tests.redundancy`: what redundant connections are worth, beside a single one."""

from __future__ import annotations

import argparse
import sys

from tests.redundancy import campaign


def main() -> int:
    """Cut one connection a second for a while; return 1 if anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.redundancy", description=__doc__)
    parser.add_argument("--cuts", type=int, default=60)
    parser.add_argument("--rate", type=float, default=200.0, help="order events per symbol and s")
    parser.add_argument("--symbols", type=int, default=10)
    options = parser.parse_args()
    clean = True
    for redundancy in (2, 1):
        cuts = options.cuts if redundancy > 1 else min(options.cuts, 5)
        tally = campaign.run(
            cuts, redundancy=redundancy, rate_per_s=options.rate, symbols=options.symbols
        )
        print(
            f"redundancy {redundancy}: {tally.cuts} cuts, {tally.messages} messages, "
            f"{tally.holes} holes in seq, {tally.missing} updates missing, "
            f"{tally.doubled} trades doubled, topics turned {dict(tally.turns) or 'never'}, "
            f"longest silence of a book {tally.longest_silence_ms:.0f} ms",
            flush=True,
        )
        if redundancy > 1:
            clean = tally.is_clean()
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
