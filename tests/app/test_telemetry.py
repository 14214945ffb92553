"""Lines say what they are about by closed tables, and each sink is on its own."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping

import pytest
from source_tree import ROOT

from assay.app.runner import event_kinds as runner_kinds
from assay.app.streamer import event_kinds as streamer_kinds
from assay.app.telemetry import Kind, Line, Outcome, Phase, Severity, Telemetry, log_to

#: how an event is said in the source of a room
_SAID = re.compile(r'(?:\bsay|_say|advance|_end)\(\s*"([A-Z_]+)"')
#: made of parts there
_COMPOSED = {f"{what}_PUBLISH{end}" for what in ("READY", "TERMINAL") for end in ("ED", "_FAILED")} | {
    "EVIDENCE_WAITING",
    "EVIDENCE_FAIL",
    "EVIDENCE_CONFLICT",
    "LEASE_ACQUIRED",
    "ENGINE_ATTEMPT_FINISHED",
    "READY_OUT_OF_SCOPE",
}


@pytest.mark.parametrize(("room", "kinds"), [("runner", runner_kinds.KINDS), ("streamer", streamer_kinds.KINDS)])
def test_every_event_that_a_room_says_is_in_its_table_and_no_other(room: str, kinds: Mapping[str, Kind]) -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "assay/app" / room).glob("*.py") if path.name != "event_kinds.py"]
    said = {kind for text in texts for kind in _SAID.findall(text)}
    assert said - kinds.keys() == set()
    spoken = "\n".join(texts)
    assert {kind for kind in kinds if f'"{kind}"' not in spoken} - _COMPOSED == set()


def test_a_line_has_phase_outcome_and_severity_of_its_kind() -> None:
    lines: list[Line] = []
    telemetry = Telemetry([lines.append], {"GONE": Kind(Phase.ENGINE, Outcome.FAIL, Severity.ERROR)})
    telemetry.say("GONE", "5" * 32, {"reason_code": "X"})
    telemetry.say("UNKNOWN", "5" * 32)
    assert telemetry.close(60) == 0
    assert lines == [
        {
            "event_kind": "GONE",
            "phase": "ENGINE",
            "outcome": "FAIL",
            "severity": "ERROR",
            "run_id": "5" * 32,
            "details": {"reason_code": "X"},
        },
        {"event_kind": "UNKNOWN", "phase": "COMMIT", "outcome": "OK", "severity": "INFO", "run_id": "5" * 32, "details": {}},
    ]


def test_a_sink_that_hangs_holds_up_no_other_and_what_it_did_not_get_is_counted() -> None:
    let_go, lines = threading.Event(), list[Line]()

    def hanging(_: Line) -> None:
        let_go.wait(120)

    telemetry = Telemetry([hanging, lines.append], room=10)
    for number in range(5):
        telemetry.say("RUN_ACCEPTED", str(number))
    assert telemetry.close(0.05) == 5, "the one at which it hangs, too"
    assert [line["run_id"] for line in lines] == list("01234")
    let_go.set()
    assert telemetry.close(60) == 0


def test_the_log_has_the_level_of_the_line_and_its_plain_details(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Telemetry([log_to("assay.told")], {"LEASE_LOST": Kind(Phase.AUTHORITY, Outcome.FAIL, Severity.ERROR)})
    with caplog.at_level(logging.DEBUG, "assay.told"):
        telemetry.say("LEASE_LOST", "5" * 32, {"why": "expired", "missing": ["a"]})
        assert telemetry.close(60) == 0
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, f"ERROR AUTHORITY LEASE_LOST FAIL run {'5' * 32} why=expired")


def test_the_tables_use_every_outcome_that_an_operator_may_look_for() -> None:
    kinds = [*runner_kinds.KINDS.values(), *streamer_kinds.KINDS.values()]
    assert {kind.outcome for kind in kinds} == set(Outcome)
