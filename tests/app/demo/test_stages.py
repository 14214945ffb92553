"""A demo says what it does before it does it, where its processes are, and commands that can be copied."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from assay.app.demo.stages import Stages, in_run, table
from assay.app.demo.versions import started_version
from assay.app.report.evidence import ProcessUsage


def stages(*, terminal: bool) -> tuple[Stages, io.StringIO]:
    file = io.StringIO()
    return Stages(Console(file=file, force_terminal=terminal, color_system=None, width=80)), file


@pytest.mark.parametrize("terminal", [True, False])
def test_a_stage_is_named_before_it_runs_and_timed_after(terminal: bool) -> None:
    told, file = stages(terminal=terminal)
    with told.stage("replay in a fresh process") as running:
        assert file.getvalue().rstrip() == "  replay in a fresh process …"
        assert file.getvalue().endswith("\n") is not terminal
        running.rows = 1_169_723
    last = file.getvalue().splitlines()[-1]
    assert last.split()[-1] == "rows/s"
    assert (told.done[0].name, told.done[0].rows) == ("replay in a fresh process", 1_169_723)


def test_on_a_terminal_what_is_done_takes_the_place_of_what_was_being_done() -> None:
    told, file = stages(terminal=True)
    with told.stage("servers"):
        pass
    assert "…\r\x1b[2K  servers" in file.getvalue()


def test_a_stage_that_failed_is_not_told_as_done() -> None:
    told, file = stages(terminal=False)
    with pytest.raises(ValueError, match="broken"), told.stage("servers"):
        raise ValueError("broken")
    assert file.getvalue() == "  servers …\n"
    assert told.done == []


def test_no_width_cuts_a_line() -> None:
    told, file = stages(terminal=False)
    told.say("x" * 200)
    assert file.getvalue() == f"  {'x' * 200}\n"


def test_paths_are_told_as_seen_from_the_run(tmp_path: Path) -> None:
    assert in_run(tmp_path / "logs" / "gate.log", tmp_path) == "logs/gate.log"
    assert in_run(tmp_path, tmp_path) == ""
    assert in_run(None, tmp_path) == ""
    assert in_run(Path("/elsewhere/kafka.log"), tmp_path) == "/elsewhere/kafka.log"


def test_processes_stand_in_columns() -> None:
    lines = table(
        [
            ProcessUsage(name="postgres", pid=11_121, port=29_422, log="logs/postgres.log", data="servers/postgres/data"),
            ProcessUsage(name="kafka", port=9_092),
        ]
    )
    assert lines == [
        "  process     pid   port  log                data",
        "  postgres  11121  29422  logs/postgres.log  servers/postgres/data",
        "  kafka     given   9092",
    ]


def test_the_kafka_we_start_has_a_version_number() -> None:
    assert [part.isdigit() for part in started_version().split(".")] == [True, True, True]
