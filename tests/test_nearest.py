"""What may have been meant by a word that is not known."""

from __future__ import annotations

from bybitd.nearest import nearest


def test_the_word_that_is_most_alike_is_named_and_none_if_none_is_near() -> None:
    known = ("symbol", "side", "category")
    assert nearest("symbl", known) == "symbol"
    assert nearest("sied", known) == "side"
    assert nearest("quantity", known) == ""
    assert nearest("symb", known, 0.9) == ""
    assert nearest("anything", ()) == ""
