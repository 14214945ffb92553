"""What the HTTP side and the admission threads hand each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from assay.app.gate.short_forms import Item
from assay.contracts.caller import Caller
from assay.contracts.errors import AssayError


def _running() -> Future[Any]:
    """A future that a waiter who gives up cannot cancel: the work goes on."""
    made: Future[Any] = Future()
    made.set_running_or_notify_cancel()
    return made


#: what a caller is told about one item: event_id, admission, reason_codes and, where they exist, receipt_id, event_class, eb_ref, and the
#: fields of `refusal_fields`
ItemAnswer: TypeAlias = dict[str, Any]
RETRY = "RETRY"


@dataclass(slots=True)
class Answer:
    """How many items ended how, and the outcomes asked for. `retry` is set when some have to be sent again."""

    counts: Counter[str]
    results: list[ItemAnswer]
    retry: AssayError | None = None


@dataclass(slots=True)
class IngestCall:
    """One call waiting for its answer. `exceptions_only` leaves admitted items out of the results.

    `short` is a call in a short form: the time of an item is told, which may be the gate's. `caller` stands in every line that it leaves.
    """

    items: Sequence[Item]
    exceptions_only: bool
    short: bool = False
    caller: Caller = field(kw_only=True)
    answer: Future[Answer] = field(default_factory=_running)


@dataclass(slots=True)
class MarkCall:
    """A watermark to write to every partition of some classes' topics, after everything admitted before it."""

    classes: tuple[str, ...]
    ts_us: int
    final: bool
    answer: Future[dict[str, Any]] = field(default_factory=_running)


Call: TypeAlias = IngestCall | MarkCall
