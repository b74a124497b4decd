from __future__ import annotations

import logging
import sys

from bybitd.log import RedactingFormatter, hide, redact


def line(record: logging.LogRecord) -> str:
    return RedactingFormatter("order-execution-main").format(record)


def test_a_secret_never_appears_in_a_line_whoever_logs_it() -> None:
    hide("hush-hush-secret")
    record = logging.LogRecord(
        "urllib3", logging.ERROR, "", 0, "sent %s", ("key=hush-hush-secret",), None
    )
    assert "hush" not in line(record)
    assert "[hidden]" in line(record)


def test_a_secret_inside_a_traceback_is_hidden_too() -> None:
    hide("hush-hush-secret")
    try:
        raise ValueError("hush-hush-secret")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "oh", (), sys.exc_info())
    text = line(record)
    assert "Traceback" in text
    assert "hush-hush" not in text


def test_a_word_too_short_to_be_a_secret_does_not_blank_the_log() -> None:
    hide("a")
    assert redact("a banana") == "a banana"
