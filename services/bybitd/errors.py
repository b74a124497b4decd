"""The root of everything that the daemon raises on purpose, and what an exit code means.

BybitdError
+-- ConfigError         the configuration is wrong: exit code 78, not restarted
+-- StartError          the machine is not as it must be: folder, address, missing process
(each package adds its own below BybitdError, in its own errors.py)
"""

from __future__ import annotations

# sysexits.h EX_CONFIG: supervisors are told not to restart a program that ends with it.
EXIT_CONFIG = 78


class BybitdError(Exception):
    """Root of the daemon's errors."""


class ConfigError(BybitdError):
    """Raised for a wrong configuration. Says what is wrong, where, and what to do."""

    def __init__(self, problem: str, *, where: str = "", hint: str = "") -> None:
        self.problem = problem
        self.where = where
        self.hint = hint
        sentence = f"{where}: {problem}" if where else problem
        super().__init__(f"{sentence}; {hint}" if hint else sentence)


class StartError(BybitdError):
    """Raised when a program can not start for a reason outside its configuration."""
