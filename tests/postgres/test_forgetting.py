"""The rows of a run leave an index that other runs use."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import psycopg
import pytest
from claims import Claim
from shown_runs import shown_run

from assay.app.authority.migrate import migrate
from assay.app.authority.store import open_authority
from assay.app.cli import main
from assay.app.gate.answer_index import AnswerIndex, Placed
from assay.app.gate.forgetting import forget_run
from assay.app.gate.horizon import RunHorizon, set_horizon
from assay.app.gate.index import AdmissionIndex, Process
from assay.app.gate.index_marks import Mark, marks_of, marks_text, move_marks
from assay.app.gate.segment_rows import SegmentRow, add_rows
from assay.app.gate.standing import RecordMetadata
from assay.contracts.errors import Retry, Stop
from assay.contracts.ids import dedupe_key
from assay.contracts.reasons import Reason

#: one row for each run
OF_RUN = ("segments", "horizons", "forgotten", "answers_forgotten")


def admit(dsn: str, run: str, *names: str) -> list[bytes]:
    """A gate of a run admits events, leaves the last one unsettled in a batch of its own, and marks."""
    index = AdmissionIndex(dsn, process=Process(run))
    keys = [dedupe_key(run, "traffic", name) for name in names]
    for some in (keys[:-1], keys[-1:]):
        batch, first = index.next_batch(len(some))
        marks = marks_text(index.ask(lambda connection: marks_of(connection, run)))
        index.claim([Claim(key, b"p" * 32, first, 0) for key in some], batch, marks=marks)
        if some is not keys[-1:] and len(some) > 1:
            index.settle(batch, [RecordMetadata(0, at) for at in range(len(some))])
    AdmissionIndex(dsn).ask(partial(move_marks, platform_run_id=run, moved=partial(dict, traffic=Mark(5, False))))
    index.pin_currency(run, "EUR")
    index.ask(partial(add_rows, platform_run_id=run, rows=[SegmentRow("key", b"digest", 1, 2, b"names")]))
    index.ask(partial(set_horizon, platform_run_id=run, horizon=RunHorizon(1, 0, None)))
    index.close()
    answers = AnswerIndex(dsn, run)
    answers.claim_answers({keys[0]: b"told"})
    answers.add([Placed(keys[0], 0, 0, b"told")])
    with psycopg.connect(dsn) as connection:  # as the owner's functions do
        connection.execute("INSERT INTO ig_forgotten VALUES (%s, 0, NULL, now(), 1) ON CONFLICT DO NOTHING", (run,))
        connection.execute("INSERT INTO ig_answers_forgotten VALUES (%s, 0, 1) ON CONFLICT DO NOTHING", (run,))
    return keys


def rows(dsn: str) -> dict[str, int]:
    with psycopg.connect(dsn) as connection:
        tables = ("claims", "begun", "retakes", "batches", "released", "epochs", "marks", "currencies", "answers", "answer_claims", *OF_RUN)
        counts = {name: connection.execute(f"SELECT count(*) FROM ig_{name}").fetchone() for name in tables}
    return {name: row[0] for name, row in counts.items() if row is not None}


def test_every_row_of_a_run_goes_and_no_row_of_another(dsn: str) -> None:
    keys = admit(dsn, "one", "a", "b", "c")
    admit(dsn, "one", "d", "e", "f")  # a second session, of which no receipt is asked for
    admit(dsn, "two", "a", "b", "c")
    both = {"claims": 9, "begun": 6, "retakes": 0, "batches": 3, "released": 0, "epochs": 3, "marks": 2, "currencies": 2}
    both |= {"answers": 3, "answer_claims": 3, **dict.fromkeys(OF_RUN, 2)}
    assert rows(dsn) == both
    more = [dedupe_key("one", "traffic", "d")]
    assert forget_run(dsn, "one", iter([*keys[:1], *more])) == 6 + 4 + 2 + 2 + 1 + 1 + 2 + 2 + len(OF_RUN)
    left = {"claims": 3, "begun": 2, "retakes": 0, "batches": 1, "released": 0, "epochs": 1, "marks": 1, "currencies": 1}
    assert rows(dsn) == left | {"answers": 1, "answer_claims": 1, **dict.fromkeys(OF_RUN, 1)}
    assert forget_run(dsn, "one", iter(keys)) == 0


def test_claims_that_a_later_gate_took_again_go_with_both_gates_rows(dsn: str) -> None:
    keys = admit(dsn, "one", "a", "b", "c")
    later = AdmissionIndex(dsn)
    batch, first = later.next_batch(1)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("INSERT INTO ig_released SELECT batch, 'test' FROM ig_begun ORDER BY batch DESC LIMIT 1")
    later.retake([(0, Claim(keys[2], b"p" * 32, first, 0))], batch)
    later.settle(batch, [RecordMetadata(0, 7)])
    later.close()
    assert forget_run(dsn, "one", iter(keys[2:])) == 3 + 3 + 1 + 2 + 1 + 1 + 1 + 1 + 1 + 1 + len(OF_RUN)
    assert set(rows(dsn).values()) == {0}


def test_an_index_that_was_never_made_has_nothing_to_forget(dsn: str) -> None:
    assert forget_run(dsn, "one", iter([])) == 0


def test_a_server_that_does_not_answer_is_told() -> None:
    with pytest.raises(Retry) as refused:
        forget_run("postgresql://nobody@127.0.0.1:9/none", "one", iter([]))
    assert refused.value.reason is Reason.INDEX_UNAVAILABLE
    assert "--local" in refused.value.remedy


def test_a_run_that_is_removed_leaves_its_key_in_the_registry_and_the_answer_says_why(
    dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    migrate(dsn)
    run = shown_run(tmp_path / "run").model_copy(update={"dsn": dsn})
    run.save()
    (run.directory / "servers" / "kafka").mkdir(parents=True)
    authority = open_authority(dsn)
    authority.register("key", run.config.scenario_run_id, "f" * 64, 1)
    with pytest.raises(SystemExit) as end:
        main(["runs", "remove", str(run.directory), "--yes"])
    assert (end.value.code, run.directory.exists()) == (0, False)
    assert [row.key for row in authority.rows()] == ["key"]
    told = capsys.readouterr().out
    assert "sr_run_equivalence" in told and "which names this run for ever and no other" in told
    with pytest.raises(Stop) as refused:
        authority.register("key", "1" * 32, "e" * 64, 2)
    assert refused.value.reason is Reason.EQUIV_KEY_COLLISION
