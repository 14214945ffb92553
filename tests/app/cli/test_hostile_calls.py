"""Calls that cannot be done: each ends with its exit code and one line, makes no directory of a run, and shows no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from assay_command import environment
from shown_runs import shown_run
from small_worlds import ROWS, write

from assay.app.cli import main
from assay.contracts.errors import Quarantine, Retry, Stop
from assay.contracts.exit_codes import BY_REASON, EXIT_CODES
from assay.contracts.reasons import Reason

#: arguments, exit code, what standard error says. `file` is a file, `folder` a folder, `run` a run; nothing else is there
CALLS = [
    ("dmo", 2, "Did you mean 'demo'?"),
    ("zzz", 2, "no command 'zzz'.\n"),
    ("demo --rowz 5", 2, "No such option: --rowz. Did you mean --rows?"),
    ("demo --rows 0", 2, "--rows"),
    ("demo --seed -1", 2, "--seed"),
    ("oracle generate --out x.csv --seed -1", 2, "--seed"),
    ("oracle sample paysim --out x.csv --seed -1", 2, "--seed"),
    ("demo --speedup nan", 2, "--speedup"),
    ("substrate stat", 2, "Did you mean 'status'?"),
    ("topic cat FP_BUS_RTDL_V1 --firts 3 --bootstrap x:1", 2, "assay topic cat --help"),
    ("topic cat FP_BUS_RTDL_V1 --limit -1 --bootstrap x:1", 2, "--limit"),
    ("quarantine list --limit -1 --run run", 2, "--limit"),
    ("gate serve --run run --port 99999999", 2, "--port"),
    ("gate --run run --port 0", 2, "To serve a run it is 'assay gate serve'."),
    ("worker --run run --web-port -5", 2, "--web-port"),
    ("journal show --run run --lane x/y/z", 2, "LANE/SHARD"),
    ("oracle generate --out x.txt", 2, "GENERATOR_REQUEST_INVALID"),
    ("bench lane --json none/x", 73, "FILE_REFUSED"),
    ("demo --input none.csv --mapping handbook", 66, "INPUT_FILE_MISSING"),
    ("demo --input folder --mapping handbook", 66, "no .parquet file"),
    ("demo --input file --mapping handbook", 65, "INPUT_FILE_UNREADABLE"),
    ("demo --input in.csv", 2, "--input needs --mapping"),
    ("demo --input in.csv --mapping handbook", 65, "INPUT_COLUMN_MISSING"),
    ("demo --rows 20 --policy transfers", 65, "POLICY_ENTITY_ABSENT"),
    ("demo --policy folder", 66, "POLICY_MISSING"),
    ("demo --policy file", 65, "_DOCUMENT_INVALID"),
    ("demo --input in.csv --mapping file", 65, "MAPPING_INVALID"),
    ("demo --run folder", 66, "RUN_MISSING"),
    ("demo --run none", 66, "RUN_MISSING"),
    ("up --policy none", 66, "POLICY_MISSING"),
    ("up --run file", 73, "FILE_REFUSED"),
    ("up --run file/x", 73, "FILE_REFUSED"),
    ("oracle import none.csv --mapping handbook --out store", 66, "INPUT_FILE_MISSING"),
    ("oracle import in.csv --mapping none --out store", 66, "there is no mapping"),
    ("oracle check 00 --store folder", 66, "PACK_NOT_FOUND"),
    ("policy check none", 66, "POLICY_MISSING"),
    ("policy new file/x --entity a", 73, "FILE_REFUSED"),
    ("contracts docs --folder none", 73, "FILE_REFUSED"),
    ("topic cat none --bootstrap x:1", 66, "TOPIC_UNKNOWN"),
    ("replay --run run --from x", 2, "REPLAY_RANGE_INVALID"),
    ("replay --run run --anchors none", 2, "REPLAY_RANGE_INVALID"),
    ("report --run run --output none/x.html", 73, "there is no folder none"),
    ("report --run run --output folder", 73, "this is a folder"),
    ("report --run run --output file/x", 73, "FILE_REFUSED"),
    ("substrate up --dir file", 73, "FILE_REFUSED"),
    ("substrate up --dir file/x", 73, "FILE_REFUSED"),
    *(
        (f"{command} --run none", 66, "RUN_MISSING")
        for command in (
            "decision show x", "receipt show x", "quarantine list", "quarantine show x", "topic cat FP_BUS_RTDL_V1", "journal show",
            "journal verify", "journal snapshot", "journal truncate", "audit verify", "replay", "report",
            "sr submit", "sr show", "prove", "stream", "labels deliver", "gate serve", "worker",
        )
    ),
]  # fmt: skip
#: nothing listens there
NOWHERE = {"ASSAY_BUS": "127.0.0.1:9", "ASSAY_SQL": "postgresql://nobody@127.0.0.1:9/none"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory as the table says, with servers that do not answer."""
    (tmp_path / "file").write_text("no keys")
    (tmp_path / "folder").mkdir()
    write(tmp_path / "in.csv", ROWS)
    shown_run(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_RUNS", str(tmp_path / "runs"))
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def ended(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.parametrize(("call", "code", "says"), CALLS, ids=[call for call, _, _ in CALLS])
def test_a_call_that_cannot_be_done_is_one_line_and_leaves_nothing(
    call: str, code: int, says: str, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = {path for path in place.rglob("*") if path.name != ".lock"}
    assert ended(call.split()) == code, capfd.readouterr()
    out, err = capfd.readouterr()
    assert says in err, err
    assert "Traceback" not in out + err
    assert err.startswith("assay")
    made = {path for path in place.rglob("*") if path.name != ".lock"} - before
    assert made <= {place / "runs"}, "nothing is made"


@pytest.mark.parametrize("call", ["demo --rows 20", "demo --input in.csv --mapping handbook", "up"])
def test_a_start_that_fails_leaves_no_directory_of_a_run(call: str, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert ended(call.split()) in (65, 75)
    assert list((place / "runs").iterdir()) == []
    assert "Traceback" not in capfd.readouterr().err


def test_a_directory_that_was_there_before_a_start_that_fails_stays(place: Path) -> None:
    kept = place / "runs" / "live" / "notes.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")
    assert ended(["up"]) == 75
    assert kept.read_text() == "mine"


def test_a_server_that_does_not_answer_is_told_from_a_typo_and_from_a_missing_thing(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    codes = [ended(call.split()) for call in ("demo --rows 20", "demo --rowz 20", "demo --input none.csv")]
    assert codes == [75, 2, 66]
    assert capfd.readouterr().err.count("assay demo: ") == 3


def test_a_reader_that_ends_early_ends_the_command_without_a_word(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "assay", "contracts", "topology"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path,
        env=environment({}),
    ) as command:  # fmt: skip
        assert command.stdout is not None
        assert command.stderr is not None
        command.stdout.close()
        assert (command.stderr.read(), command.wait(60)) == (b"", 141)


def test_a_character_that_the_terminal_does_not_have_is_written_out(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "assay", "receipt", "show", "é💳", "--run", shown_run(tmp_path).directory], capture_output=True, check=False,
        env=environment({"PYTHONIOENCODING": "ascii"}),
    )  # fmt: skip
    assert done.returncode == 66
    assert b"\\xe9\\U0001f4b3" in done.stderr


def test_every_code_of_the_table_is_met_by_some_refusal_or_named_by_the_command_line() -> None:
    kinds = {kind(Reason.DUPLICATE, "").exit_code for kind in (Stop, Quarantine, Retry)}
    assert {one.code for one in EXIT_CODES} == {0, 130, 141} | kinds | set(BY_REASON.values())
    assert [one.code for one in EXIT_CODES] == sorted({one.code for one in EXIT_CODES})
