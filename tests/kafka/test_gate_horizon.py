"""A gate whose index forgets: what a caller, a reader of receipts and a report see of an id that is beyond the horizon."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from gate_events import event
from gate_process import KEY, GateProcess, mark, run_in
from said_ready import say_ready

from assay.app.demo.admitted import entry_of
from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.testing import until

DAY_1, DAY_60, DAY_61 = (f"2018-{day}T00:00:31.000000Z" for day in ("04-01", "05-30", "05-31"))
BEFORE = "2018-04-15T00:00:31.000000Z"


@pytest.fixture(params=["arrival", "event_time"])
def run(request: pytest.FixtureRequest, tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Run:
    """A run of each ordering. Its newest ids are not kept for a lane that starts again."""
    made = run_in(tmp_path / "run", kafka.address, dsn, namespace, ready=False)
    made = made.model_copy(update={"config": made.config.model_copy(update={"ordering": request.param})})
    made.save()
    say_ready(made)
    return made


@pytest.fixture
def first(run: Run) -> GateProcess:
    """A gate that admitted an event of April and one of May, and has ended. An hour has gone since."""
    gate = GateProcess(run)
    try:
        for name, ts_utc in (("old", DAY_1), ("later", DAY_60), ("last", DAY_61)):
            assert gate.post("/v1/ingest/push", event(name, ts_utc=ts_utc))[1]["admission"] == "ADMIT"
        if run.config.ordering == "event_time":
            assert gate.post("/v1/ingest/marks", mark(DAY_60))[0] == 200
        until(lambda: horizons(run) == 1, 60)
        assert gate.stop() == 0
    finally:
        gate.kill()
    with psycopg.connect(run.dsn) as connection:
        assert connection.execute("SELECT horizon_us, newest FROM ig_horizons").fetchall() == [(45 * 86_400_000_000, 100_000)]
        connection.execute("UPDATE ig_horizons SET newest = 0")
        connection.execute("UPDATE ig_begun SET begun_at = begun_at - interval '1 hour'")
    return gate


def horizons(run: Run) -> int:
    with psycopg.connect(run.dsn) as connection:
        row = connection.execute("SELECT count(*) FROM ig_horizons").fetchone()
        return int(row[0]) if row else 0


def test_an_id_beyond_the_horizon_is_a_new_event_or_a_late_one_and_its_receipts_stay(run: Run, first: GateProcess) -> None:
    by_marks, gate = run.config.ordering == "event_time", GateProcess(run)
    try:
        until(lambda: "assay_gate_forgotten_ids_total 1.0" in gate.get("/metrics", None)[1], 60)
        found = gate.get("/v1/ops/lookup?event_id=old", KEY)[1]
        assert (found["admissions"], [one["decision"] for one in found["receipts"]]) == ([], ["ADMIT"])
        assert found["forgotten_before_utc"] == (BEFORE if by_marks else "2018-04-16T00:00:31.000000Z")
        assert "forgotten_before_utc" not in gate.get("/v1/ops/lookup?event_id=later", KEY)[1]
        unknown = gate.get("/v1/ops/lookup?event_id=nobody", KEY)[1]
        assert "ids of events before 2018-04-1" in unknown["detail"] and "are forgotten" in unknown["detail"]
        assert gate.get("/v1/decisions/old", KEY)[1]["error"] == "DECISION_PENDING", "it was admitted"
        again = gate.post("/v1/ingest/push", event("old", ts_utc=DAY_1))[1]
        assert (again["admission"], again["reason_codes"]) == (("QUARANTINE", ["LATE_BEYOND_WATERMARK"]) if by_marks else ("ADMIT", []))
        assert gate.post("/v1/ingest/push", event("later", ts_utc=DAY_60))[1]["admission"] == "DUPLICATE"
        assert gate.stop() == 0
        assert "1 event ids are forgotten" in gate.rest()
    finally:
        gate.kill()
    assert gate.event_ids() == {"old": 1 if by_marks else 2, "later": 1, "last": 1}
    entry = entry_of(run)
    assert (entry.receipts, entry.admitted) == (3, 3 if by_marks else 4), "what is decided again is admitted again"
    assert (entry.without_receipt, entry.strangers, entry.forgotten, entry.unasked) == (0, 0, 1, "")


def test_a_record_without_a_receipt_that_is_older_than_what_is_forgotten_is_called_unknown(run: Run, first: GateProcess) -> None:
    gate = GateProcess(run)
    try:
        until(lambda: "assay_gate_forgotten_ids_total 1.0" in gate.get("/metrics", None)[1], 60)
        assert gate.stop() == 0
    finally:
        gate.kill()
    (segment,) = run.store.keys("ig/receipts")
    lines = run.store.read(segment).splitlines()
    run.store.replace(segment, b"\n".join(line for line in lines if b'"event_id":"old"' not in line) + b"\n")
    entry = entry_of(run)
    assert (entry.without_receipt, entry.beyond, entry.strangers, entry.receipts_gone) == (1, 1, 0, 0)
    with psycopg.connect(run.dsn) as connection:
        connection.execute("UPDATE ig_forgotten SET before_us = 0")
    entry = entry_of(run)
    assert (entry.without_receipt, entry.beyond, entry.strangers) == (1, 0, 1)
