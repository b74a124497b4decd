"""The document of the wire names exactly what the code has."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from bybitbus import codec, endpoints, publisher, server, topics
from bybitbus.codes import PROTOCOL_VERSION, Code, Origin, Outcome
from bybitbus.messages import ErrorBody, Reply, Request
from bybitbus.ops import OPS

TEXT = (Path(__file__).parents[2] / "ipc" / "PROTOCOL.md").read_text(encoding="utf-8")
QUOTED = set(re.findall(r"`([^`\n]+)`", TEXT))


def section(title: str) -> str:
    """Return the text below a heading, up to the next one."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", TEXT, re.S | re.M)
    assert found, f"no section {title!r}"
    return found[1]


def rows(title: str) -> list[list[str]]:
    """Return the cells of every row of the section's tables, headings left out."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rules = [index for index, row in enumerate(cells) if set("".join(row)) <= set("-")]
    headings = {rule - 1 for rule in rules} | set(rules)
    return [row for index, row in enumerate(cells) if index not in headings]


def names(title: str) -> list[str]:
    """Return the quoted names in the first column of the section's tables."""
    return [name for row in rows(title) for name in re.findall(r"`([^`]+)`", row[0])]


def test_the_document_is_of_the_version_that_the_code_speaks() -> None:
    assert f"| Version: | {PROTOCOL_VERSION} |" in TEXT
    assert rows("Versions")[-1][0] == str(PROTOCOL_VERSION)


def test_every_code_has_its_row_and_no_other_has_one() -> None:
    assert names("Codes") == [code.value for code in Code]


def test_the_codes_table_names_only_origins_and_outcomes_that_exist() -> None:
    for _, origins, outcomes, retry, _ in rows("Codes"):
        assert set(origins.split(", ")) <= {origin.value for origin in Origin}
        assert set(re.findall(r"rejected|accepted|unknown", outcomes)) <= {o.value for o in Outcome}
        assert retry in {"yes", "no", "reads only"}


def test_every_origin_and_outcome_has_its_row_and_no_other_has_one() -> None:
    assert names("Origins") == [origin.value for origin in Origin]
    assert names("Outcomes") == [outcome.value for outcome in Outcome]


def test_every_op_stands_in_the_table_with_its_program_and_whether_it_writes() -> None:
    table = {name[1:-1]: (served.replace("`", ""), writes) for name, served, writes in rows("Ops")}
    assert table == {
        name: (op.route.value, "yes" if op.writes else "no") for name, op in OPS.items()
    }
    assert list(table) == list(OPS)


def test_every_op_is_explained_in_the_section_of_its_family() -> None:
    explained = [
        name
        for title in ("Orders", "Positions", "Account", "Market", "Gateway")
        for name in names(title)
    ]
    assert explained == list(OPS)


def test_no_op_is_named_that_does_not_exist() -> None:
    like_an_op = {name for name in QUOTED if re.fullmatch(r"(\w+)\.[a-z-]+", name)}
    families = {op.split(".")[0] for op in OPS}
    named = {name for name in like_an_op if name.split(".")[0] in families}
    assert named == set(OPS)


def test_no_code_is_named_that_does_not_exist() -> None:
    keys = {"deadline_ms", "retry_safe", "started_ns", "lag_us", "rss_bytes", "since_ns"}
    keys |= {"rest_banned_until_ms", "last_rx_ns", "window_s"}
    keys |= {"retry_after_ms", "order_timeout_ms", "at_ns", "ttl_ms", "until_ms"}
    keys |= {"needs_restart"}
    bases = {"not_sent"}  # of an order's state, not of an error
    snake = {name for name in QUOTED if re.fullmatch(r"[a-z]+(_[a-z]+)+", name)}
    assert snake - keys - bases <= set(Code)


@pytest.mark.parametrize(
    ("title", "message"), [("Request", Request), ("Errors", ErrorBody)], ids=["Request", "Errors"]
)
def test_the_table_of_a_message_names_its_keys_in_their_order(
    title: str, message: type[msgspec.Struct]
) -> None:
    assert names(title) == [field.name for field in msgspec.structs.fields(message)]


def test_the_tables_of_a_reply_name_its_keys_and_the_stages_of_its_way() -> None:
    keys = [field.name for field in msgspec.structs.fields(Reply)]
    assert names("Reply") == [*keys, "received", "sent", "acknowledged", "replied"]


def test_a_key_of_a_request_is_required_exactly_where_the_document_says_so() -> None:
    required = {row[0].strip("`"): row[2] == "yes" for row in rows("Request")}
    assert required == {f.name: f.required for f in msgspec.structs.fields(Request)}


def test_the_numbers_of_the_document_are_those_of_the_code() -> None:
    assert f"at most {codec.MAX_REQUEST_BYTES:,} bytes" in section("Request")
    assert f"at most {topics.MAX_TOPIC_BYTES} bytes" in section("Topics")
    assert f"at most {endpoints.MAX_SOCKET_PATH_BYTES} bytes" in section("Sockets")
    marks = section("High-water marks")
    assert f"{publisher.DEFAULT_HIGH_WATER_MARK:,} messages" in marks
    assert f"up to {server.DEFAULT_HIGH_WATER_MARK:,} messages" in marks


def test_every_link_within_the_document_leads_to_a_heading() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", TEXT, re.M)
    }
    links = set(re.findall(r"\]\(#([^)]+)\)", TEXT))
    assert links
    assert links <= headings
