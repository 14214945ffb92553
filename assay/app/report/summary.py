"""What a run's report says: figures computed from its evidence and its sealed world, with None for what is not proven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import polars as pl

from assay.app.gate.spool import unseen
from assay.app.oracle.sealed_world import SealedWorld, find_world
from assay.app.oracle.set_aside import set_aside_text
from assay.app.report.evidence import CLAIMS, AuditEvidence, ReplayEvidence, RunEvidence, read_decisions
from assay.app.report.findings import NOTHING, Findings, findings_of, placed
from assay.app.report.payments import ENTITY, entities_of, exponents_of, judged
from assay.app.report.posted_labels import read_labels
from assay.app.report.quality import DAY_US, DELAY_DAYS, TEST_DAYS, TRAIN_DAYS, Quality, measure, rows_of_test_week
from assay.app.report.receipted import count_receipts
from assay.app.report.recheck import Held, recheck
from assay.app.report.share import Share, share
from assay.app.report.verdicts import Shown, came_in, checked_again, nothing_decided
from assay.app.run.directory import Run
from assay.app.run.policy_revisions import kept
from assay.contracts import instants
from assay.contracts.outcomes import OUTCOMES

BINS = 60
LATENCY_OF = "a batch's journal record to decisions acknowledged, while streaming"
_MEANING = {"smoke": "no hardening claimed", "parity": "the server used in production", "managed": "run by a provider"}


@dataclass(frozen=True)
class OutcomeRow:
    """One outcome or one reason: how often, and what truth said later. `frauds` is None without truth."""

    name: str
    count: int
    frauds: int | None

    @property
    def rate(self) -> Share | None:
        """Share of confirmed fraud, None without truth."""
        return None if self.frauds is None else share(self.frauds, self.count)

    @property
    def precision(self) -> float | None:
        """The same without its interval, None without truth or without rows."""
        return None if self.frauds is None or not self.count else self.frauds / self.count


@dataclass(frozen=True)
class Series:
    """Counts per bin of equal width; `width_s` in seconds, starting at `start_us`."""

    start_us: int
    width_s: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class QualityRow:
    """Quality over a named set of decided payments."""

    name: str
    entity: str
    quality: Quality
    test_week: bool = False


@dataclass(frozen=True)
class RunSummary:
    """Everything the terminal and the page show. Optional fields are None where evidence is missing.

    `aside`: reason → rows of the file that the import set aside; they are in no other count.
    """

    run_id: str
    world: str
    sealed_rows: int | None
    eligible: int | None
    decisions: int | None
    audits: int | None
    frauds: int | None
    missed_frauds: int | None
    outcomes: Sequence[OutcomeRow]
    reasons: Sequence[OutcomeRow]
    throughput: Series | None
    quality: Sequence[QualityRow]
    run: RunEvidence | None
    replay: ReplayEvidence | None
    audit: AuditEvidence | None
    held: Held
    identity: Mapping[str, str]
    findings: Findings = NOTHING
    aside: Mapping[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool | None:
        """True if every eligible payment was decided and audited, False if two figures differ, else None while one is missing.

        Without a denominator nothing is refuted: a live run that goes on was replayed at one moment and verified at another.
        """
        if self.nothing_eligible:
            return None
        figures = {self.eligible, self.decisions, self.audits}
        if self.eligible is not None and len(figures - {None}) > 1:
            return False
        return None if None in figures else True

    @property
    def nothing_eligible(self) -> bool:
        """Whether no payment was left to be decided, and none was: there is nothing to prove."""
        return self.eligible == 0 and not self.decisions and not self.audits

    @property
    def latency_what(self) -> str:
        """Latency from what to what, and of which session if the last one measured none."""
        run = self.run
        earlier = run is not None and run.latency_utc not in ("", run.started_utc)
        return LATENCY_OF + (f", in the session of {run.latency_utc[:19].replace('T', ' ')} UTC" if run is not None and earlier else "")

    @property
    def claim(self) -> str | None:
        """The claim level of the weakest part."""
        return None if self.run is None or not self.run.parts else min((p.claim for p in self.run.parts), key=CLAIMS.index)

    @property
    def claim_text(self) -> str | None:
        """The claim level with the parts it comes from and what it means."""
        if self.run is None or self.claim is None:
            return None
        weakest = ", ".join(f"{part.role}: {part.name}" for part in self.run.parts if part.claim == self.claim)
        return f"{self.claim} ({weakest}; {_MEANING[self.claim]})"

    @property
    def _refused(self) -> int:
        """Payments that came in and were refused later: sealed ones by gate and lanes, those of a live run by lanes."""
        return 0 if self.run is None or self.eligible is None else self.run.refused_triggers

    @property
    def _came_in(self) -> int | None:
        """Payments of the world, or those that the gate admitted of a live run."""
        return self.run.admitted_triggers if self.run is not None and self.sealed_rows is None else self.sealed_rows

    @property
    def _by_lanes(self) -> str:
        """What the gate refuses of a live run never came in."""
        return "" if self.sealed_rows is not None else " by the lanes"

    @property
    def _eligible_text(self) -> str:
        """The denominator, with the refused payments that are not in it."""
        return (
            f"{_n(self.eligible)} of {_n(self._came_in)} eligible ({self._refused:,} refused{self._by_lanes})"
            if self._refused
            else f"{_n(self.eligible)} eligible"
        )

    @property
    def verdicts(self) -> Sequence[Shown]:
        """(what, proven or refuted or None, in figures)."""
        counted = f"{_n(self.eligible)} eligible · {_n(self.decisions)} decided · {_n(self.audits)} audited"
        if self.nothing_eligible:
            counted = nothing_decided(self.run, self.sealed_rows)
        elif self.complete:
            counted = f"{self._eligible_text}, all decided, all audited"
        counted += f"; {set_aside_text(self.aside)}" if self.aside else ""
        lost = self.run.refused_labels if self.run else 0
        counted += f"; {lost:,} label{'s' if lost != 1 else ''} refused by the lanes" if lost else ""
        entry = self.run.entry if self.run else None
        checked = checked_again(self.replay, self.audit, self.held, nothing=self.nothing_eligible)
        every = "Every eligible payment" if self._refused else "Every payment"
        return ((f"{every} decided and audited", self.complete, counted), came_in(entry, self.held), *checked)


def summarize(run: Run) -> RunSummary:
    """Read the evidence of a run. Raises Stop(EVIDENCE_INVALID) for evidence that cannot be read."""
    store = run.store
    evidence, replay, audit = RunEvidence.read(store), ReplayEvidence.read(store), AuditEvidence.read(store)
    world, decisions = find_world(run.store, run.config.manifest_fingerprint), read_decisions(store)
    held, places = recheck(store, audit, replay, decisions)
    held = held._replace(receipts=_receipts(run, evidence))
    frame, labels = (None, NOTHING.labels) if decisions is None else judged(decisions, world, read_labels(store), run.config.pseudonymise)
    known = labels.source != ""
    sealed = world.manifest.rows if world else None
    return RunSummary(
        run_id=run.platform_run_id,
        world=run.config.scenario_id,
        sealed_rows=sealed,
        eligible=_eligible(sealed, evidence),
        decisions=None if decisions is None else len(decisions),
        audits=held.audits,
        frauds=int(frame["fraud"].sum()) if frame is not None and known else None,
        missed_frauds=int(frame.filter("fraud", outcome="ALLOW").height) if frame is not None and known else None,
        outcomes=() if frame is None else _by_outcome(frame, known=known),
        reasons=() if frame is None else _by_reason(frame, known=known),
        throughput=None if decisions is None else _throughput(decisions),
        quality=_quality(frame, world) if frame is not None and known else (),
        run=evidence,
        replay=replay,
        audit=audit,
        held=held,
        identity=_identity(run, evidence),
        findings=NOTHING if frame is None else placed(findings_of(frame, labels, run.config.policy, exponents_of(world)), places),
        aside=world.manifest.aside if world else {},
    )


def _receipts(run: Run, evidence: RunEvidence | None) -> int | None:
    """Receipts that there are now, if the evidence speaks of them and all can be seen from here."""
    asked = evidence is not None and evidence.entry is not None and not unseen(run)
    return count_receipts(run.store, run.directory) if asked else None


def _eligible(sealed: int | None, evidence: RunEvidence | None) -> int | None:
    """Payments that had to be decided: the sealed ones, or those the gate admitted of a live run, without refused ones."""
    if evidence is None:
        return None
    came_in = evidence.admitted_triggers if sealed is None else sealed
    return None if came_in is None else came_in - evidence.refused_triggers


def _by_outcome(frame: pl.DataFrame, *, known: bool) -> list[OutcomeRow]:
    found = {row[0]: row[1:] for row in frame.group_by("outcome").agg(pl.len(), pl.col("fraud").sum()).iter_rows()}
    return [OutcomeRow(str(name), *_counts(found.get(str(name), (0, 0)), known=known)) for name in OUTCOMES]


def _by_reason(frame: pl.DataFrame, *, known: bool) -> list[OutcomeRow]:
    flat = frame.select("reasons", "fraud").explode("reasons").drop_nulls("reasons")
    found = flat.group_by("reasons").agg(pl.len().alias("count"), pl.col("fraud").sum())
    found = found.sort(["count", "reasons"], descending=[True, False])
    return [OutcomeRow(str(row[0]), *_counts(row[1:], known=known)) for row in found.iter_rows()]


def _counts(found: Sequence[int], *, known: bool) -> tuple[int, int | None]:
    return int(found[0]), int(found[1]) if known else None


def _throughput(decisions: pl.DataFrame) -> Series | None:
    if decisions.is_empty():
        return None
    at = decisions["decided_at_us"].to_numpy()
    start, end = int(at.min()), int(at.max())
    width_us = max(1, -(-(end - start + 1) // BINS))
    counts = np.bincount((at - start) // width_us, minlength=(end - start) // width_us + 1)
    return Series(start, width_us / 1e6, tuple(int(count) for count in counts))


def _quality(frame: pl.DataFrame, world: SealedWorld | None) -> list[QualityRow]:
    """Over all decisions and, if the world is long enough, over the last test week of the published protocol."""
    names = entities_of(frame)
    entity = "customer" if "customer" in names else names[0] if names else ""
    day = frame["ts_us"].to_numpy() // DAY_US
    owners = frame[f"{ENTITY}{entity}"].fill_null("") if entity else frame["event_id"]
    owner = owners.rank("dense").cast(pl.Int64).to_numpy()
    fraud, score = frame["fraud"].to_numpy(), frame["score"].to_numpy()
    found = [QualityRow("all decided", entity, measure(day, owner, fraud, score))]
    if world is None or not len(day):
        return found
    last_day = world.manifest.max_ts_us // DAY_US
    first = last_day - (TRAIN_DAYS + DELAY_DAYS + TEST_DAYS) + 1
    if first < int(day.min()):
        return found
    keep = rows_of_test_week(day, owner, fraud, first)
    if keep.any():
        week = measure(day[keep], owner[keep], fraud[keep], score[keep])
        found.insert(0, QualityRow(f"test week from {_date(last_day - TEST_DAYS + 1)}", entity, week, test_week=True))
    return found


def _identity(run: Run, evidence: RunEvidence | None) -> dict[str, str]:
    pins = {name: str(value) for name, value in run.config.pins.as_json().items()}
    policy = {
        "ordering": run.config.ordering,
        "features": f"{run.config.features.get('feature_set')} r{run.config.features.get('revision')}",
        "policy": f"{run.config.policy.get('policy_id')} r{run.config.policy.get('revision')}",
        "run_config_digest": run.config.digest.hex(),
    }
    changed = "; ".join(f"{one.policy_id} r{one.revision}, {instants.text(one.activated_us)} by {one.actor}" for one in kept(run.store))
    # rules are weighed by the points that the run began with
    revisions = {"policy changed to (figures of rules are by the first policy)": changed} if changed else {}
    return {**pins, **policy, **revisions, **(evidence.digests if evidence else {})}


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")


def _n(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"
