"""Lines of many events are those of each event, one after another."""

from __future__ import annotations

import pytest
from effort import drawn
from gate_events import CONTEXT, admissible, event
from hypothesis import given, settings
from hypothesis import strategies as st
from shown_runs import WRITER

from assay.app.gate.receipt_lines import FEW, Lines, Placed, lines_of
from assay.app.gate.standing import RecordMetadata, Verdict

AT = "2026-01-01T00:00:00.000000Z"
NAMES = ("a", "b" * 12, 'quote"', "back\\slash", "é", "💳", "")
ITEMS = [admissible(event(f"e{name}")) for name in NAMES] + [admissible(event(f"c{name}", "context_fact", CONTEXT)) for name in NAMES]
placed = st.builds(
    Placed,
    st.sampled_from(ITEMS),
    st.sampled_from([Verdict.ADMIT, Verdict.REPUBLISH, Verdict.DUPLICATE]),
    st.builds(RecordMetadata, st.integers(0, 12), st.integers(0, 2**62)),
    st.sampled_from(['{"actor":"a"}', '{"actor":"\\u00fc"}']),
)


@pytest.mark.parametrize("many", [False, True])
@settings(max_examples=drawn(60), deadline=None)
@given(some=st.lists(placed, min_size=1, max_size=8))
def test_lines_of_many_events_are_those_of_each(some: list[Placed], many: bool) -> None:
    events = some * (FEW // len(some) + 1) if many else some
    expected = [WRITER.admitted(one.item, one.verdict, one.place, AT, one.actor) for one in events]
    ids, lines = lines_of(WRITER, events, AT)
    assert ids == [receipt for receipt, _ in expected]
    assert lines == Lines("".join([f"{line}\n" for _, line in expected]).encode(), len(expected))


def test_further_lines_stand_behind() -> None:
    assert Lines(b"a\n", 1).and_texts(["ü", "c"]) == Lines("a\nü\nc\n".encode(), 3)
