"""What somebody may have meant by a word that is not known. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], least: float = 0.6) -> str:
    """Return the known word most like `word`, or "" if none is near.

    `least` is how much alike they must be, from 0 to 1 (the ratio of `difflib`).
    """
    import difflib  # costs memory in every process and is needed only for a mistake

    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=least)), "")
