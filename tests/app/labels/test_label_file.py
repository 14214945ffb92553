"""A file of disputes becomes labels, or is refused with the row and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_worlds import small_world

from assay.app.labels.label_file import label_rows, load_label_mapping
from assay.contracts import instants
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

NOW_US = instants.parse("2026-06-01T00:00:00.000000Z")
MAPPING = """
event_id: payment
time: {column: told, zone: Europe/Berlin}
label: {column: status, fraud: [lost, Fraud], legit: [won]}
source: disputes
"""
ROWS = "payment,told,status\npay-1,2026-05-01 12:00:00,lost\npay-2,2026-05-01T12:00:00Z,WON\npay-3,,\n"


def written(folder: Path, rows: str = ROWS, mapping: str = MAPPING) -> tuple[Path, Path]:
    (folder / "disputes.csv").write_text(rows)
    (folder / "disputes.yaml").write_text(mapping)
    return folder / "disputes.csv", folder / "disputes.yaml"


def test_rows_become_labels_with_their_row_and_time_and_a_row_that_says_nothing_is_left_out(tmp_path: Path) -> None:
    file, mapping = written(tmp_path)
    rows = label_rows(file, load_label_mapping(mapping), None, NOW_US)
    assert [(row["row"], row["payment"], row["label"], instants.text(row["known_us"])) for row in rows.iter_rows(named=True)] == [
        (1, "pay-1", "FRAUD", "2026-05-01T10:00:00.000000Z"),
        (2, "pay-2", "LEGIT", "2026-05-01T12:00:00.000000Z"),
    ]


def test_one_label_may_hold_for_every_row(tmp_path: Path) -> None:
    file, mapping = written(
        tmp_path, "payment,told\npay-1,1777629600\n", "event_id: payment\ntime: {column: told, unit: s}\nlabel: FRAUD\n"
    )
    assert label_rows(file, load_label_mapping(mapping), None, NOW_US)["label"].to_list() == ["FRAUD"]


def test_the_bank_s_own_id_is_that_of_the_imported_file(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    part = world.stream_part(world.manifest.stream_view[0])
    wanted = part.reverse().head(3)
    lines = "\n".join(f"{source},2026-05-01T00:00:00Z,lost" for source in wanted["source_id"])
    file, mapping = written(tmp_path, f"payment,told,status\n{lines}\n", MAPPING.replace("event_id", "source_id"))
    assert label_rows(file, load_label_mapping(mapping), world, NOW_US)["payment"].to_list() == wanted["event_id"].to_list()


@pytest.mark.parametrize(
    ("row", "reason", "where"),
    [
        ("pay-1,2026-05-01T00:00:00Z,lots", Reason.INPUT_VALUE_INVALID, "column 'status', row 1"),
        (",2026-05-01T00:00:00Z,lost", Reason.INPUT_VALUE_MISSING, "column 'payment', row 1"),
        ("pay-1 ,2026-05-01T00:00:00Z,lost", Reason.INPUT_VALUE_INVALID, "column 'payment', row 1"),
        ("pay-1,,lost", Reason.INPUT_VALUE_MISSING, "column 'told', row 1"),
        ("pay-1,2026-06-02T00:00:00Z,lost", Reason.TIME_IN_FUTURE, "column 'told', row 1"),
        ("pay-1,01.05.2026,lost", Reason.INPUT_VALUE_INVALID, "column 'told', row 1"),
    ],
)
def test_a_row_that_is_no_label_refuses_the_file(tmp_path: Path, row: str, reason: Reason, where: str) -> None:
    file, mapping = written(tmp_path, f"payment,told,status\n{row}\n")
    with pytest.raises(Quarantine) as refused:
        label_rows(file, load_label_mapping(mapping), None, NOW_US)
    assert (refused.value.reason, refused.value.where) == (reason, where)
    assert refused.value.remedy


def test_an_id_that_the_world_does_not_have_refuses_the_file_and_a_run_without_a_world_knows_none(tmp_path: Path) -> None:
    file, mapping = written(tmp_path, mapping=MAPPING.replace("event_id", "source_id"))
    with pytest.raises(Quarantine) as refused:
        label_rows(file, load_label_mapping(mapping), small_world(tmp_path), NOW_US)
    assert (refused.value.reason, refused.value.where) == (Reason.LABEL_SUBJECT_UNKNOWN, "column 'payment', row 1")
    with pytest.raises(Stop) as stopped:
        label_rows(file, load_label_mapping(mapping), None, NOW_US)
    assert stopped.value.reason is Reason.PACK_NOT_FOUND


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        (MAPPING.replace("event_id: payment\n", ""), "give either 'event_id' or 'source_id'"),
        (MAPPING + "source_id: x\n", "give either 'event_id' or 'source_id'"),
        (MAPPING + "colour: blue\n", "colour: "),
        ("event_id: payment\nlabel: FRAUD\n", "time: "),
        (MAPPING.replace("time: {column: told, zone: Europe/Berlin}", "time: told"), "time: expected keys and values"),
        (MAPPING.replace("[won]", "[won, LOST]"), "label: 'lost' stands in 'fraud' and in 'legit'"),
        (MAPPING.replace("[lost, Fraud]", "[1, won]"), "'won' stands in 'fraud' and in 'legit'"),
    ],
)
def test_a_mapping_that_does_not_say_enough_is_refused(tmp_path: Path, mapping: str, told: str) -> None:
    with pytest.raises(Stop) as refused:
        load_label_mapping(written(tmp_path, mapping=mapping)[1])
    assert refused.value.reason is Reason.MAPPING_INVALID
    assert told in refused.value.what


def test_a_mapping_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Stop) as refused:
        load_label_mapping(tmp_path / "none.yaml")
    assert refused.value.reason is Reason.INPUT_FILE_MISSING
