"""What a file leaves open is asked and never chosen: other currencies and units, credits, times of day, the meaning of a flag."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import polars as pl
import pytest
from guess_rows import ROWS, guess_of, mapping_of

from assay.app.oracle.guess.guessing import guess
from assay.app.oracle.guess.leaves import Guess
from assay.app.oracle.guess.sample import sample_of
from assay.app.oracle.mapping import TODO

MONEY = ROWS["amount"]
TWO_CODES = ["USD", "JPY"] * 6
DAYS = [f"2024-02-{n + 10}" for n in range(12)]


def open_of(found: Guess) -> dict[str, str]:
    """Places of open questions and their reasons."""
    return {leaf.place: leaf.why for leaf in found.open}


@pytest.mark.parametrize(
    ("changes", "currency"),
    [
        ({"amount_eur": MONEY, "original_currency": TWO_CODES}, {"constant": TODO}),
        ({"amount_eur": MONEY, "original_currency": ["JPY"] * 12}, {"constant": TODO}),
        ({"amount_eur": MONEY, "currency": TWO_CODES}, {"constant": TODO}),
        ({"amount_eur": MONEY, "currency": ["EUR"] * 12}, {"column": "currency"}),
        ({"amount_eur": MONEY, "original_currency": ["EUR"] * 12}, {"constant": "EUR"}),
        ({"amount_eur": MONEY, "country": ["CHE"] * 12}, {"constant": "EUR"}),
        ({"amount_eur": MONEY, "currency": ["EUR", "USD", None] * 4}, {"constant": TODO}),
        ({"amount_eur": MONEY, "currency": ["840"] * 12}, {"constant": TODO}),
        ({"amount_eur": MONEY, "currency": ["US Dollar"] * 12}, {"constant": TODO}),
        ({"amount_eur": MONEY, "ccy": ["usd"] * 12}, {"constant": TODO}),
        ({"amount_eur": MONEY, "ccy": ["eur"] * 12}, {"constant": "EUR"}),
        ({"amount_eur": MONEY, "currency": ["Euro"] * 12}, {"constant": "EUR"}),
        ({"amount_eur": MONEY, "cur_balance": MONEY}, {"constant": "EUR"}),
        ({"amount": [f"{n}.50 EUR" for n in range(12)], "ccy": TWO_CODES}, {"constant": TODO}),
        ({"amount": MONEY, "country": ["CHE"] * 12}, {"constant": TODO}),
        ({"amount": MONEY, "iso_country": ["SLE"] * 12}, {"constant": TODO}),
        ({"amount": MONEY, "scope": ["ALL"] * 12}, {"constant": TODO}),
        ({"amount": MONEY, "original_currency": TWO_CODES}, {"constant": TODO}),
        ({"amount": MONEY, "account_ccy": ["USD"] * 12}, {"constant": TODO}),
        ({"amount": MONEY, "original_currency": TWO_CODES, "currency": ["EUR"] * 12}, {"column": "currency"}),
        ({"amount": MONEY, "currency": ["EUR"] * 12, "ccy_code": TWO_CODES}, {"constant": TODO}),
        ({"settlement_amount": MONEY, "settlement_currency": TWO_CODES}, {"column": "settlement_currency"}),
        ({"settlement_amount": MONEY, "currency": TWO_CODES}, {"constant": TODO}),
        ({"amount": MONEY, "transaction_currency_code": TWO_CODES}, {"column": "transaction_currency_code"}),
        ({"amount_usd": [f"{n}.10" for n in range(12)], "amount": MONEY, "currency": TWO_CODES}, {"column": "currency"}),
    ],
)
def test_a_currency_is_that_of_the_amount_or_asked_for(changes: dict[str, list[Any]], currency: dict[str, Any]) -> None:
    assert mapping_of(guess_of("amount", **changes) if "amount" not in changes else guess_of(**changes))["currency"] == currency


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"amount_usd": [f"{n}.10" for n in range(12)], "amount": MONEY}, "amount"),
        ({"amount_usd": [f"{n}.10" for n in range(12)], "amount_eur": MONEY}, TODO),
        ({"total": [f"{n}.10" for n in range(12)], "price": MONEY}, TODO),
        ({"total": MONEY, "price": MONEY}, "total"),
        ({"settlement_amount": [f"{n}.10" for n in range(12)], "transaction_amount": MONEY}, "transaction_amount"),
        ({"credit_limit_usd": [f"{n}00.10" for n in range(12)], "spend": MONEY}, TODO),
        ({"credit_limit_amount": MONEY}, TODO),
        ({"discount_amount": MONEY}, TODO),
        ({"betrag_teur": MONEY}, TODO),
        ({"amount_in_thousands": MONEY}, TODO),
        ({"amount_cents": [n * 105 for n in range(12)], "price": MONEY}, "price"),
    ],
)
def test_a_column_whose_name_leaves_open_whether_it_is_the_amount_is_asked_for(changes: dict[str, list[Any]], column: str) -> None:
    found = guess_of(*({"amount"} - set(changes)), **changes)
    assert mapping_of(found)["amount"]["column"] == column
    assert ("amount.column" in open_of(found)) == (column == TODO)


LARGE = [str(1_000 + n * 105) for n in range(12)]


@pytest.mark.parametrize(
    ("changes", "unit"),
    [
        ({"amount_cents": [str(n * 105) for n in range(12)]}, "minor"),
        ({"amount_minor_eur": [n * 105 for n in range(12)]}, "minor"),
        ({"amountcents": [float(n * 105) for n in range(12)]}, "minor"),
        ({"amount_cents": [f"{n}.50" for n in range(12)]}, TODO),
        ({"amount_sen": LARGE}, TODO),
        ({"amount": LARGE}, TODO),
        ({"amount": [float(one) for one in LARGE]}, TODO),
        ({"amount": [f"-{one}" for one in LARGE]}, TODO),
        ({"amount_eur": LARGE}, TODO),
        ({"amount_jpy": LARGE}, None),
        ({"amount": LARGE, "currency": ["JPY"] * 12}, None),
        ({"amount": LARGE, "currency": ["JPY", "EUR"] * 6}, TODO),
        ({"amount": [str(n) for n in range(12)]}, None),
        ({"amount": [*LARGE[:11], "7.25"]}, None),
        ({"amount": [f"{one}.00" for one in LARGE]}, None),
        ({"amount": [f"{one}.0" for one in LARGE]}, TODO),
    ],
)
def test_the_unit_of_whole_amounts_is_that_of_their_name_or_asked_for(changes: dict[str, list[Any]], unit: str | None) -> None:
    found = guess_of(*({"amount"} - set(changes)), **changes)
    assert mapping_of(found)["amount"].get("unit") == unit
    assert mapping_of(found)["amount"]["column"] == next(iter(changes))
    assert ("amount.unit" in open_of(found)) == (unit == TODO)


@pytest.mark.parametrize(
    ("columns", "accounts"),
    [
        (["Auftraggeber", "Empfänger", "IBAN"], {"payer": "Auftraggeber", "payee": "Empfänger", "account": TODO}),
        (["sender_name", "account_number"], {"payer": "sender_name", "account": TODO}),
        (["recipient_iban", "sender_iban"], {"payer": "sender_iban", "payee": "recipient_iban"}),
        (["account", "beneficiary"], {"account": "account", "payee": "beneficiary"}),
    ],
)
def test_an_account_beside_a_sender_is_asked_for(columns: list[str], accounts: dict[str, str]) -> None:
    found = guess_of("customer", **{name: [f"{name[0]}{n % 5}" for n in range(12)] for name in columns})
    assert {name: column for name, column in mapping_of(found)["entities"].items() if name in accounts} == accounts
    assert ("entities.account" in open_of(found)) == (accounts.get("account") == TODO)
    assert not set(columns) & set(mapping_of(found).get("attributes", []))


def test_a_column_of_times_that_frauds_alone_have_is_the_truth_and_its_time() -> None:
    disputed = [f"2024-03-{n + 1:02} 09:00:00" if n in (2, 7) else None for n in range(12)]
    truth = mapping_of(guess_of("is_fraud", dispute_date=disputed))["truth"]
    assert truth == {"column": "dispute_date", "positive": "not null", "time": {"column": "dispute_date", "zone": TODO}}
    flagged = mapping_of(guess_of(dispute_date=disputed, is_fraud=[str(int(one is not None)) for one in disputed]))["truth"]
    assert (flagged["column"], flagged["positive"]) == ("is_fraud", [1]), "a flag says more"
    everywhere = [f"2024-03-{n + 1:02} 09:00:00" for n in range(12)]
    assert mapping_of(guess_of("is_fraud", dispute_date=everywhere)).get("truth", {}).get("positive") != "not null"


@pytest.mark.parametrize(
    ("beside", "symbol"),
    [("k", TODO), ("M", TODO), ("T€", TODO), ("k$", TODO), ("¢", TODO), ("ct", TODO), ("%", TODO), ("CR", TODO), ("Mio", TODO),
     ("€", "€"), ("US$", "US$"), ("R$", "R$"), ("kr", "kr"), ("zł", "zł"), ("EUR", "EUR"), ("eur", "eur")],
)  # fmt: skip
def test_text_beside_an_amount_is_the_sign_of_a_currency_or_asked_for(beside: str, symbol: str) -> None:
    assert mapping_of(guess_of(amount=[f"{n}.00{beside}" for n in range(12)]))["amount"]["symbol"] == symbol


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("dr_cr", ["DR", "CR"] * 6),
        ("what", ["D", "C"] * 6),
        ("side", ["Soll", "Haben"] * 6),
        ("CdtDbtInd", ["CRDT", "DBIT"] * 6),
        ("flow", ["in", "out"] * 6),
        ("what", ["purchase", "refund"] * 6),
        ("what", ["credit"] * 12),
        ("is_refund", ["0", "1"] * 6),
        ("is_credit", [True, False] * 6),
        ("sign", ["+", "-"] * 6),
        ("sign", [1, -1] * 6),
        ("debit_credit", ["1", "2"] * 6),
    ],
)
def test_a_column_that_may_tell_credits_makes_the_sign_a_question(name: str, values: list[Any]) -> None:
    for amounts in (MONEY, [f"-{value}" for value in MONEY]):
        found = guess_of(amount=amounts, **{name: values})
        assert mapping_of(found)["amount"] == {"column": "amount", "sign": TODO}
        assert f"'{name}'" in open_of(found)["amount.sign"]


@pytest.mark.parametrize(
    ("name", "values"),
    [("card_type", ["debit", "credit"] * 6), ("country", ["IN"] * 12), ("state", ["C", "S"] * 6), ("kind", ["payment"] * 12),
     ("is_credit_card", ["0", "1"] * 6)],
)  # fmt: skip
def test_a_column_of_cards_or_of_places_tells_no_credits(name: str, values: list[Any]) -> None:
    assert mapping_of(guess_of(**{name: values}))["amount"] == {"column": "amount"}


@pytest.mark.parametrize(
    ("columns", "time_"),
    [
        ({"date": DAYS, "settled_time": ["11:00"] * 12, "time": ["10:00"] * 12}, {"columns": ["date", "time"], "format": "%Y-%m-%d %H:%M"}),
        ({"date": DAYS, "settled_time": ["11:00"] * 12}, {"column": "date", "format": "%Y-%m-%d"}),
        ({"date": DAYS, "time_out": ["11:00"] * 12, "time_back": ["10:00"] * 12}, {"columns": TODO, "format": "%Y-%m-%d %H:%M"}),
        ({"date": DAYS, "delivery_time": ["11:00"] * 12}, {"columns": TODO, "format": "%Y-%m-%d %H:%M"}),
        ({"post_date": DAYS, "trans_date": DAYS, "trans_time": ["10:00"] * 12},
         {"columns": ["trans_date", "trans_time"], "format": "%Y-%m-%d %H:%M"}),
        ({"trans_date": DAYS, "trans_time": [f"{n:02}1559" for n in range(12)]},
         {"columns": ["trans_date", "trans_time"], "format": "%Y-%m-%d %H%M%S"}),
        ({"trans_date": DAYS, "trans_time": [f"{n:02}15" for n in range(12)]},
         {"columns": ["trans_date", "trans_time"], "format": "%Y-%m-%d %H%M"}),
        ({"trans_date": DAYS, "trans_time": [f"{n + 10}15" for n in range(12)]}, {"column": TODO, "format": "%Y-%m-%d"}),
        ({"trans_date": DAYS, "trans_time": [n * 10_000 + 1559 for n in range(12)]}, {"column": TODO, "format": "%Y-%m-%d"}),
        ({"trans_date": DAYS, "time": ["11:00"] * 12, "trans_time": ["10:00"] * 12},
         {"columns": ["trans_date", "trans_time"], "format": "%Y-%m-%d %H:%M"}),
        ({"paid_date": [f"{day} 00:00:00" for day in DAYS], "created_at": [f"{day} 10:00:00" for day in DAYS]}, {"column": "created_at"}),
        ({"trans_date": DAYS, "trans_hour": [n % 24 for n in range(12)]}, {"column": TODO, "format": "%Y-%m-%d"}),
        ({"trans_date": [f"{day} 00:00:00" for day in DAYS], "trans_time": ["10:00"] * 12}, {"column": TODO}),
        ({"trans_date": pl.Series(DAYS).str.to_datetime("%Y-%m-%d").to_list(), "trans_time": [time(10, n) for n in range(12)]},
         {"column": TODO}),
        ({"trans_date": [date(2024, 2, n + 1) for n in range(12)], "trans_time": [time(10, n) for n in range(12)]},
         {"columns": ["trans_date", "trans_time"], "format": "%Y-%m-%d %H:%M:%S"}),
        ({"trans_date": [date(2024, 2, n + 1) for n in range(12)], "trans_time": ["10:00"] * 12},
         {"columns": ["trans_date", "trans_time"], "format": "%Y-%m-%d %H:%M"}),
        ({"Year": ["2024"] * 12, "Month": ["2"] * 12, "Day": [str(n + 1) for n in range(12)], "Hour": ["7"] * 12},
         {"columns": TODO, "format": "%Y %m %d"}),
    ],
)  # fmt: skip
def test_a_time_of_day_is_that_of_the_date_or_asked_for(columns: dict[str, list[Any]], time_: dict[str, Any]) -> None:
    assert mapping_of(guess_of("paid_at", **columns))["time"] == {**time_, "zone": TODO}


def test_a_column_that_could_be_the_time_is_named_once() -> None:
    clocks = {"process_time": ["10:00"] * 12, "trans_time": ["10:00"] * 12}
    found = guess_of("paid_at", trans_date=DAYS, process_date=DAYS, **clocks)
    assert "process_date could be the time, too; 'trans_date, trans_time' fits best" in found.notes


def test_days_without_a_time_of_day_are_said() -> None:
    assert "'paid_at' has no time of day: all payments of a day stand at its beginning" in guess_of(paid_at=DAYS).notes


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([f"17010112{n + 30}" for n in range(12)], TODO),
        ([1_701_011_230 + n for n in range(12)], TODO),
        ([f"150117{n + 10}30" for n in range(12)], TODO),
        ([f"20170101{n + 10}" for n in range(12)], TODO),
        ([f"9901011230{n + 10}" for n in range(12)], TODO),
        ([1_701_011_230 + 70 * n for n in range(12)], "s"),
    ],
)
def test_digits_that_may_be_a_date_are_asked_for(values: list[Any], unit: str) -> None:
    found = guess_of(paid_at=values)
    assert mapping_of(found)["time"] == {"column": "paid_at", "unit": unit}
    assert ("their digits fit" in open_of(found).get("time.unit", "")) == (unit == TODO)


@pytest.mark.parametrize(
    "name",
    ["not_fraud", "notFraud", "nonfraud", "is_legit", "genuine", "genuine_label", "valid_transaction_label",
     "fraud_check_passed", "fraud_free",
     "fraud_reviewed", "fraud_cleared"],
)  # fmt: skip
def test_a_flag_whose_name_may_be_turned_round_is_asked_for(name: str) -> None:
    for values in (["0"] * 9 + ["1"] * 3, ["1"] * 9 + ["0"] * 3, ["1"] * 12, [False, True] * 6):
        found = mapping_of(guess_of("is_fraud", **{name: values}))
        assert (found["truth"]["column"], found["truth"]["positive"]) == (name, TODO)
    told = guess_of("is_fraud", **{name: ["1"] * 11 + ["0"], "isFraud": ROWS["is_fraud"]})
    assert mapping_of(told)["truth"]["column"] == "isFraud"


def _judged(**columns: list[Any]) -> dict[str, Any]:
    """The mapping of 1,000 payments of which each twentieth is fraud, with further columns."""
    rows = 1000
    frame = pl.DataFrame({
        "payment_id": [f"p{n}" for n in range(rows)], "paid_at": ["2024-02-02 10:00:00Z"] * rows, "amount": ["1.50"] * rows,
        "customer": [f"c{n % 7}" for n in range(rows)], "is_fraud": [int(n % 20 == 0) for n in range(rows)], **columns,
    })  # fmt: skip
    return mapping_of(guess(sample_of(frame, "all", []), "small"))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([f"K{n}" if n % 20 == 0 else None for n in range(1000)], True),
        ([f"K{n}" if n % 40 == 0 else None for n in range(1000)], True),
        ([n if n % 40 == 0 else 0 for n in range(1000)], True),
        (["ann" if n % 40 == 0 else "" for n in range(1000)], True),
        ([None if n % 20 == 0 else f"B{n}" for n in range(1000)], True),
        ([f"K{n}" if n % 40 == 1 else None for n in range(1000)], False),
        ([f"K{n % 9}" for n in range(1000)], False),
        ([f"K{n}" if n in (20, 40) else None for n in range(1000)], False),
    ],
)
def test_a_column_that_frauds_alone_have_is_kept_with_the_truth_however_many_values_it_has(values: list[Any], told: bool) -> None:
    found = _judged(zz=values)
    assert (found["truth"].get("also") == ["zz"]) == told
    assert ("zz" in [*found.get("attributes", []), *found["entities"].values()]) != told


def test_a_column_that_frauds_alone_have_is_kept_with_a_truth_whose_meaning_is_asked_for() -> None:
    turned = [int(n % 20 != 0) for n in range(1000)]
    found = _judged(is_fraud=turned, zz=[f"K{n}" if n % 20 == 0 else None for n in range(1000)])
    assert (found["truth"]["positive"], found["truth"]["also"]) == (TODO, ["zz"])
