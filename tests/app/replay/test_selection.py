"""Ranges and anchors: which decisions of a replay are compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from records import TRAFFIC
from simulated_worlds import decisions, run, small_world

from assay.app.replay.selection import Selection, Span, selection_of
from assay.codecs.columns import Strings
from assay.codecs.single_object import unpack
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def every_decision() -> Strings:
    return Strings.of(list(decisions(run(small_world()).log).values()))


def offsets(values: Strings) -> list[int]:
    return [int(unpack(value or b"")[1]["source_event"]["offset"]) for value in values.tolist()]


def test_a_range_holds_the_source_events_between_its_ends_and_both_of_them() -> None:
    values = every_decision()
    chosen = Selection([Span(TRAFFIC, 0, 3, 6)]).of(values)
    assert sorted(set(offsets(chosen))) == [at for at in range(3, 7) if at in offsets(values)]
    assert len(offsets(chosen)) > 1


def test_anchors_are_single_source_events_as_a_receipt_names_them(tmp_path: Path) -> None:
    values = every_decision()
    wanted = sorted(set(offsets(values)))[:2]
    named = [{"topic": TRAFFIC, "partition": 0, "offset": str(offset), "offset_kind": "kafka_offset"} for offset in wanted]
    path = tmp_path / "anchors.json"
    path.write_text(json.dumps(named))
    selection = selection_of("", "", path)
    assert selection is not None
    assert sorted(set(offsets(selection.of(values)))) == wanted


def test_without_any_everything_is_compared() -> None:
    assert selection_of("", "", None) is None


@pytest.mark.parametrize(
    ("first", "last", "anchors"),
    [
        ("traffic", "", None),
        (f"{TRAFFIC}:0:x", "", None),
        ("NO_SUCH_TOPIC:0:1", "", None),
        (f"{TRAFFIC}:0:9", f"{TRAFFIC}:0:3", None),
        (f"{TRAFFIC}:0:1", f"{TRAFFIC}:1:3", None),
        ("", "", "[{}]"),
        ("", "", "[]"),
        ("", "", "not json"),
    ],
)
def test_what_is_no_place_is_refused(first: str, last: str, anchors: str | None, tmp_path: Path) -> None:
    path = tmp_path / "anchors.json" if anchors is not None else None
    if path is not None:
        path.write_text(str(anchors))
    with pytest.raises(Stop) as refused:
        selection_of(first, last, path)
    assert refused.value.reason is Reason.REPLAY_RANGE_INVALID
