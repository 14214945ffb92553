"""The filter of a segment knows every name that its lines hold, whatever they look like, and few others."""

from __future__ import annotations

import json

import pytest
from effort import drawn
from hypothesis import example, given, settings
from hypothesis import strategies as st
from receipt_lines import lines_of, may_hold, segment_of
from shown_runs import HOSTILE

from assay.tables.receipt_names import BITS, BLOCK_BYTES, ID, PLACE, names_of, place_name, probe_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
NUMBERS = st.integers(0, 2**62)
#: looks like the end of an id and a place inside of a text
PLANTED = 'x","eb_ref":{"topic":"t","partition":7,"offset":"8"}\\'


@settings(max_examples=drawn(60), deadline=None)
@given(st.lists(st.tuples(TEXTS, st.integers(0, 999), NUMBERS, TEXTS), min_size=1, max_size=5))
@example([(HOSTILE, 0, 0, "{"), (PLANTED, 1, 2, PLANTED), ("ünï\u2028💳", 3, 4, '"partition":5,"offset":"6"')])
def test_every_name_of_every_line_is_known(events: list[tuple[str, int, int, str]]) -> None:
    lines = [line for one in events for line in lines_of(*one)]
    names = names_of(segment_of(lines))
    assert names is not None
    for line in lines:
        read = json.loads(line)
        written = line.split('"event_id":"')[1].split('","event_type":')[0].encode()
        assert json.loads(b'"' + written + b'"') == read["event_id"]
        assert may_hold(names, probe_of(written, ID)) and may_hold(names, probe_of(read["receipt_id"].encode(), ID))
        if place := read.get("eb_ref"):
            assert may_hold(names, probe_of(place_name(place["partition"], int(place["offset"])), PLACE))


def test_names_that_are_not_there_seldom_seem_to_be() -> None:
    lines = [lines_of(f"e-{at}", 0, at)[0] for at in range(500)]
    names = names_of(segment_of(lines))
    assert names is not None
    assert len(names) % BLOCK_BYTES == 0 and len(names) <= 500 * 3 * 20 / 8 + BLOCK_BYTES
    others = [probe_of(f"other-{at}".encode(), ID) for at in range(5_000)] + [probe_of(f"e-{at}".encode(), PLACE) for at in range(500)]
    assert sum(may_hold(names, probe) for probe in others) <= 12, "one in 9,000 seems to be; the spaces of names are apart"
    assert all(len(probe.bits) == BITS for probe in others)


def test_what_is_planted_in_a_text_is_no_place() -> None:
    names = names_of(segment_of(lines_of(PLANTED, 1, 2, PLANTED)))
    assert names is not None
    assert not may_hold(names, probe_of(place_name(7, 8), PLACE))


def test_the_filter_is_the_same_for_the_same_lines() -> None:
    lines = lines_of("e-1", 1, 2)
    assert names_of(segment_of(lines)) == names_of(segment_of(lines)) != names_of(segment_of(lines_of("e-2", 1, 2)))


@pytest.mark.parametrize(
    "line",
    [
        '{"quarantine_id":"a"}',
        '{"decision":"ADMIT","receipt_id":"r","event_id":"e"}',
        '{"receipt_id":"r","event_id":"e"}',
        '{"receipt_id":"r","decision":"ADMIT","event_class":"traffic","event_id":"e"}',
        '{"receipt_id":"r","decision":"ADMIT","event_id":"e","eb_ref":{"partition":1,"offset":"2"}}',
        '{"receipt_id":"r","decision":"ADMIT","event_id":"e","eb_ref":{"topic":"t","partition":1,"offset":2}}',
        '{"receipt_id":"r',
        '{"receipt_id":"r","decision":"ADMIT","event_id":"e\\',
    ],
)
def test_a_line_that_reads_otherwise_leaves_its_segment_without_a_filter(line: str) -> None:
    assert names_of(segment_of([lines_of("e-1")[0], line])) is None


@pytest.mark.parametrize("segment", [b"", segment_of([])[:0]])
def test_no_lines_hold_no_names(segment: bytes) -> None:
    names = names_of(segment)
    assert names is not None and not any(names)
