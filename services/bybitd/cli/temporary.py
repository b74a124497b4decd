"""A daemon of its own in folders of its own, gone without a trace at the end."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bybitd import settings_file
from bybitd.cli import daemon, readiness
from bybitd.cli.place import Place
from bybitd.errors import StartError

_DOWN_S = 30.0


@contextmanager
def temporary_daemon(configuration: str, prefix: str = "bybitd-") -> Iterator[Daemon]:
    """Bring a daemon up with this YAML text, and down again at the end; it may still be starting.

    Should this process be killed, the daemon ends with it.
    """
    # Not $TMPDIR: that may be too long for a socket's path.
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    try:
        config = folder / "bybitd.yaml"
        config.write_text(configuration, encoding="utf-8")
        here = Place(
            settings=settings_file.load(config),
            config=config,
            run_dir=folder / "run",
            state_dir=folder / "state",
        )
        with open(folder / "up.log", "wb") as output:
            process = subprocess.Popen(  # noqa: S603  our own interpreter and verb
                daemon.command(here, "--parent", str(os.getpid())),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for us; we end the daemon in order
            )
        try:
            yield Daemon(here, process, folder / "up.log")
        finally:
            _end(here, process)
    finally:
        shutil.rmtree(folder)


class Daemon:
    """What `temporary_daemon` started."""

    def __init__(self, here: Place, process: subprocess.Popen[bytes], log: Path) -> None:
        self.place = here
        self._process = process
        self._log = log

    def wait_ready(self, timeout_s: float, waiting: Callable[[], None] = lambda: None) -> None:
        """Wait until all programs are ready; `waiting()` is called now and then.

        Raises:
            StartError: one is not, after `timeout_s` or because it never will be.
        """

        def hopeless() -> bool:
            waiting()
            return self._process.poll() is not None or bool(daemon.given_up(self.place.run_dir))

        missing = readiness.wait(self.place.run_dir, timeout_s, hopeless)
        if (code := self._process.poll()) is not None:
            said = self._log.read_text(encoding="utf-8", errors="replace").strip()
            raise StartError(f"the supervisor ended with code {code}: {said}")
        if missing:
            listed = "; ".join(f"{name}: {reason}" for name, reason in missing.items())
            raise StartError(f"not ready: {listed}{self._last_words(missing)}")

    def _last_words(self, missing: dict[str, str]) -> str:
        # The folders are removed at the end, so the log is shown now or never.
        words = ""
        for program in missing:
            log = self.place.state_dir / "log" / f"{program}.log"
            if log.is_file():
                lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:]
                words += "".join(f"\n  {line}" for line in lines)
        return words


def _end(here: Place, process: subprocess.Popen[bytes]) -> None:
    try:
        if process.poll() is None:
            daemon.stop(here.run_dir, _DOWN_S)
            process.wait(_DOWN_S)
    except (StartError, subprocess.TimeoutExpired):
        process.kill()  # its children end with it (PDEATHSIG)
        process.wait()
