"""Laws of a backtest, whatever the policy: the run's own policy changes nothing, nothing looks ahead, batches do not matter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from backtests import LogSources, changed, policy_of, run_of
from effort import seeds
from gated_worlds import JOURNAL, generated_world
from records import DAY_US, LABELS, TRAFFIC, label
from seeded_runs import WORLDS, run_seed
from simulated_worlds import Event, Finished, config, small_world, troubled_world
from simulated_worlds import run as run_world

from assay.app.backtest.answer import Answer, ChangedPayment
from assay.app.backtest.backtest import backtest
from assay.app.backtest.truth import Surveyed, surveyed, truth_of
from assay.app.policy.documents import Policy, load_policy
from assay.app.replay.verify import Recomputed, recompute
from assay.app.run.directory import RunConfig
from assay.codecs.journal_record import JournalRecord
from assay.codecs.single_object import unpack
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

HANDBOOK = load_policy("handbook")
PARTITIONS = 3


class Cut(LogSources):
    """The journal up to a record."""

    def __init__(self, finished: Finished, records: int) -> None:
        super().__init__(finished.log, PARTITIONS)
        self._records = records

    def journal(self) -> Iterator[bytes]:
        return islice(super().journal(), self._records)


def other_policy(**thresholds: int) -> Policy:
    """A policy of the same entities with a window of its own and low thresholds."""
    features = {
        "feature_set": "mine",
        "revision": "1",
        "entities": ["customer", "terminal"],
        "label_entities": ["terminal"],
        "forget_after": "40d",
        "features": [
            {"name": "c", "entity": "customer", "op": "count", "window": "3d", "resolution": "6h", "include_current": True},
            {"name": "z", "entity": "customer", "op": "zscore", "value": "amount_minor", "window": "30d", "resolution": "1d"},
            {"name": "f", "entity": "terminal", "op": "fraud_count", "window": "30d", "resolution": "1d"},
        ],
    }
    rules = [
        {"code": "MANY", "points": 20, "when": [{"feature": "c", "ge": 4}]},
        {"code": "FAR", "points": 30, "when": [{"feature": "z", "ge": 1}]},
        {"code": "SEEN", "points": 50, "when": [{"feature": "f", "ge": 1}]},
    ]
    return policy_of(
        features, {"policy_id": "mine", "revision": "1", "rules": rules, "thresholds": thresholds or {"STEP_UP": 20, "DECLINE": 60}}
    )


def answer_of(
    finished: Finished, policy: Policy, folder: Path, *, partitions: int = PARTITIONS, together: int = 1_000
) -> tuple[Answer, list[ChangedPayment]]:
    listed: list[ChangedPayment] = []
    sources = LogSources(finished.log, partitions)
    return backtest(run_of(folder, config(), partitions), policy, sources, 0, listed.append, together=together), listed


@pytest.fixture(scope="module")
def troubled() -> Finished:
    """Payments come twice, with another payload, of another run, too late; ids are forgotten; the posture changes."""
    return run_world(troubled_world(4), partitions=PARTITIONS)


def test_the_policy_of_the_run_changes_nothing_and_gives_the_digest_of_its_replay(troubled: Finished, tmp_path: Path) -> None:
    answer, listed = answer_of(troubled, HANDBOOK, tmp_path)
    found = Recomputed()
    for _ in recompute(config(), troubled.log.values(JOURNAL), PARTITIONS, found):
        pass
    assert (answer.changed, answer.rescored, listed) == (0, 0, [])
    assert answer.same_documents
    assert answer.payments == found.decisions > 100
    assert answer.digests["from"] == answer.digests["to"] == found.digest.hexdigest()
    assert answer.refused["from"] == answer.refused["to"]
    assert answer.refused["from"][Reason.LATE_BEYOND_WATERMARK] > 0
    assert all(not reason.gone and not reason.new and reason.before == reason.after for reason in answer.reasons)


def test_a_decision_does_not_see_what_comes_after_it(troubled: Finished, tmp_path: Path) -> None:
    """The answer over the first records is the beginning of the answer over all."""
    policy, (_, whole) = other_policy(), answer_of(troubled, other_policy(), tmp_path)
    assert len(whole) > 20
    records = len(troubled.log.values(JOURNAL))
    lengths = []
    for cut in (records // 4, records // 2, records - 3):
        listed: list[ChangedPayment] = []
        backtest(run_of(tmp_path, config(), PARTITIONS), policy, Cut(troubled, cut), 0, listed.append)
        assert [said(one) for one in listed] == [said(one) for one in whole[: len(listed)]]
        lengths.append(len(listed))
    assert 0 < lengths[0] < lengths[1] < lengths[2]


def said(one: ChangedPayment) -> ChangedPayment:
    """Without the truth, which labels tell later."""
    return replace(one, fraud=None)


def test_how_many_payments_are_compared_together_does_not_matter(troubled: Finished, tmp_path: Path) -> None:
    assert answer_of(troubled, other_policy(), tmp_path, together=1) == answer_of(troubled, other_policy(), tmp_path, together=10_000)


@pytest.mark.parametrize("seed", seeds(4, 2)[1:])
def test_faults_of_a_run_do_not_change_the_answer(seed: int, tmp_path: Path) -> None:
    """Crashes, takeovers and superseded writers are in the journal; the payments are the same."""
    faulty = run_seed(seed)
    answer, listed = answer_of(faulty, other_policy(), tmp_path, partitions=partitions_of(faulty))
    plain, expected = answer_of(run_world(troubled_world(seed % WORLDS), rows_max=5_000), other_policy(), tmp_path, partitions=1)
    assert (answer.cells, answer.reasons, answer.changed) == (plain.cells, plain.reasons, plain.changed)
    assert {one.event_id: one for one in listed} == {one.event_id: one for one in expected}
    assert answer.changed > 20


def partitions_of(finished: Finished) -> int:
    return len({partition for handle, partition in finished.log.tps() if handle == TRAFFIC})


def test_the_last_label_of_a_payment_says_what_it_was(tmp_path: Path) -> None:
    world = small_world(7)
    answer, _ = answer_of(run_world(world, partitions=PARTITIONS), other_policy(), tmp_path)
    labels = [unpack(event.value)[1] for event in world.events if event.handle == LABELS]
    last = {record["subject_event_id"]: record["label"] for record in labels}
    assert answer.truth == f"as {len(labels)} labels say"
    assert sum(cell.frauds or 0 for cell in answer.cells) == list(last.values()).count("FRAUD") > 3


def test_the_truth_of_the_file_counts_before_labels_and_a_later_label_before_an_earlier_one(tmp_path: Path) -> None:
    world = small_world(7)
    first = next(event for event in world.events if event.handle == LABELS and unpack(event.value)[1]["label"] == "FRAUD")
    subject, ts_us = unpack(first.value)[1]["subject_event_id"], first.ts_us + 1
    again = Event(LABELS, subject, ts_us, label("again", ts_us, subject, first.ts_us - 7 * DAY_US, "LEGIT"))
    told = surveyed(run_world(world._replace(events=sorted([*world.events, again], key=lambda one: one.ts_us))).log.values(JOURNAL))
    assert told.said[subject] is False
    assert told.payments == len(world.payments)
    sealed = generated_world(tmp_path, "handbook", 1_000, 3)
    frauds = set(sealed.truth().filter(sealed.truth()["label"] == 1)["event_id"])
    assert set(truth_of(sealed, Surveyed(1, 1, {"posted": True})).frauds) == frauds != set()
    assert set(truth_of(None, Surveyed(1, 2, {"posted": True, "not": False})).frauds) == {"posted"}


def test_a_record_of_a_writer_that_had_lost_the_lane_is_not_counted(troubled: Finished) -> None:
    journal = troubled.log.values(JOURNAL)
    record = next(one for one in map(JournalRecord.from_bytes, journal) if one.rows)
    assert surveyed([*journal, replace(record, epoch=0).to_bytes()]) == surveyed(journal)
    assert surveyed(journal).payments > 0


def test_without_any_label_frauds_are_unknown_and_not_none(tmp_path: Path) -> None:
    world = small_world(7)
    quiet = world._replace(events=[event for event in world.events if event.handle != LABELS])
    answer, listed = answer_of(run_world(quiet, partitions=PARTITIONS), other_policy(), tmp_path)
    assert answer.truth == "nobody has said yet"
    assert {cell.frauds for cell in answer.cells} == {reason.frauds_after for reason in answer.reasons} == {None}
    assert {one.fraud for one in listed} == {None}


def test_a_journal_of_other_documents_than_the_run_s_is_refused(troubled: Finished, tmp_path: Path) -> None:
    """A document was changed, under the same revision, since the run began."""
    rules = changed(config().policy, thresholds={"STEP_UP": 1})
    edited: RunConfig = config().model_copy(update={"policy": rules})
    with pytest.raises(Stop) as refused:
        backtest(run_of(tmp_path, edited, PARTITIONS), other_policy(), LogSources(troubled.log, PARTITIONS))
    assert refused.value.reason is Reason.RUN_CONFIG_MISMATCH


def test_an_entity_that_no_payment_names_is_refused_and_not_read_as_empty(troubled: Finished, tmp_path: Path) -> None:
    policy = other_policy()
    features = changed(policy.features, entities=["customer", "terminal", "device"])
    with pytest.raises(Stop) as refused:
        answer_of(troubled, policy_of(features, policy.rules), tmp_path)
    assert refused.value.reason is Reason.POLICY_ENTITY_ABSENT
    assert "device" in refused.value.what


def test_payments_in_a_currency_that_the_policy_does_not_add_are_refused(troubled: Finished, tmp_path: Path) -> None:
    policy = other_policy()
    with pytest.raises(Stop) as refused:
        answer_of(troubled, policy_of(changed(policy.features, currencies=["USD"]), policy.rules), tmp_path)
    assert refused.value.reason is Reason.CURRENCY_NOT_OF_POLICY
    assert "payments in EUR" in refused.value.what
    assert "of USD" in refused.value.what
    assert answer_of(troubled, policy_of(changed(policy.features, currencies=["USD", "EUR"]), policy.rules), tmp_path)[0].payments


@pytest.mark.parametrize("part", ["features", "rules"])
def test_another_document_under_the_revision_of_the_run_is_refused(troubled: Finished, tmp_path: Path, part: str) -> None:
    features, rules = HANDBOOK.features, HANDBOOK.rules
    if part == "features":
        features = changed(features, features=features["features"][:-1])
    else:
        rules = changed(rules, thresholds={"STEP_UP": 1})
    compiled = HANDBOOK._replace(features=features, rules=rules)
    with pytest.raises(Stop) as refused:
        answer_of(troubled, compiled, tmp_path)
    assert refused.value.reason is Reason.RUN_SCOPE_MISMATCH
    assert f"the {part} of policy 'handbook' are not those of the run under the same revision" in refused.value.what


def test_nothing_of_the_run_is_written(troubled: Finished, tmp_path: Path) -> None:
    before = troubled.log.count
    answer_of(troubled, other_policy(), tmp_path)
    assert troubled.log.count == before
    assert list(tmp_path.iterdir()) == []
