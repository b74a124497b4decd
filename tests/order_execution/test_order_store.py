"""Which amends the record of an order may not show yet."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bybitd.order_execution import actions as acts
from bybitd.order_execution.actions import Action
from bybitd.order_execution.journal import Journal
from bybitd.order_execution.order_store import ActionStore

SECOND = 1_000_000_000
AMEND = Action(
    id="1",
    op="order.amend",
    client="",
    category="linear",
    symbol="BTCUSDT",
    order_id="",
    link_id="a",
    args='{"qty":"9"}',
    received_ns=1,
)


def test_an_amend_counts_while_it_is_on_its_way_and_until_its_order_must_show_it(
    tmp_path: Path,
) -> None:
    with Journal(tmp_path / "main.journal.db", "main", "process") as journal:
        store = ActionStore(journal, lambda _action: None)
        cancel = msgspec.structs.replace(AMEND, id="2", op="order.cancel")
        refused = msgspec.structs.replace(AMEND, id="3")
        store.add([AMEND, cancel, refused])
        assert [action.id for action in store.amends(SECOND)] == ["1", "3"]
        store.put(acts.answered(AMEND, 0, "OK", done=True, now_ns=SECOND))
        store.put(acts.answered(cancel, 0, "OK", done=True, now_ns=SECOND))
        store.put(acts.answered(refused, 110001, "no", done=False, now_ns=SECOND))
        assert [action.id for action in store.amends(6 * SECOND - 1)] == ["1"]
        assert list(store.amends(6 * SECOND)) == []
