"""What users get wrong most often, through the command line: one line that names thing, place and remedy, and a documented exit code."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import yaml
from assay_command import assay
from gated_worlds import config_over, generated_world
from mistakes import MAPPING, NOWHERE, Mistake, assert_clear, ended_of, mapping_in
from small_worlds import ROWS, write

from assay.app.oracle.generator import generate
from assay.app.policy.documents import document
from assay.app.run.directory import Run

RUN = "platform_20260101T000000Z"


def imported(folder: Path, mapping: str = MAPPING, **columns: list[object]) -> list[str | Path]:
    """Import the small file with some columns replaced."""
    file = write(folder / "in.parquet", pl.DataFrame({**ROWS, **columns}))
    return ["oracle", "import", file, "--mapping", mapping_in(folder, mapping), "--out", folder / "store"]


def missing_file(folder: Path) -> list[str | Path]:
    return ["oracle", "import", folder / "none.parquet", "--mapping", "handbook", "--out", folder / "store"]


def demo_of_a_missing_file(folder: Path) -> list[str | Path]:
    return ["demo", "--input", folder / "none.parquet", "--mapping", "handbook"]


def wrong_kind_of_file(folder: Path) -> list[str | Path]:
    (folder / "in.parquet").write_text("not parquet")
    return ["demo", "--input", folder / "in.parquet", "--mapping", "handbook"]


def wrong_column(folder: Path) -> list[str | Path]:
    return imported(folder, MAPPING.replace("amount: {column: amount,", "amount: {column: amuont,"))


def unknown_mapping(folder: Path) -> list[str | Path]:
    return ["demo", "--input", write(folder / "in.parquet", ROWS), "--mapping", "handbok"]


def unknown_policy(folder: Path) -> list[str | Path]:
    return ["demo", "--rows", "50", "--policy", "handbok"]


def own_mapping_without_a_policy(folder: Path) -> list[str | Path]:
    return ["demo", "--input", write(folder / "in.parquet", pl.DataFrame(ROWS)), "--mapping", mapping_in(folder)]


def mapping_for_a_policy(folder: Path) -> list[str | Path]:
    return ["demo", "--rows", "50", "--policy", mapping_in(folder)]


def policy_over_a_file(folder: Path) -> list[str | Path]:
    (folder / "mine").mkdir()
    (folder / "mine" / "rules.yaml").write_text("")
    return ["policy", "new", folder / "mine", "--mapping", "handbook"]


def policy_of_another_mapping(folder: Path) -> list[str | Path]:
    return ["policy", "check", "handbook", "--mapping", "transfers"]


def another_policy_for_a_live_run(folder: Path) -> list[str | Path]:
    return ["up", "--run", run_in(folder), "--policy", "transfers"]


def policy_of_another_world(folder: Path) -> list[str | Path]:
    return ["demo", "--rows", "50", "--policy", "transfers"]


def policy_of_another_currency(folder: Path) -> list[str | Path]:
    for part in ("features", "rules"):
        (folder / f"{part}.yaml").write_text(
            yaml.safe_dump(document("handbook", part) | ({"currencies": ["USD"]} if part == "features" else {}))
        )
    return ["demo", "--rows", "50", "--policy", folder]


def naive_time(folder: Path) -> list[str | Path]:
    return imported(folder, at=["2018-04-01 00:00:31"] * 4)


def future_time(folder: Path) -> list[str | Path]:
    return imported(folder, at=["2999-04-01T00:00:31Z"] * 4)


def negative_amount(folder: Path) -> list[str | Path]:
    return imported(folder, amount=["57.16", "-1", "2", "3"])


def broken_minor_unit(folder: Path) -> list[str | Path]:
    return imported(folder, amount=["57.16", "1.005", "2", "3"])


def same_id_twice(folder: Path) -> list[str | Path]:
    return imported(folder, id=["p1", "p1", "p3", "p4"])


def sealed(folder: Path) -> tuple[Path, list[str | Path]]:
    """A world's folder, and the command that checks it."""
    world = generated_world(folder, "handbook", 50, 1)
    return folder / "store" / world.root, ["oracle", "check", world.manifest.manifest_fingerprint, "--store", folder / "store"]


def altered_view(folder: Path) -> list[str | Path]:
    root, check = sealed(folder)
    part = root / "stream_view" / "part-000000.parquet"
    frame = pl.read_parquet(part)
    part.chmod(0o644)
    frame.with_columns(pl.col("amount_minor") + 1).write_parquet(part)
    return check


def altered_manifest(folder: Path) -> list[str | Path]:
    root, check = sealed(folder)
    path = next(root.glob("validation/*/world_manifest.json"))
    document = json.loads(path.read_text())
    document["rows"] += 1
    path.chmod(0o644)
    path.write_text(json.dumps(document))
    return check


def missing_part(folder: Path) -> list[str | Path]:
    root, check = sealed(folder)
    (root / "stream_view" / "part-000000.parquet").unlink()
    return check


def run_in(folder: Path) -> Path:
    """A run whose Kafka and PostgreSQL are not there."""
    world = generated_world(folder / RUN, "handbook", 50, 1)
    run = Run(directory=folder / RUN, config=config_over(world, "handbook"), bootstrap="127.0.0.1:9", dsn=NOWHERE["ASSAY_SQL"])
    run.save()
    return run.directory


