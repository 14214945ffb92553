"""Checkpoints in PostgreSQL keep what those in the store keep, and a database that was restarted is asked again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from assay.app.bench.lane import bench_config
from assay.app.database.prepare import prepare
from assay.app.run.directory import Run
from assay.app.settings import load_settings
from assay.app.streamer.checkpoint import Cursor
from assay.app.streamer.keepers import Keepers
from assay.app.streamer.lanes import Lane
from assay.app.streamer.sql_checkpoint import Cursors, SqlCheckpoint
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason


@pytest.fixture
def cursors(dsn: str) -> Iterator[Cursors]:
    prepare(dsn)
    made = Cursors(dsn)
    yield made
    made.close()


def test_a_cursor_is_what_was_saved_last_for_its_name_and_scope_alone(cursors: Cursors, dsn: str) -> None:
    one = SqlCheckpoint(cursors, "wsp/events", "scope")
    assert one.load(10) == Cursor()
    for cursor in (Cursor(3, next_us=7), Cursor(5, next_us=-9), Cursor(10, complete=True)):
        one.save(cursor)
        assert one.load(10) == SqlCheckpoint(Cursors(dsn), "wsp/events", "scope").load(10) == cursor
    assert SqlCheckpoint(cursors, "wsp/other", "scope").load(10) == Cursor()
    assert SqlCheckpoint(cursors, "wsp/events", "another").load(10) == Cursor()


def test_a_position_that_the_sequence_does_not_have_is_refused(cursors: Cursors) -> None:
    one = SqlCheckpoint(cursors, "wsp/events", "scope")
    one.save(Cursor(11))
    with pytest.raises(Stop) as refused:
        one.load(10)
    assert refused.value.reason is Reason.CHECKPOINT_MISMATCH


def test_a_connection_that_the_server_has_ended_is_made_again(cursors: Cursors, dsn: str) -> None:
    one = SqlCheckpoint(cursors, "wsp/events", "scope")
    one.save(Cursor(4))
    pid = cursors.ask(lambda connection: connection.info.backend_pid)
    with psycopg.connect(dsn, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (pid,))
    assert one.load(10) == Cursor(4)
    assert cursors.ask(lambda connection: connection.info.backend_pid) != pid


def test_a_database_that_is_away_is_said_to_be_silent_without_its_password() -> None:
    away = Cursors("postgresql://assay:hidden-word@127.0.0.1:1/assay", patience_s=0.1)
    with pytest.raises(Retry) as refused:
        SqlCheckpoint(away, "wsp/events", "scope").load(10)
    assert refused.value.reason is Reason.DATABASE_SILENT
    assert "hidden-word" not in str(refused.value)


def test_a_database_without_the_table_names_the_command_that_makes_it(dsn: str) -> None:
    bare = Cursors(dsn)
    with pytest.raises(Stop) as refused:
        SqlCheckpoint(bare, "wsp/events", "scope").load(10)
    assert refused.value.reason is Reason.DATABASE_NOT_MIGRATED
    assert "assay db migrate" in refused.value.remedy
    bare.close()


def test_each_sequence_lane_and_process_has_a_row_of_its_own(dsn: str, tmp_path: Path) -> None:
    prepare(dsn)
    run = Run(directory=tmp_path, config=bench_config(), bootstrap="nowhere:1", dsn=dsn)
    settings = load_settings().model_copy(update={"checkpoints": "postgres"})
    streamed, delivered = (Keepers(run, "7" * 64, settings, folder) for folder in ("wsp", "labels"))
    places = [(name, Lane(number, lanes)) for name in ("events", "anchors") for number, lanes in ((0, 1), (0, 2), (1, 2), (0, 3))]
    keepers = [*(streamed.of(*place) for place in places), delivered.of("events")]
    for position, keeper in enumerate(keepers, 1):
        keeper.save(Cursor(position))
    assert [keeper.load(99).position for keeper in keepers] == list(range(1, 10))
    for one in (streamed, delivered):
        one.close()
    assert not list(run.store.keys(""))


def test_a_run_keeps_the_number_of_lanes_that_it_was_begun_with(dsn: str, tmp_path: Path) -> None:
    prepare(dsn)
    run = Run(directory=tmp_path, config=bench_config(), bootstrap="nowhere:1", dsn=dsn)
    keepers = [Keepers(run, pack * 64, load_settings().model_copy(update={"checkpoints": "postgres"})) for pack in "778"]
    for one, lanes in zip(keepers, (2, 2, 3), strict=True):  # another pack has lanes of its own
        one.begin(lanes)
    with pytest.raises(Stop) as refused:
        keepers[0].begin(1)
    assert refused.value.reason is Reason.STREAM_LANE_INVALID
    assert "--lanes 1" in refused.value.what and "--lanes 2" in refused.value.what
    for one in keepers:
        one.close()
