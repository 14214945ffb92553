"""`assay quarantine` and `assay receipt`, and an id full of control characters in every command that prints one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from gate_events import LABEL, NOW_US, SCOPE, event, examined, paid
from rich.text import Text
from shown_runs import ACTOR, AT, HOSTILE, WRITER, decision_on, gate_wrote, shown_run

from assay.app.bus.topic_reader import TopicRecord
from assay.app.cli import main
from assay.app.cli.topic import line
from assay.app.gate.admission import RefusedEvent
from assay.app.gate.arrivals import _unknown
from assay.app.gate.receipts import QUARANTINE, RECEIPTS
from assay.app.gate.short_forms import Short, label_of, short_items
from assay.app.report.decision_search import Found
from assay.app.report.decision_view import as_values, explain
from assay.app.report.decision_view import show as show_decision
from assay.app.report.paid import Paid
from assay.app.run.directory import Run
from assay.app.screen import PlainRecord, ReaderGone, Screen, say, say_json
from assay.codecs.single_object import pack
from assay.contracts.visible import one_line, visible

#: what no terminal may get: C0 but for line feeds and tabs, DEL, C1, marks that turn the direction
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return shown_run(tmp_path)


def called(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    assert isinstance(end.value.code, int)
    return end.value.code, *capsys.readouterr()


def refused(count: int) -> list[dict[str, object]]:
    """Payments with a negative amount, and the last with an unknown currency."""
    return [event(f"pay-{at}", payload=paid(amount_minor=-1)) for at in range(count)] + [event("pay-x", payload=paid(currency="XQZ"))]


def test_list_counts_reasons_and_shows_the_first_entries(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    gate_wrote(run, refused=refused(3), sealed=True)
    gate_wrote(run, refused=refused(3), sealed=False)  # sent again
    code, out, err = called(capsys, "quarantine", "list", "--run", run.directory, "--limit", "2")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "AMOUNT_OUT_OF_RANGE 3 · CURRENCY_UNKNOWN 1"
    assert lines[2] == "AMOUNT_OUT_OF_RANGE · transaction pay-0"
    assert re.fullmatch(r"  gate · 2026-01-01T00:00:00.000001Z · [0-9a-f]{32}", lines[4])
    assert lines[-1] == "and 2 more: --limit"
    only = called(capsys, "quarantine", "list", "--run", run.directory, "--reason", "CURRENCY_UNKNOWN")[1]
    assert "pay-x" in only and "pay-0" not in only and "more" not in only


def test_list_as_json_says_the_same(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    gate_wrote(run, refused=refused(3))
    told = json.loads(called(capsys, "quarantine", "list", "--run", run.directory, "--json", "--limit", "1")[1])
    assert (told["total"], told["by_reason"]) == (4, {"AMOUNT_OUT_OF_RANGE": 3, "CURRENCY_UNKNOWN": 1})
    assert [(entry["event_id"], entry["by"], entry["where"]) for entry in told["entries"]] == [("pay-0", "gate", "$.payload.amount_minor")]


def test_a_run_without_refusals_says_so(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(capsys, "quarantine", "list", "--run", run.directory)[1].startswith("the gate refused nothing")


SHORT_LABEL = short_items(b'{"payment":"pay-9","label":"FRAUD"}', label_of, SCOPE, NOW_US, 1)[0][0]
LATE_LABEL = examined(event("l-1", "label_assertion", {**LABEL, "subject_event_id": "pay-9"}, ts_utc="2099-01-01T00:00:00.000000Z"))
BAD_LABEL = short_items(b'[{"payment":"pay-9","label":"fraud"}]', label_of, SCOPE, NOW_US, 1)[0][0]


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    "item",
    [
        pytest.param(_unknown(SHORT_LABEL, "pay-9") if isinstance(SHORT_LABEL, Short) else None, id="of an unknown payment"),
        pytest.param(LATE_LABEL, id="in an envelope"),
        pytest.param(BAD_LABEL, id="that cannot be read"),
    ],
)
def test_a_refused_label_is_shown_as_a_label_and_found_by_its_payment(run: Run, capsys: pytest.CaptureFixture[str], item: object) -> None:
    assert isinstance(item, RefusedEvent)
    line = WRITER.quarantined(item, AT, ACTOR)[2]
    run.store.create(f"{QUARANTINE}/seg-000000000000-000001.ndjson", f"{line}\n".encode())
    code, out, _ = called(capsys, "quarantine", "show", "pay-9", "--run", run.directory)
    assert (code, out.splitlines()[1]) == (0, f"{item.reason.value} · label_assertion {item.event_id or 'unknown'} of payment pay-9")
    assert called(capsys, "quarantine", "show", "pay-8", "--run", run.directory)[0] == 66
    assert "DECISION_NOT_FOUND" in called(capsys, "decision", "show", "pay-9", "--run", run.directory)[2], "its payment was not refused"


def test_show_prints_the_item_as_it_came_with_remedy(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    gate_wrote(run, refused=refused(1))
    code, out, _ = called(capsys, "quarantine", "show", "pay-0", "--run", run.directory)
    assert code == 0
    assert json.loads(out[out.index("{") :]) == {"envelope": event("pay-0", payload=paid(amount_minor=-1))}
    (whole,) = json.loads(called(capsys, "quarantine", "show", "pay-0", "--run", run.directory, "--json")[1])
    assert whole["remedy"] in out and whole["quarantine_id"] in out
    assert called(capsys, "quarantine", "show", whole["quarantine_id"], "--run", run.directory)[1] == out


def test_a_receipt_says_where_its_event_lies(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    gate_wrote(run, admitted=["pay-0", "pay-ü"], refused=refused(1))
    code, out, _ = called(capsys, "receipt", "show", "pay-ü", "--run", run.directory)
    assert (code, out.splitlines()[0]) == (0, "ADMIT  transaction pay-ü")
    assert "  place          ns.traffic[1]@1\n" in out
    both = json.loads(called(capsys, "receipt", "show", "pay-0", "--run", run.directory, "--json")[1])
    assert [one["decision"] for one in both] == ["ADMIT", "QUARANTINE"]
    assert json.loads(called(capsys, "receipt", "show", both[1]["receipt_id"], "--run", run.directory, "--json")[1]) == both[1:]


@pytest.mark.parametrize("command", ["receipt", "quarantine"])
def test_a_payment_is_found_by_its_id_in_the_file(run: Run, capsys: pytest.CaptureFixture[str], command: str) -> None:
    event_id = decision_on(run, "p1")["source_event"]["event_id"]
    gate_wrote(run, admitted=[event_id], refused=[event(event_id, payload=paid(amount_minor=-1))])
    by_file = called(capsys, command, "show", "p1", "--run", run.directory)
    assert by_file == called(capsys, command, "show", event_id, "--run", run.directory)
    assert by_file[0] == 0 and event_id in by_file[1]


@pytest.mark.parametrize("command", ["receipt", "quarantine"])
def test_an_id_that_the_gate_never_saw_is_missing(run: Run, capsys: pytest.CaptureFixture[str], command: str) -> None:
    gate_wrote(run, admitted=["pay-0"])
    code, out, err = called(capsys, command, "show", "pay", "--run", run.directory)
    assert (code, out) == (66, "")
    assert err.startswith(f"assay {command}: RECEIPT_NOT_FOUND: ")


def hostile_refusals(run: Run) -> list[str]:
    gate_wrote(run, refused=[event(HOSTILE), event("pay", payload=paid(**{HOSTILE: 1}))])
    return ["quarantine", "list", "--run", str(run.directory)]


def hostile_refusal(run: Run) -> list[str]:
    hostile_refusals(run)
    return ["quarantine", "show", one_line(HOSTILE), "--run", str(run.directory)]


def hostile_quarantined(run: Run) -> list[str]:
    hostile_refusals(run)
    return ["decision", "show", HOSTILE, "--run", str(run.directory)]


def hostile_receipt(run: Run) -> list[str]:
    hostile_refusals(run)
    return ["receipt", "show", HOSTILE, "--run", str(run.directory)]


def unknown_id(run: Run) -> list[str]:
    return ["receipt", "show", HOSTILE, "--run", str(run.directory)]


def unknown_command(_: Run) -> list[str]:
    return [HOSTILE]


def unknown_option(_: Run) -> list[str]:
    return ["report", f"--{HOSTILE}"]


def unknown_subcommand(_: Run) -> list[str]:
    return ["quarantine", HOSTILE]


def unknown_directory(_: Run) -> list[str]:
    return ["report", "--run", HOSTILE]


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    "make",
    [
        hostile_refusals, hostile_refusal, hostile_quarantined, hostile_receipt,
        unknown_id, unknown_command, unknown_option, unknown_subcommand, unknown_directory,
    ],
    ids=lambda make: make.__name__,
)  # fmt: skip
def test_no_control_character_of_an_id_reaches_a_terminal(
    make: Callable[[Run], list[str]], as_json: bool, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = make(run)
    code, out, err = called(capsys, *arguments, *(["--json"] if as_json and make.__name__.startswith("hostile") else []))
    assert not HARMFUL.search(out + err)
    assert "Traceback" not in err
    assert re.search(r"\\(u00|x)1b\[31m", out + err), "the id is shown"
    assert not any(line.startswith("y") for line in (out + err).splitlines()), "an id begins a line"
    if code == 0 and as_json:
        assert json.dumps(HOSTILE) in json.dumps(json.loads(out))


@pytest.mark.parametrize("as_json", [False, True])
def test_a_decision_with_hostile_ids_is_shown_harmless(as_json: bool, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """The gate would not admit them today."""
    known = decision_on(run, "p1")
    source = {**known["source_event"], "event_id": HOSTILE, "event_type": HOSTILE}
    found = Found({**known, "source_event": source, "reasons": ["MANY", HOSTILE]}, None, None)
    whose = Paid(5, "EUR", {"customer": HOSTILE}, HOSTILE, HOSTILE)
    why = explain(found.decision, run.config, whose)
    say_json(as_values(found, why, whose)) if as_json else show_decision(found, why, whose, Screen())
    out = capsys.readouterr().out
    assert not HARMFUL.search(out)
    assert not any(line.startswith("y") for line in out.splitlines())
    if as_json:
        assert json.loads(out)["payment"]["entities"] == {"customer": HOSTILE}


def test_a_line_of_a_log_is_harmless() -> None:
    record = PlainRecord("assay.gate", 30, "file", 1, "refused %s", (HOSTILE,), None)
    assert not HARMFUL.search(record.getMessage())


@pytest.mark.parametrize("as_json", [False, True])
def test_a_record_of_a_topic_is_one_harmless_line(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    fields = {"topic": HOSTILE, "partition": 0, "offset": 1, "reason": HOSTILE, "detail": HOSTILE, "recorded_at_utc": 5, "raw": b""}
    say(line(TopicRecord(0, 1, HOSTILE.encode(), pack("quarantine_record", fields)), as_json=as_json))
    out = capsys.readouterr().out
    assert not HARMFUL.search(out)
    assert len(out.splitlines()) == 1
    if as_json:
        assert json.loads(out)["value"]["reason"] == HOSTILE


def test_a_screen_writes_its_own_colours_and_no_others(capsys: pytest.CaptureFixture[str]) -> None:
    Screen(force_terminal=True, color_system="standard", width=60).print(
        Text(f"a{HOSTILE}b", style="bold"), f"[red]{HOSTILE}[/red]", ":smile:"
    )
    out = capsys.readouterr().out
    assert not HARMFUL.search(out.replace("\x1b[1m", "").replace("\x1b[0m", ""))
    assert "[red]" in out and ":smile:" in out


def test_text_in_any_script_is_left_as_it_is() -> None:
    text = "Müller Ødegård 東京 مرحبا שלום 💳 é\tand\nlines"
    assert visible(text) == text
    assert one_line("a\tb\nc") == "a\\u0009b\\u000ac"


def test_json_is_read_back_to_the_letter(capsys: pytest.CaptureFixture[str]) -> None:
    say_json({"id": HOSTILE + "\u2028\U0001f4b3"})
    assert json.loads(capsys.readouterr().out) == {"id": HOSTILE + "\u2028\U0001f4b3"}


def test_both_logs_of_the_gate_have_the_names_that_are_read_here() -> None:
    assert (RECEIPTS, QUARANTINE) == ("ig/receipts", "ig/quarantine")
    assert issubclass(ReaderGone, Exception)
