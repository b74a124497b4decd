"""What a program runs with, and how that changes while it runs (`ipc/PROTOCOL.md`, "Reload").

The bus has checked the file and names its content by its hash: all programs take over the same
bytes or none of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from bybitbus.codes import Code
from bybitbus.messages import ErrorBody, gateway_error
from bybitbus.server import Call
from bybitd import log as log_module
from bybitd.errors import ConfigError
from bybitd.runtime import config_file
from bybitd.runtime.arguments import Argument, wrong
from bybitd.runtime.changes import changed, concerns, in_force
from bybitd.runtime.config_file import ConfigFile
from bybitd.settings import Settings

OP: Final = "gateway.reload"
_FIELDS: Final = {"sha256": Argument(str, required=True), "check": Argument(bool)}
Use = Callable[[Settings], None]
log = logging.getLogger(__name__)


class Reload:
    """Keeps the settings of one program. `file` is None for the built-in defaults.

    `settings` is what is in force: a key that needs a restart keeps its value until then.
    """

    def __init__(self, program: str, settings: Settings, file: ConfigFile | None) -> None:
        self.settings = settings
        self.file = file
        self._program = program
        self._pending: list[str] = []
        self._checks: list[Use] = []
        self._uses: list[Use] = [_log_level]

    def on_change(self, use: Use, check: Use | None = None) -> None:
        """Call `use` with settings that hold from now on. `check` is asked before with what the
        file says, and raises ConfigError where this program could not be started with it.
        """
        self._uses.append(use)
        if check is not None:
            self._checks.append(check)

    def describe(self) -> Mapping[str, Any]:
        """Return what the status shows of it."""
        if self.file is None:
            return {}
        return {"config": {"sha256": self.file.sha256, "needs_restart": self._pending}}

    def serve(self, call: Call) -> None:
        """Check or take over the content that the bus names."""
        request = call.request
        if (refusal := wrong(request.op, request.args, _FIELDS)) is not None:
            call.fail(refusal)
            return
        try:
            found = self.read(request.args["sha256"])
            self.check(found)
        except ConfigError as error:
            call.fail(bad_config(error))
            return
        call.succeed({} if request.args.get("check", False) else self.take(found))

    def read(self, sha256: str = "") -> ConfigFile:
        """Read the file again.

        Raises:
            ConfigError: there is none, it is wrong, or its content is not the one of this hash.
        """
        if self.file is None:
            raise ConfigError(
                "the daemon was started without a configuration file: there is nothing to reload",
                hint="start it with --config FILE",
            )
        found = config_file.read(self.file.path)
        if sha256 and found.sha256 != sha256:
            raise ConfigError(
                "was changed while it was being reloaded",
                where=str(found.path),
                hint="reload again",
            )
        return found

    def check(self, found: ConfigFile) -> None:
        """See that this program could be started with it.

        Raises:
            ConfigError: it could not.
        """
        if self._program not in found.settings.programs():
            return  # it will be gone after a restart, and goes on until then
        try:
            for check in self._checks:
                check(found.settings)
        except ConfigError as error:
            where = f"{found.locate(error.where)}: {error.where}"
            raise ConfigError(error.problem, where=where, hint=error.hint) from None

    def take(self, found: ConfigFile) -> dict[str, list[str]]:
        """Use what holds without a restart; return the keys of what changed, as far as they
        concern this program: `applied`, `restart`.
        """
        new = in_force(self.settings, found.settings)
        applied = self._concerned(changed(self.settings, new))
        if applied:
            for use in self._uses:
                use(new)
        self.settings, self.file = new, found
        self._pending = self._concerned(changed(new, found.settings))
        log.info(
            "= configuration read again: %s; needs a restart: %s",
            ", ".join(applied) or "nothing to apply",
            ", ".join(self._pending) or "nothing",
        )
        return {"applied": applied, "restart": self._pending}

    def _concerned(self, keys: list[str]) -> list[str]:
        return [key for key in keys if concerns(key, self._program)]


def bad_config(error: ConfigError) -> ErrorBody:
    """Return the answer to a reload of a file that can not be used."""
    where = f"{error.where}: " if error.where else ""
    return gateway_error(Code.BAD_CONFIG, f"{where}{error.problem}", hint=error.hint)


def _log_level(settings: Settings) -> None:
    log_module.set_level(settings.log.level)
