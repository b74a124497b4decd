"""A gate that lets everything pass, for tests that are about something else."""

from __future__ import annotations


class OpenGate:
    """Counts what passes and how often a ban was noted."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self.bans = 0

    def enter(self, path: str) -> None:
        self.entered.append(path)

    def banned(self) -> None:
        self.bans += 1
