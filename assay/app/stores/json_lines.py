"""Lines of JSON in one object of a store, which only grows. A line goes in if nobody else wrote meanwhile; else it is decided again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assay.app.stores.objects import ObjectChanged, ObjectStore
from assay.contracts.canonical import canonical
from assay.contracts.errors import Quarantine, Retry, Stop
from assay.contracts.json_schema import fault_of
from assay.contracts.reasons import Reason

Line = Mapping[str, Any]


class JsonLines:
    """The lines at `key`, each of a schema such as `wsp_ready_run.v1`. Few and small: an append writes all of them."""

    def __init__(self, store: ObjectStore, key: str, schema: str) -> None:
        self._store, self.key, self._schema = store, key, schema

    def read(self) -> list[Line]:
        """The lines in order, none where there is no object. Raises Stop(RUN_RECORD_DAMAGED)."""
        return self._lines(self._held())

    def append(self, decide: Callable[[Sequence[Line]], Line | None]) -> Line | None:
        """Append the line that `decide` gives for those that are there; None appends nothing, and is the answer then.

        `decide` may be asked again. Raises what it raises, Stop(RUN_RECORD_DAMAGED), Quarantine(SCHEMA_FAIL), Retry(STORE_SILENT).
        """
        held = self._held()
        while True:
            line = decide(self._lines(held))
            if line is None:
                return None
            self._refuse_malformed(line)
            try:
                self._store.swap(self.key, (held or b"") + canonical(line) + b"\n", held)
            except ObjectChanged:
                before, held = held, self._held()
                if held == before:
                    what = "the object store refuses a write for a change that it does not show"
                    remedy = "Ask again; if it stays so, the store has no conditional writes."
                    raise Retry(Reason.STORE_SILENT, what, where=self.key, remedy=remedy) from None
                continue
            return line

    def _held(self) -> bytes | None:
        try:
            held = self._store.read(self.key)
        except FileNotFoundError:
            return None
        self._store.make_durable(self.key.rpartition("/")[0])  # its writer may have ended before it flushed
        return held

    def _lines(self, held: bytes | None) -> list[Line]:
        lines = []
        for number, text in enumerate((held or b"").splitlines(keepends=True), start=1):
            try:
                line = json.loads(text)
                fault = fault_of(self._schema, line)
                if fault is not None or canonical(line) + b"\n" != text:
                    raise ValueError(fault or "it is not written as lines of this file are")
            except (ValueError, RecursionError, Quarantine) as error:
                remedy = "Restore the file from a copy."
                raise Stop(Reason.RUN_RECORD_DAMAGED, f"line {number} cannot be read: {error}", where=self.key, remedy=remedy) from None
            lines.append(line)
        return lines

    def _refuse_malformed(self, line: Line) -> None:
        fault = fault_of(self._schema, line)
        if fault is not None:
            remedy = "This is a defect of assay."
            raise Quarantine(Reason.SCHEMA_FAIL, f"the line is not valid: {fault}", where=f"{self._schema} {fault.path}", remedy=remedy)
