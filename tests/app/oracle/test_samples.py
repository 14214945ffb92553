"""Samples in the shapes of public data sets: the documented headers, the same bytes everywhere, and worlds that can be decided."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest
from gated_worlds import NOW_US, gated, simulated
from source_tree import ROOT

from assay.app.cli import main
from assay.app.demo.new_run import world_config
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping, shipped_mappings
from assay.app.oracle.samples.shelf import SAMPLES, write_sample
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.policy.of_mapping import documents_for
from assay.app.stores.objects import DirectoryStore
from assay.contracts import instants
from assay.contracts.errors import Stop
from assay.contracts.handles import RTDL
from assay.contracts.reasons import Reason

RUN = "platform_20260101T000000Z"


def numbered(letter: str, last: int) -> list[str]:
    return [f"{letter}{number}" for number in range(1, last + 1)]


class Documented(NamedTuple):
    """What the documentation of a data set says of its file, and how the money of a row is read from it."""

    header: list[str]
    truth: str
    fraud: str
    amount: str
    quote: str = '"'
    exponent: int = 2
    money: Callable[[str], Decimal] = Decimal


#: from the pages of the data sets: Kaggle (ealaxi/paysim1, mlg-ulb/creditcardfraud, ieee-fraud-detection, kartik2112/fraud-detection,
#: ealaxi/banksim1), IBM/TabFormer, and the data sheet of feedzai/bank-account-fraud
DOCUMENTED = {
    "paysim": Documented(
        [
            "step", "type", "amount", "nameOrig", "oldbalanceOrg", "newbalanceOrig", "nameDest", "oldbalanceDest", "newbalanceDest",
            "isFraud", "isFlaggedFraud",
        ],
        "isFraud", "1", "amount",
    ),
    "creditcard": Documented(["Time", *numbered("V", 28), "Amount", "Class"], "Class", "1", "Amount"),
    "ieee_cis": Documented(
        [
            "TransactionID", "isFraud", "TransactionDT", "TransactionAmt", "ProductCD", *numbered("card", 6), *numbered("addr", 2),
            *numbered("dist", 2), "P_emaildomain", "R_emaildomain", *numbered("C", 14), *numbered("D", 15), *numbered("M", 9),
            *numbered("V", 339),
        ],
        "isFraud", "1", "TransactionAmt", exponent=3,
    ),
    "sparkov": Documented(
        [
            "", "trans_date_trans_time", "cc_num", "merchant", "category", "amt", "first", "last", "gender", "street", "city", "state",
            "zip", "lat", "long", "city_pop", "job", "dob", "trans_num", "unix_time", "merch_lat", "merch_long", "is_fraud",
        ],
        "is_fraud", "1", "amt",
    ),
    "banksim": Documented(
        ["step", "customer", "age", "gender", "zipcodeOri", "merchant", "zipMerchant", "category", "amount", "fraud"],
        "fraud", "1", "amount", quote="'",
    ),
    "tabformer": Documented(
        [
            "User", "Card", "Year", "Month", "Day", "Time", "Amount", "Use Chip", "Merchant Name", "Merchant City", "Merchant State",
            "Zip", "MCC", "Errors?", "Is Fraud?",
        ],
        "Is Fraud?", "Yes", "Amount", money=lambda text: abs(Decimal(text.replace("$", ""))),
    ),
    "baf": Documented(
        [
            "fraud_bool", "income", "name_email_similarity", "prev_address_months_count", "current_address_months_count", "customer_age",
            "days_since_request", "intended_balcon_amount", "payment_type", "zip_count_4w", "velocity_6h", "velocity_24h", "velocity_4w",
            "bank_branch_count_8w", "date_of_birth_distinct_emails_4w", "employment_status", "credit_risk_score", "email_is_free",
            "housing_status", "phone_home_valid", "phone_mobile_valid", "bank_months_count", "has_other_cards", "proposed_credit_limit",
            "foreign_request", "source", "session_length_in_minutes", "device_os", "keep_alive_session", "device_distinct_emails_8w",
            "device_fraud_count", "month",
        ],
        "fraud_bool", "1", "proposed_credit_limit",
    ),
}  # fmt: skip
#: sha256 of the sample of 200 rows and seed 7
DIGESTS = {
    "baf": "5ea5e1abad2836376d695e114b1bf5723fa33af88782c2de64cd1a003a5ab2cd",
    "banksim": "ed1b83502abf7e6a34a38a43518b4528b867a2a53a2b5de19eb20a73f77de028",
    "creditcard": "1563834cd68df911932f3f1aa01c202c5be70372c4b88355b5a1f153187c1c5d",
    "ieee_cis": "1d636d08c5968d14130ffba7cdaa27d4c4874ed3caa55a8f72fe2f03b662c995",
    "paysim": "37375bb5178bfe57e336541be02a41ed7fdbda5d9c5c9c78a4b1fb3d48a46804",
    "sparkov": "cbf8808a8679d4ff93d55d9bb4fb740a1bb9bc78da744c96f5fd239bef97e583",
    "tabformer": "6a6deeb5ba35ab95bfe58affac6f564d452656c3254fbf9a2d72bc937ecaa733",
}


def rows_of(text: str, known: Documented) -> list[list[str]]:
    """The fields of the file, by a reader of CSV that is not the import's."""
    return list(csv.reader(io.StringIO(text), quotechar=known.quote))


def imported(folder: Path, name: str, rows: int | None = None, seed: int = 1) -> SealedWorld:
    write_sample(name, rows, seed, folder / "in.csv")
    return import_world(folder / "in.csv", load_mapping(name), DirectoryStore(folder / "store"), NOW_US)


