"""The answer of a backtest as people and programs get it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from assay.app.backtest.answer import Answer, Cell, ChangedPayment, PolicyNames, ReasonChange
from assay.app.backtest.ids_file import COLUMNS, ids_file
from assay.app.backtest.view import money, show

CHANGED = ChangedPayment(
    "pay-7", None, 1_767_225_600_000_000, 123_456, "EUR", True, "ALLOW", "DECLINE", 10, 95, ("SMALL",), ("BURST", "FAR_ABOVE_THE_MONTH")
)
ANSWER = Answer(
    run_id="platform_20260101T000000Z",
    before=PolicyNames("the run's own", "shop r1", "a" * 64, "shop_rules r1", "b" * 64),
    after=PolicyNames("./mine", "shop r2", "c" * 64, "shop_rules r2", "d" * 64),
    payments=1_250,
    changed=250,
    rescored=7,
    truth="the truth of the file",
    cells=(
        Cell("ALLOW", "ALLOW", "EUR", 1_000, 3, 5_000_000),
        Cell("ALLOW", "DECLINE", "EUR", 240, 12, 9_876_543),
        Cell("ALLOW", "DECLINE", "JPY", 9, 0, 70_000),
        Cell("DECLINE", "refused", "EUR", 1, 0, 1),
    ),
    reasons=(
        ReasonChange("FAR_ABOVE_THE_MONTH_OF_ALL_THE_TERMINALS_AND_CUSTOMERS_TOGETHER", 0, 240, 0, 240, 0, 100, 0, 12),
        ReasonChange("SMALL", 1, 1, 0, 0, 1, 1, 0, 0),
    ),
    first=(CHANGED,),
    refused={"from": {}, "to": {"WINDOW_OVERFLOW": 1}},
    columns={"entity.device": "the topic"},
    unnamed=4,
    exponents={"EUR": 2, "JPY": 0},
    digests={"from": "1" * 64, "to": "2" * 64},
)


def shown(answer: Answer, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    show(answer, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_of_80_columns_holds_every_line_but_ids_and_reasons_of_payments() -> None:
    text = shown(replace(ANSWER, first=()))
    assert max(map(len, text.splitlines())) <= 80, text
    for said in (
        "250 of 1,250 payments change their outcome",
        "7 more change only score or reasons",
        "ALLOW → DECLINE",
        "98,765.43 EUR",
        "70,000 JPY",
        "device is not in the journal and was read from the topic",
        "the policy would refuse: WINDOW_OVERFLOW 1",
        "4 payments name no entity of the policy: its gate would refuse them",
        "0 → 240",
    ):
        assert said in text, text
    assert "SMALL" not in text, "it fires on the same payments"


def test_a_changed_payment_says_its_scores_its_amount_and_the_reasons_that_came_and_went() -> None:
    text = shown(ANSWER, 200)
    assert "pay-7" in text
    assert "ALLOW → DECLINE · score 10 → 95 · 1,234.56 EUR · fraud · -SMALL · +BURST · +FAR_ABOVE_THE_MONTH" in text


def test_a_changed_payment_of_a_file_is_called_by_its_id_there() -> None:
    text = shown(replace(ANSWER, first=(replace(CHANGED, source_id="P\n063"),)), 200)
    assert "  P\\u000a063 in the file\n" in text
    assert "pay-7" not in text


def test_frauds_that_nobody_told_are_a_question_mark_and_null() -> None:
    cells = tuple(replace(cell, frauds=None) for cell in ANSWER.cells)
    answer = replace(ANSWER, cells=cells, reasons=(), first=())
    assert "?" in shown(answer)
    assert {cell["frauds"] for cell in answer.as_json()["outcomes"]} == {None}


def test_the_json_of_an_answer_is_plain_data_with_from_and_to() -> None:
    told = json.loads(json.dumps(ANSWER.as_json()))
    assert (told["changed"], told["payments"]) == (250, 1_250)
    assert told["outcomes"][1] == {
        "from": "ALLOW", "to": "DECLINE", "currency": "EUR", "payments": 240, "frauds": 12, "amount_minor": 9_876_543,
    }  # fmt: skip
    assert told["first_changed"][0]["ts_utc"] == "2026-01-01T00:00:00.000000Z"
    assert told["policies"]["same_documents"] is False


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (5, "EUR", "0.05 EUR"),
        (-5, "EUR", "-0.05 EUR"),
        (1_000, "JPY", "1,000 JPY"),
        (1_234, "KWD", "1.234 KWD"),
        (7, "PTS", "7 minor units of PTS"),
    ],
)
def test_money_is_written_in_the_units_of_its_currency(amount: int, currency: str, text: str) -> None:
    assert money(amount, currency, {"EUR": 2, "JPY": 0, "KWD": 3}) == text


def test_the_file_of_ids_has_a_line_per_changed_payment(tmp_path: Path) -> None:
    path = tmp_path / "ids.csv"
    with ids_file(path) as write:
        write(CHANGED)
        assert not path.exists(), "it is not whole yet"
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["event_id"] == "pay-7"
    assert (rows[0]["from"], rows[0]["to"], rows[0]["reasons_new"]) == ("ALLOW", "DECLINE", "BURST FAR_ABOVE_THE_MONTH")
    assert [one.name for one in tmp_path.iterdir()] == ["ids.csv"]


def test_a_backtest_that_breaks_off_leaves_no_file_of_ids(tmp_path: Path) -> None:
    path = tmp_path / "ids.csv"

    def broken() -> None:
        with ids_file(path) as write:
            write(CHANGED)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert list(tmp_path.iterdir()) == []