def no_run(folder: Path) -> list[str | Path]:
    return ["replay", "--verify", "--run", folder]


def a_mistyped_run(folder: Path) -> list[str | Path]:
    return ["demo", "--run", folder / "platform_20260101T000001Z"]


def another_input_for_a_run(folder: Path) -> list[str | Path]:
    directory = run_in(folder)
    generate("handbook", 40, 2, folder / "other.parquet")
    return ["demo", "--run", directory, "--input", folder / "other.parquet", "--mapping", "handbook"]


def replay_without_a_broker(folder: Path) -> list[str | Path]:
    return ["replay", "--verify", "--run", run_in(folder)]


def worker_without_a_broker(folder: Path) -> list[str | Path]:
    return ["worker", "--run", run_in(folder), "--web-port", "0"]


def demo_on_an_absent_database(folder: Path) -> list[str | Path]:
    return ["demo", "--rows", "50"]


def a_mistyped_option(folder: Path) -> list[str | Path]:
    return ["demo", "--row", "50"]


def a_mistyped_command(folder: Path) -> list[str | Path]:
    return ["dmeo"]


MISTAKES = [
    Mistake(missing_file, 66, "INPUT_FILE_MISSING", "none.parquet"),
    Mistake(demo_of_a_missing_file, 66, "INPUT_FILE_MISSING", "none.parquet"),
    Mistake(wrong_kind_of_file, 65, "INPUT_FILE_UNREADABLE", "in.parquet"),
    Mistake(wrong_column, 65, "INPUT_COLUMN_MISSING", "amuont"),
    Mistake(unknown_mapping, 66, "INPUT_FILE_MISSING", "handbok"),
    Mistake(unknown_policy, 66, "POLICY_MISSING", "Did you mean 'handbook'"),
    Mistake(own_mapping_without_a_policy, 66, "POLICY_MISSING", "assay policy new DIR --mapping"),
    Mistake(mapping_for_a_policy, 66, "POLICY_MISSING", "under the keys features and rules"),
    Mistake(policy_over_a_file, 70, "POLICY_FOLDER_TAKEN", "mine is there"),
    Mistake(policy_of_another_mapping, 65, "POLICY_ENTITY_ABSENT", "customer"),
    Mistake(another_policy_for_a_live_run, 70, "POLICY_CHANGED_MID_RUN", "the features of policy 'transfers' are"),
    Mistake(policy_of_another_world, 65, "POLICY_ENTITY_ABSENT", "account"),
    Mistake(policy_of_another_currency, 65, "CURRENCY_NOT_OF_POLICY", "payments in EUR"),
    Mistake(naive_time, 65, "TIME_ZONE_MISSING", "at"),
    Mistake(future_time, 65, "TIME_IN_FUTURE", "at"),
    Mistake(negative_amount, 65, "AMOUNT_OUT_OF_RANGE", "amount"),
    Mistake(broken_minor_unit, 65, "AMOUNT_NOT_WHOLE_MINOR_UNIT", "amount"),
    Mistake(same_id_twice, 65, "INPUT_ID_DUPLICATE", "id"),
    Mistake(altered_view, 70, "DIGEST_MISMATCH", "part-000000.parquet"),
    Mistake(altered_manifest, 70, "GATE_EVIDENCE_MISMATCH", "validation"),
    Mistake(missing_part, 70, "OBJECT_MISSING", "part-000000.parquet"),
    Mistake(no_run, 66, "RUN_MISSING", "run.json"),
    Mistake(a_mistyped_run, 66, "RUN_MISSING", "platform_20260101T000001Z"),
    Mistake(another_input_for_a_run, 70, "RUN_SCOPE_MISMATCH", "manifest_fingerprint"),
    Mistake(demo_on_an_absent_database, 75, "SERVER_SILENT", "postgres does not answer"),
    Mistake(a_mistyped_option, 2, "", "--rows"),
    Mistake(a_mistyped_command, 2, "", "dmeo"),
]


#: each of these waits for a broker for as long as it may be starting
WAITING = [
    pytest.param(Mistake(replay_without_a_broker, 75, "BROKER_UNREACHABLE", "127.0.0.1:9"), marks=pytest.mark.long),
    pytest.param(Mistake(worker_without_a_broker, 75, "BROKER_UNREACHABLE", "127.0.0.1:9"), marks=pytest.mark.long),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.make.__name__)
def test_a_mistake_is_answered_with_one_clear_line(
    mistake: Mistake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert_clear(ended_of(mistake.make(tmp_path), tmp_path, monkeypatch, capfd), mistake)


@pytest.mark.tier2
@pytest.mark.parametrize("mistake", WAITING, ids=lambda mistake: mistake.make.__name__)
def test_a_command_without_its_broker_says_so(mistake: Mistake, tmp_path: Path) -> None:
    assert_clear(assay(*mistake.make(tmp_path), cwd=tmp_path), mistake)


def test_a_process_ends_with_the_code_of_its_refusal_and_nothing_else_on_standard_error(tmp_path: Path) -> None:
    ended = assay("oracle", "import", tmp_path / "none.parquet", "--mapping", "handbook", "--out", tmp_path)
    assert_clear(ended, MISTAKES[0])
    assert len(ended.err.splitlines()) == 1