def test_every_sample_is_documented_and_has_a_shipped_mapping() -> None:
    assert set(SAMPLES) - {"shop"} == set(DOCUMENTED) == set(DIGESTS), "the file of the tutorial is drawn from nothing"
    assert set(SAMPLES) < set(shipped_mappings())


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_sample_has_the_documented_header_and_a_value_or_an_empty_field_per_column(name: str) -> None:
    header, *rows = rows_of(SAMPLES[name].text(100, 1), DOCUMENTED[name])
    assert header == DOCUMENTED[name].header
    assert len(rows) == 100
    assert {len(row) for row in rows} == {len(header)}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_sample_is_the_same_on_every_machine(name: str) -> None:
    text = SAMPLES[name].text(200, 7)
    assert hashlib.sha256(text.encode()).hexdigest() == DIGESTS[name]
    assert SAMPLES[name].text(200, 8) != text


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_shipped_mapping_reads_every_row_fraud_and_cent_of_a_sample(tmp_path: Path, name: str) -> None:
    known = DOCUMENTED[name]
    world = imported(tmp_path, name)
    header, *rows = rows_of((tmp_path / "in.csv").read_text(encoding="utf-8"), known)
    frauds = sum(row[header.index(known.truth)] == known.fraud for row in rows)
    money = sum((known.money(row[header.index(known.amount)]) for row in rows), Decimal(0))
    manifest = world.manifest
    assert manifest.rows == len(rows) == SAMPLES[name].rows
    assert manifest.truth_summary is not None
    assert manifest.truth_summary.positives == frauds
    assert 0.003 < frauds / len(rows) < 0.05, "frauds are rare, and a small file has some"
    held = sum(world.stream_part(part)["amount_minor"].sum() for part in manifest.stream_view)
    assert held == money * 10**known.exponent


@pytest.mark.parametrize("name", DOCUMENTED)
@pytest.mark.parametrize("rows", [1, 2, 60])
def test_a_sample_of_any_size_is_read(tmp_path: Path, name: str, rows: int) -> None:
    assert imported(tmp_path, name, rows).manifest.rows == rows


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("paysim", "2024-01-01T"),
        ("creditcard", "2013-09-01T00:00:00.000000Z"),
        ("ieee_cis", "2017-12-02T00:00:00.000000Z"),
        ("sparkov", "2019-01-01T"),
        ("banksim", "2012-11-01T00:00:00.000000Z"),
        ("tabformer", "2019-06-01T"),
        ("baf", "2021-02-01T00:00:00.000000Z"),
    ],
)
def test_the_first_payment_stands_where_the_mapping_puts_its_origin(tmp_path: Path, name: str, first: str) -> None:
    assert instants.text(imported(tmp_path, name).manifest.min_ts_us).startswith(first)


def test_months_are_those_of_the_calendar(tmp_path: Path) -> None:
    world = imported(tmp_path, "baf", 500)
    times = world.stream_part(world.manifest.stream_view[0])["ts_us"].unique().sort().to_list()
    assert [instants.text(time)[:10] for time in times] == [f"2021-{month:02}-01" for month in range(2, 10)]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_payment_of_a_sample_is_admitted_and_decided_by_the_policy_that_is_made_for_it(tmp_path: Path, name: str) -> None:
    world = imported(tmp_path, name, 200)
    config = world_config(RUN, world.manifest, documents_for(load_mapping(name)).policy())
    assert len(simulated(gated(world, config, 1)).log.values(RTDL)) == 200


def test_a_mistyped_sample_is_refused_with_the_name_that_was_meant() -> None:
    with pytest.raises(Stop) as refused:
        write_sample("PaySin", None, 1, Path("never.csv"))
    assert refused.value.reason is Reason.GENERATOR_REQUEST_INVALID
    assert "Did you mean 'paysim'?" in refused.value.remedy


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("mine")
    for out, rows in ((tmp_path / "mine.csv", 5), (tmp_path / "other.parquet", 5), (tmp_path / "other.csv", 0)):
        with pytest.raises(Stop, match="GENERATOR_REQUEST_INVALID"):
            write_sample("paysim", rows, 1, out)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_the_command_writes_a_sample_and_says_how_to_read_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.csv"
    for arguments in (["sample", "tabformer", "--out", str(file), "--rows", "50"], ["import", str(file), "--mapping", "tabformer"]):
        with pytest.raises(SystemExit) as ended:
            main(["oracle", *arguments, *(["--out", str(tmp_path / "store")] if arguments[0] == "import" else [])])
        assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "wrote 50 rows to" in said
    assert "import it with --mapping tabformer" in said
    assert "rows                  50" in said


def test_the_file_of_the_tutorial_is_written_to_the_letter_and_has_no_further_rows(tmp_path: Path) -> None:
    assert write_sample("shop", None, 1, tmp_path / "a.csv") == 70
    assert (tmp_path / "a.csv").read_bytes() == (ROOT / "assay/app/oracle/samples/shop.csv").read_bytes()
    with pytest.raises(Stop, match="the sample has 70 rows, not 71"):
        write_sample("shop", 71, 1, tmp_path / "b.csv")
    manifest = import_world(tmp_path / "a.csv", load_mapping("shop"), DirectoryStore(tmp_path / "world"), NOW_US).manifest
    assert manifest.truth_summary is not None
    assert (manifest.rows, manifest.truth_summary.positives) == (70, 6)
