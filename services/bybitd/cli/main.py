"""The command `bybitd`: one verb per thing to do, each in the module of its family."""

from __future__ import annotations

import argparse
import os
import sys

from bybitd.cli import exits


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and return the exit code (see `exits`).

    What goes wrong is said on standard error, with --json also as a document on standard output.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["run"]:  # a process of the daemon: load what it needs and nothing else
        return _run(arguments)
    from bybitbus.errors import BusError, NoAnswer, PathTooLong, Refused
    from bybitd.cli.unreachable import Unreachable
    from bybitd.errors import BybitdError, ConfigError

    options = _parser().parse_args(arguments)
    try:
        return int(options.verb(options))
    except (ConfigError, PathTooLong) as error:
        return _complain(options, "configuration", error, exits.CONFIG)
    except Unreachable as error:
        return _complain(options, "unreachable", error, exits.UNREACHABLE)
    except NoAnswer as error:
        return _complain(options, "unknown", error, exits.UNKNOWN)
    except Refused as error:
        if error.outcome == "unknown":
            return _complain(options, "unknown", error, exits.UNKNOWN, error.code)
        return _complain(options, "refused", error, exits.FAILED, error.code)
    except (BybitdError, BusError) as error:
        return _complain(options, "error", error, exits.FAILED)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        # Whoever read us (`| head`) has enough. Python would complain once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.OK


def _run(arguments: list[str]) -> int:
    from bybitd.cli import run

    parser = argparse.ArgumentParser(prog="bybitd")
    run.add_verb(parser.add_subparsers(required=True))
    options = parser.parse_args(arguments)
    return int(options.verb(options))


def _parser() -> argparse.ArgumentParser:
    from bybitd.cli import (
        account,
        config,
        daemon,
        demo,
        events,
        journal,
        kill,
        logs,
        orders,
        position,
        reload,
        rest,
        sim,
        status,
    )

    parser = argparse.ArgumentParser(
        prog="bybitd",
        description="Owns the connections to Bybit V5 and shares them over a local ZeroMQ bus.",
        epilog=exits.EXPLAINED,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    trading = (orders, position, account, journal, kill)
    for family in (daemon, reload, status, logs, config, events, rest, *trading, sim, demo):
        family.add_verbs(verbs)
    return parser


def _complain(
    options: argparse.Namespace, kind: str, error: Exception, exit_code: int, code: str = ""
) -> int:
    print(f"bybitd: {kind}: {error}", file=sys.stderr)
    if options.json:
        from bybitd.cli import display

        refusal = {"code": code} if code else {}
        display.print_json({"ok": False, "error": {"kind": kind, **refusal, "message": str(error)}})
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
