"""What the exit codes of `bybitd` mean. They are the same for every verb."""

from __future__ import annotations

from bybitd.errors import EXIT_CONFIG

OK = 0
FAILED = 1  # refused, not ready, or not found: it was certainly not done
USAGE = 2  # argparse's own
UNREACHABLE = 3  # no daemon answers here; nothing was done
UNKNOWN = 4  # a write whose outcome is not known: look it up before doing anything else
CONFIG = EXIT_CONFIG  # 78
INTERRUPTED = 130  # Ctrl-C

EXPLAINED = """\
exit codes:
  0    done
  1    refused, not ready or not found; certainly not done
  2    wrong usage of the command line
  3    no daemon answers in this run folder; nothing was done
  4    the outcome is not known: look it up before doing anything else
  78   the configuration is wrong
  130  interrupted
"""
