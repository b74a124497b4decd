"""`python -m tests.chaos.child run PROGRAM ...`: a program of the daemon that can be killed."""

from __future__ import annotations

import sys

from bybitd.cli.main import main
from tests.chaos import points

if __name__ == "__main__":
    points.install(sys.argv[2])
    sys.exit(main(sys.argv[1:]))
