"""The posture of every row: a fold of posture records in row order that no split of the input changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from decision_rows import PINS, batch, plans, posture
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from states import read_back, written

from assay.agents.posture import PostureStep
from assay.codecs.columns import Strings
from assay.codecs.single_object import field_body
from assay.contracts.posture import MASKS, Mode
from assay.tables.row_kinds import CONTEXT, LABEL, PAYMENT

#: (mode, posture_seq, policy_rev, trust, clamps, missing)
FAIL_SAFE = ("FAIL_CLOSED", 0, "", "MISSING", True, True)
ROWS = st.one_of(
    st.builds(posture, st.integers(0, 6), st.sampled_from(list(Mode))),
    st.fixed_dictionaries({"kind": st.sampled_from([PAYMENT, LABEL, CONTEXT]), "live": st.booleans()}),
)


def under_test() -> PostureStep:
    return PostureStep(plans(), {})


def written_rows(step: PostureStep, rows: list[dict[str, Any]]) -> list[tuple[bytes | None, bool, bool]]:
    """Stamp, clamps and missing of every row."""
    columns = step.handle(batch(rows)).columns
    stamp = columns["posture.stamp"]
    assert isinstance(stamp, Strings)
    flags = [np.asarray(columns[f"posture.{name}"]).tolist() for name in ("clamps", "missing")]
    return list(zip(stamp.tolist(), *flags, strict=True))


def row(mode: str, seq: int, rev: str, trust: str, clamps: bool, missing: bool) -> tuple[bytes, bool, bool]:
    """What is expected of a row: the stamp is the field `posture` of a decision as Avro."""
    fields = {"mode": mode, "posture_seq": seq, "policy_rev": rev, "trust": trust}
    return field_body("decision_response", "posture", fields), clamps, missing


def expected(rows: list[dict[str, Any]]) -> list[tuple[bytes, bool, bool]]:
    """The same rows read one by one: the highest sequence so far stands, whether its row is live or not."""
    found, in_force = [], FAIL_SAFE
    for given_row in rows:
        if "seq" in given_row and (in_force is FAIL_SAFE or given_row["seq"] > in_force[1]):
            mode = given_row["mode"]
            in_force = (mode.value, given_row["seq"], "r1", "TRUSTED", mode is not Mode.NORMAL, False)
        found.append(row(*in_force))
    return found


@settings(max_examples=drawn(60), deadline=None)
@given(st.lists(ROWS, max_size=14), st.lists(st.integers(0, 14), max_size=3))
def test_any_split_gives_every_row_the_posture_of_the_rows_before_it(rows: list[dict[str, Any]], cuts: list[int]) -> None:
    whole, cut = under_test(), under_test()
    edges = [0, *sorted(min(at, len(rows)) for at in cuts), len(rows)]
    parts = [found for first, end in zip(edges, edges[1:], strict=False) for found in written_rows(cut, rows[first:end])]
    assert parts == written_rows(whole, rows) == expected(rows)
    assert written(cut) == written(whole)


@pytest.mark.parametrize(
    ("rows", "last"),
    [
        pytest.param([{}], FAIL_SAFE, id="before the first record the fail-safe"),
        pytest.param([posture(1, Mode.NORMAL)], ("NORMAL", 1, "r1", "TRUSTED", False, False), id="a record counts for its own row"),
        pytest.param([posture(1, Mode.DEGRADED_1), {}], ("DEGRADED_1", 1, "r1", "TRUSTED", True, False), id="the first rung clamps"),
        pytest.param([posture(1, Mode.DEGRADED_2), {}], ("DEGRADED_2", 1, "r1", "TRUSTED", True, False), id="the second rung clamps"),
        pytest.param([posture(1, Mode.FAIL_CLOSED), {}], ("FAIL_CLOSED", 1, "r1", "TRUSTED", True, False), id="closed and not missing"),
        pytest.param([posture(0, Mode.NORMAL), {}], ("NORMAL", 0, "r1", "TRUSTED", False, False), id="sequence 0 follows no record"),
        pytest.param(
            [posture(5, Mode.DEGRADED_2), posture(5, Mode.NORMAL), {}], ("DEGRADED_2", 5, "r1", "TRUSTED", True, False), id="not newer"
        ),
        pytest.param([posture(5, Mode.DEGRADED_2), posture(4, Mode.NORMAL)], ("DEGRADED_2", 5, "r1", "TRUSTED", True, False), id="older"),
        pytest.param(
            [posture(5, Mode.DEGRADED_2), posture(6, Mode.NORMAL)], ("NORMAL", 6, "r1", "TRUSTED", False, False), id="a newer one loosens"
        ),
        pytest.param([{**posture(1, Mode.NORMAL), "live": False}], ("NORMAL", 1, "r1", "TRUSTED", False, False), id="seen before"),
    ],
)
def test_the_last_row_has_the_posture(rows: list[dict[str, Any]], last: tuple[str, int, str, str, bool, bool]) -> None:
    assert written_rows(under_test(), rows)[-1] == row(*last)


def test_a_batch_without_rows_changes_nothing() -> None:
    step = under_test()
    step.handle(batch([posture(3, Mode.DEGRADED_1)]))
    before = written(step)
    assert written_rows(step, []) == []
    assert written(step) == before


def test_the_posture_survives_writing_and_reading_the_state() -> None:
    fresh, changed, second = under_test(), under_test(), under_test()
    second.restore(read_back(fresh))
    assert written_rows(second, [{}]) == [row(*FAIL_SAFE)]
    changed.handle(batch([posture(2, Mode.DEGRADED_1)]))
    second.restore(read_back(changed))
    assert written_rows(second, [{}]) == written_rows(changed, [{}])


def test_the_table_shows_the_posture_of_the_run() -> None:
    step = under_test()
    first = step.tables()["posture"].row(PINS.platform_run_id)
    step.handle(batch([posture(2, Mode.DEGRADED_1)]))
    assert step.tables()["posture"].row(PINS.platform_run_id) == {
        "mode": "DEGRADED_1", "posture_seq": 2, "policy_rev": "r1", "mask": MASKS[Mode.DEGRADED_1].as_json(), "trust": "TRUSTED",
    }  # fmt: skip
    assert first is not None
    assert (first["mode"], first["trust"]) == ("FAIL_CLOSED", "MISSING")
    assert step.tables()["posture"].row("platform_20260101T000001Z") is None


def test_batches_share_columns_that_nobody_can_write_to() -> None:
    """The encoder writes a text that all rows share once."""
    first, second = (under_test().handle(batch([{}] * 4)).columns for _ in range(2))
    stamp = first["posture.stamp"]
    assert isinstance(stamp, Strings)
    assert stamp.check()
    assert stamp is second["posture.stamp"]
    for column in (stamp.starts, stamp.lengths, np.asarray(first["posture.clamps"]), np.asarray(first["posture.missing"])):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1
