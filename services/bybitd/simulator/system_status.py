"""The announcements of maintenance and incidents (Bybit V5, Get System Status)."""

from collections.abc import Mapping
from typing import Any

from bybitd.simulator.refusal import parameter_error

STATES = ("scheduled", "ongoing", "completed", "canceled")
Record = dict[str, Any]


class SystemStatus:
    """What was announced, each id with what was said of it last."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self.routes = {"/v5/system/status": self._list}

    def announce(self, record: Record) -> None:
        """Keep a record. Raises ValueError for one without id or with a state that is none."""
        name, state = record.get("id"), record.get("state")
        if not isinstance(name, str) or not name:
            raise ValueError('the record lacks "id", a text that is not empty')
        if state not in STATES:
            raise ValueError(f'"state" is none of {", ".join(STATES)}')
        self._records.pop(name, None)
        self._records[name] = record

    def _list(self, params: Mapping[str, str], _now_ms: int) -> dict[str, Any]:
        """List the records, newest first, of one `id` or `state` if so asked."""
        state = params.get("state") or ""
        if state and state not in STATES:
            raise parameter_error("params error: state invalid")
        name = params.get("id") or ""
        rows = [
            record
            for record in reversed(self._records.values())
            if (not name or record["id"] == name) and (not state or record["state"] == state)
        ]
        return {"list": rows}
