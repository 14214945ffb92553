"""The policy in force: a record changes rules and thresholds from its row on, and one that does not fit changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from decision_rows import DOCUMENT, PINS, RULES, batch, decided, handled, plans, posture, steps
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_revisions import changed, revision, row
from states import read_back, written

from assay.agents.policy import PolicyStep
from assay.codecs.table_state import TableState
from assay.contracts.canonical import document_bytes, document_digest
from assay.contracts.errors import Stop
from assay.contracts.ids import decision_id
from assay.contracts.posture import Mode
from assay.contracts.reasons import Reason

STRICT = changed(DOCUMENT, "8", lower=25, points=5)
LOOSE = changed(DOCUMENT, "9", points=-15)
FIRST, SECOND = row(revision(STRICT, DOCUMENT, 1)), row(revision(LOOSE, STRICT, 2))
MANY, NORMAL = {"count": 5}, posture(1, Mode.NORMAL)
#: a document with more digits than Python reads
TOO_LONG = '{"policy_id":' + "9" * 5_000 + "}"


def one_rule(feature: str, gt: int) -> str:
    rules = [{"code": "A", "points": 1, "when": [{"feature": feature, "gt": gt}]}]
    return document_bytes({**STRICT, "rules": rules}).decode()


def with_document(text: str) -> bytes:
    return revision(STRICT, DOCUMENT, document=text)


#: what is wrong → (record, reason, words of the refusal)
REFUSALS: dict[str, tuple[Callable[[], bytes], Reason, str]] = {
    "it follows another revision": (lambda: revision(STRICT, LOOSE), Reason.POLICY_REVISION_REFUSED, "in force is number 0"),
    "a number is left out": (lambda: revision(STRICT, DOCUMENT, 2), Reason.POLICY_REVISION_REFUSED, "it is number 2"),
    "number 0 is that of the run": (lambda: revision(STRICT, DOCUMENT, 0), Reason.POLICY_REVISION_REFUSED, "it is number 0"),
    "another digest": (
        lambda: revision(STRICT, DOCUMENT, content_digest=bytes(32)), Reason.POLICY_REVISION_REFUSED, "content_digest is",
    ),
    "another name": (lambda: revision(STRICT, DOCUMENT, policy_id="x"), Reason.POLICY_REVISION_REFUSED, "policy_id is 'x'"),
    "another revision than in its document": (
        lambda: revision(STRICT, DOCUMENT, revision="x"), Reason.POLICY_REVISION_REFUSED, "revision is 'x', that of its document is '8'",
    ),
    "the revision in force with another content": (
        lambda: revision(changed(DOCUMENT, "7", lower=1), DOCUMENT), Reason.POLICY_REVISION_REFUSED, "is in force already",
    ),
    "no JSON": (lambda: with_document("{"), Reason.POLICY_REVISION_REFUSED, "JSONDecodeError"),
    "JSON that is not canonical": (lambda: with_document('{"a": 1}'), Reason.POLICY_REVISION_REFUSED, "not canonical"),
    "a number without end": (lambda: with_document('{"a":Infinity}'), Reason.POLICY_REVISION_REFUSED, "ValueError"),
    "a number of too many digits": (lambda: with_document(TOO_LONG), Reason.POLICY_REVISION_REFUSED, "ValueError"),
    "depth without end": (lambda: with_document("[" * 100_000), Reason.POLICY_REVISION_REFUSED, "RecursionError"),
    "no mapping": (lambda: with_document("[]"), Reason.RULES_DOCUMENT_INVALID, "is not a mapping"),
    "a feature that the run does not have": (
        lambda: with_document(one_rule("x", 1)),
        Reason.RULES_DOCUMENT_INVALID, "names 'x', which the feature document does not define",
    ),
    "a number that no float holds": (
        lambda: with_document(one_rule("count_1d", 10**400)), Reason.RULES_DOCUMENT_INVALID, "is not a finite number",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_a_revision_that_does_not_fit_is_refused_and_the_rules_in_force_stay(name: str) -> None:
    make, reason, words = REFUSALS[name]
    step = under_test()
    before = written(step)
    result = step.handle(batch([{}, row(make()), {}]))
    [(at, why, what)] = result.refused
    assert (at, why) == (1, reason)
    assert words in what
    assert len(what) < 600
    assert np.asarray(result.columns["policy.seq"]).tolist() == [0, 0, 0]
    assert written(step) == before


def under_test() -> PolicyStep:
    return PolicyStep(plans(), {})


def numbers(step: PolicyStep, rows: list[dict[str, Any]]) -> list[int]:
    found: list[int] = np.asarray(step.handle(batch(rows)).columns["policy.seq"]).tolist()
    return found


def test_a_revision_counts_for_its_own_row_and_the_rows_after_it() -> None:
    assert numbers(under_test(), [{}, FIRST, {}, SECOND, {}]) == [0, 1, 1, 2, 2]


def test_a_revision_that_comes_again_changes_nothing_and_is_not_refused() -> None:
    step = under_test()
    assert numbers(step, [FIRST, FIRST, SECOND, FIRST, SECOND, {}]) == [1, 1, 2, 2, 2, 2]
    result = step.handle(batch([FIRST, SECOND]))
    assert not result.refused
    assert np.asarray(result.columns["policy.seq"]).tolist() == [2, 2]


def test_a_policy_may_come_back_under_a_number_of_its_own() -> None:
    back = row(revision(DOCUMENT, STRICT, 2))
    step = under_test()
    assert numbers(step, [FIRST, back, FIRST, {}]) == [1, 2, 2, 2]
    assert step.tables()["policy"].row(PINS.platform_run_id) == {
        "policy_seq": 2, "policy_id": "sample_rules", "revision": "7",
        "digests": [document_digest(one).hex() for one in (DOCUMENT, STRICT, DOCUMENT)],
    }  # fmt: skip
    assert step.tables()["policy"].row("platform_20260101T000001Z") is None


def test_decisions_carry_the_revision_they_were_made_under() -> None:
    found = decided(steps(), [NORMAL, MANY, FIRST, MANY, {**MANY, "live": False}, SECOND, MANY])
    assert [(one["policy"]["revision"], one["score"], one["outcome"]) for one in found] == [
        ("7", 30, "STEP_UP"), ("8", 35, "QUEUE_REVIEW"), ("9", 15, "ALLOW"),
    ]  # fmt: skip
    assert [one["row"] for one in found] == [1, 3, 6]
    digests = [document_digest(one) for one in (DOCUMENT, STRICT, LOOSE)]
    ids = [decision_id(PINS.digest, digest, name) for digest, name in zip(digests, ("e1", "e3", "e6"), strict=True)]
    assert [one["policy"]["content_digest"] for one in found] == digests
    assert [one["decision_id"] for one in found] == ids
    assert len({one["run_config_digest"] for one in found}) == 1


def test_a_batch_is_one_emission_however_many_revisions_it_has() -> None:
    """Readers of a journal record take its decisions from one emission."""
    result = handled(steps(), batch([NORMAL, MANY, FIRST, MANY, SECOND, {}]))[1]
    [emission] = result.emissions
    assert emission.counted["outcome"].tally() == {"STEP_UP": 1, "QUEUE_REVIEW": 1, "ALLOW": 1}
    assert emission.counted["reason"].tally()["MANY"] == 2
    assert handled(steps(), batch([FIRST, SECOND]))[1].emissions == ()


ROWS = st.fixed_dictionaries(
    {"count": st.integers(0, 5), "night": st.integers(0, 1), "mean": st.sampled_from([0.0, 49.5, 1e9]), "live": st.booleans()}
)


@settings(max_examples=drawn(40), deadline=None)
@given(
    st.lists(ROWS, min_size=1, max_size=12), st.lists(st.integers(0, 12), min_size=2, max_size=2), st.lists(st.integers(0, 14), max_size=3)
)
def test_any_split_decides_each_row_under_the_revision_before_it(rows: list[dict[str, Any]], places: list[int], cuts: list[int]) -> None:
    first, second = sorted(min(at, len(rows)) for at in places)
    whole = [*rows[:first], FIRST, *rows[first:second], SECOND, *rows[second:]]
    edges, under = [0, *sorted(min(at, len(whole)) for at in cuts), len(whole)], steps()
    parts = [one for start, end in zip(edges, edges[1:], strict=False) for one in decided(under, whole[start:end], start)]
    together = decided(steps(), whole)
    for one in (*parts, *together):
        one.pop("row")
    assert parts == together
    revisions = [one["policy"]["revision"] for one in together]
    assert revisions == ["7"] * alive(rows[:first]) + ["8"] * alive(rows[first:second]) + ["9"] * alive(rows[second:])


def alive(rows: list[dict[str, Any]]) -> int:
    return sum(one["live"] for one in rows)


def test_the_revision_survives_writing_and_reading_the_state() -> None:
    step, second = under_test(), under_test()
    second.restore(read_back(step))
    assert numbers(second, [{}]) == [0]
    step.handle(batch([FIRST, SECOND]))
    second.restore(read_back(step))
    assert numbers(second, [{}, FIRST, SECOND]) == [2, 2, 2]
    assert written(second) == written(step)
    [at] = second.view("policy").values()
    assert (at.policy.revision, at.policy.thresholds.tolist()) == ("9", [30, 60, 90])


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"digests": [bytes(32).hex(), document_digest(STRICT).hex()]}, id="it began with another policy"),
        pytest.param({"policy_seq": 2}, id="a number without its digest"),
        pytest.param({"document": document_bytes(LOOSE).decode()}, id="another document"),
        pytest.param({"policy_seq": 0, "digests": [document_digest(STRICT).hex()], "document": ""}, id="begun with a later one"),
    ],
)
def test_a_state_that_contradicts_itself_is_refused(other: dict[str, Any]) -> None:
    step, second = under_test(), under_test()
    step.handle(batch([FIRST]))
    with pytest.raises(Stop) as stopped:
        second.restore(TableState({**step.state().header, **other}))
    assert stopped.value.reason is Reason.STATE_UNREADABLE
    assert numbers(second, [{}]) == [0]


def test_the_policy_of_the_run_is_the_one_in_force_before_any_record() -> None:
    assert under_test().view("policy")[0].policy is RULES.policy
