"""Lines of many events are those of each event, one after another."""

from __future__ import annotations

from effort import drawn
from gate_events import CONTEXT, admissible, event
from hypothesis import given, settings
from hypothesis import strategies as st
from shown_runs import WRITER

from assay.app.gate.receipt_lines import FEW, Lines, Placed, lines_of
from assay.app.gate.standing import RecordMetadata, Verdict

AT = "2026-01-01T00:00:00.000000Z"
#: as many as the large calls take, and some more
MANY = FEW + 8

placed = st.builds(
    Placed,
    st.one_of(
        st.text('aZ"\\é💳', max_size=12).map(lambda text: admissible(event(f"e{text}"))),
        st.integers(0, 99).map(lambda number: admissible(event(f"e-{number}", "context_fact", CONTEXT))),
    ),
    st.sampled_from([Verdict.ADMIT, Verdict.REPUBLISH, Verdict.DUPLICATE]),
    st.builds(RecordMetadata, st.integers(0, 12), st.integers(0, 2**62)),
    st.sampled_from(['{"actor":"a"}', '{"actor":"\\u00fc"}']),
)


@settings(max_examples=drawn(60), deadline=None)
@given(st.lists(placed, min_size=0, max_size=MANY), st.integers(0, 3))
def test_lines_of_many_events_are_those_of_each(some: list[Placed], times: int) -> None:
    given_ = some * times if times else some
    expected = [WRITER.admitted(one.item, one.verdict, one.place, AT, one.actor) for one in given_]
    ids, lines = lines_of(WRITER, given_, AT)
    assert ids == [receipt for receipt, _ in expected]
    assert lines == Lines("".join([f"{line}\n" for _, line in expected]).encode(), len(expected))


def test_further_lines_stand_behind() -> None:
    assert Lines(b"a\n", 1).and_texts(["ü", "c"]) == Lines("a\nü\nc\n".encode(), 3)
