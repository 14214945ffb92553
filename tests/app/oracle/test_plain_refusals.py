"""A refusal names the cause as its reader meets it, with a remedy that helps against this cause and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from small_worlds import DOCUMENT, NOW_US, ROWS, mapping, small_world

from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import parse_mapping
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import AssayError, Quarantine, Stop
from assay.contracts.reasons import Reason

BERLIN = {"column": "at", "zone": "Europe/Berlin"}


def refused(folder: Path, columns: dict[str, Any], **changes: Any) -> Quarantine:
    """How a small file with some columns changed is refused."""
    with pytest.raises(Quarantine) as refusal:
        small_world(folder, {**ROWS, **columns}, **changes)
    return refusal.value


@pytest.mark.parametrize(
    ("value", "time", "what", "remedy"),
    [
        ("2018-03-25 02:30:00", BERLIN, "Europe/Berlin never has, because its clocks are put forward", "UTC has every time"),
        ("2018-03-25 02:30:00", {**BERLIN, "ambiguous": "earliest"}, "never has", "'zone'"),
        ("2018-10-28 02:30:00", BERLIN, "Europe/Berlin has twice, because its clocks are put back", "ambiguous: earliest"),
        ("25.03.2018 02:30", {**BERLIN, "format": "%d.%m.%Y %H:%M"}, "never has", "'zone'"),
        ("1767225600648", {"column": "at", "unit": "s"}, "a year outside 1 to 9999, counted in s", "'unit'"),
        ("99999999999999999999999999", {"column": "at", "unit": "s"}, "a year outside 1 to 9999", "'unit'"),
        ("yesterday", {"column": "at", "unit": "s"}, "not a number of s", "take 'unit' out"),
        ("31/12/2018", {"column": "at", "zone": "UTC", "format": "%Y/%m/%d"}, "does not fit the format '%Y/%m/%d'", "'format'"),
        ("2018-12-31", {"column": "at", "zone": "UTC"}, "a day without a time of day", "%Y-%m-%d"),
        ("2018-02-30 10:00:00", {"column": "at", "zone": "UTC"}, "does not exist", "another order"),
        ("soon", {"column": "at", "zone": "UTC"}, "not a time as RFC 3339", "'format'"),
    ],
)
def test_a_time_is_refused_for_its_cause(tmp_path: Path, value: str, time: dict[str, Any], what: str, remedy: str) -> None:
    sound = {"unit": "1522540831", "format": "25.03.2018 12:30" if "%d" in str(time.get("format", ""))[:2] else "2018/04/01"}
    other = next((text for field, text in sound.items() if field in time), "2018-04-01 00:00:31")
    refusal = refused(tmp_path, {"at": [other, value, other, other]}, time=time)
    assert (refusal.reason, refusal.where) == (Reason.INPUT_VALUE_INVALID, "column 'at', row 2")
    assert what in refusal.what
    assert remedy in refusal.remedy


@pytest.mark.parametrize("place", ["id", "who"])
@pytest.mark.parametrize("value", ["4.11111E+15", "4,11E+15", "4.1e+15"])
def test_an_id_that_a_spreadsheet_shortened_is_refused(tmp_path: Path, place: str, value: str) -> None:
    refusal = refused(tmp_path, {place: ["a", "b", value, "c"]})
    assert (refusal.reason, refusal.where) == (Reason.INPUT_VALUE_INVALID, f"column '{place}', row 3")
    assert "spreadsheet" in refusal.what


def test_an_id_with_a_letter_e_is_an_id(tmp_path: Path) -> None:
    assert small_world(tmp_path, {**ROWS, "who": ["1E5", "4.11E15x", "E+15", "9.E"]}).manifest.rows == len(ROWS["id"])


CSV = "id,at,amount,who,shop,kind,channel,fraud,why\np1,2018-04-01T00:00:31Z,57.16,{who},,card,web,yes,\n"


def imported(folder: Path, content: bytes, **csv: Any) -> list[str]:
    """The customers of a text file."""
    (folder / "in.csv").write_bytes(content)
    world = import_world(folder / "in.csv", mapping(csv=csv), DirectoryStore(folder / "store"), NOW_US)
    return world.stream_part(world.manifest.stream_view[0])["entity.customer"].to_list()


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp1250"])
def test_utf_8_is_not_read_as_single_bytes(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(Quarantine) as refusal:
        imported(tmp_path, CSV.format(who="Café").encode(), encoding=encoding)
    assert refusal.value.reason == Reason.INPUT_FILE_UNREADABLE
    assert refusal.value.where.endswith("in.csv, line 2")
    assert "the text is UTF-8" in refusal.value.what
    assert imported(tmp_path, CSV.format(who="Café").encode("cp1252"), encoding="cp1252") == ["Café"]
    assert imported(tmp_path, CSV.format(who="Cafe").encode(), encoding="cp1252") == ["Cafe"]


def test_an_encoding_of_several_bytes_may_hold_bytes_that_utf_8_would_read(tmp_path: Path) -> None:
    assert "茅".encode("gbk").decode() == "é"
    assert imported(tmp_path, CSV.format(who="茅").encode("gbk"), encoding="gbk") == ["茅"]


def test_a_column_with_a_blank_at_its_end_is_pointed_at_and_trimmed_if_declared(tmp_path: Path) -> None:
    blank = CSV.format(who="7").replace("id,", "id ,", 1).encode()
    with pytest.raises(Quarantine) as refusal:
        imported(tmp_path, blank, separator=",")
    assert refusal.value.reason == Reason.INPUT_COLUMN_MISSING
    assert "the file has 'id ', at" in refusal.value.what
    assert refusal.value.remedy.startswith("Did you mean 'id '?")
    assert imported(tmp_path, blank, trim=True) == ["7"]


def test_a_column_is_told_the_nearest_name(tmp_path: Path) -> None:
    refusal = refused(tmp_path, {}, attributes=["chanel"])
    assert (refusal.reason, refusal.remedy) == (Reason.INPUT_COLUMN_MISSING, "Did you mean 'channel'?")


@pytest.mark.parametrize(
    ("column", "what", "remedy"),
    [
        ("payer.account", "names the column 'payer.account'", "'payer' may hold objects"),
        ("payer", "the column holds objects with account, bank", "columns of their own"),
        ("tags", "the column holds lists", "columns of their own"),
    ],
)
def test_nested_json_is_refused_in_words(tmp_path: Path, column: str, what: str, remedy: str) -> None:
    line = '{"id": "p1", "at": "2018-04-01T00:00:31Z", "amount": 1, "payer": {"account": "a", "bank": "b"}, "tags": ["x"]}\n'
    (tmp_path / "in.jsonl").write_text(line)
    document = {**DOCUMENT, "entities": {"account": column}, "kind": {"constant": "x"}, "attributes": [], "truth": None}
    with pytest.raises(Quarantine) as refusal:
        import_world(tmp_path / "in.jsonl", parse_mapping(yaml.safe_dump(document), "m"), DirectoryStore(tmp_path / "s"), NOW_US)
    assert what in refusal.value.what
    assert remedy in refusal.value.remedy


def test_credits_of_a_statement_are_taken_out_as_the_refusal_says(tmp_path: Path) -> None:
    statement = {"out": ["5.00", None, "7.00", None], "in": [None, "9.00", None, "1.00"]}
    amount = {"debit": "out", "credit": "in"}
    refusal = refused(tmp_path / "a", statement, amount=amount)
    assert refusal.what == "a credit, or a negative debit: '- and 9.00' (and 1 more row: row 4: '- and 1.00')"
    assert "filter: [{column: out, drop: [null]}]" in refusal.remedy
    rows = {**ROWS, **statement, "fraud": ["yes", None, "no", None]}
    taken = small_world(tmp_path / "b", rows, amount=amount, filter=[{"column": "out", "drop": [None]}])
    assert taken.stream_part(taken.manifest.stream_view[0])["amount_minor"].to_list() == [500, 700]


@pytest.mark.parametrize(
    ("change", "what", "remedy"),
    [
        ({"entitys": {}}, "entitys: there is no such field", "Did you mean 'entities'?"),
        ({"xyz": 1}, "xyz: there is no such field", "The fields here are mapping, revision"),
        ({"time": {"column": "at", "zon": "UTC"}}, "time.zon: there is no such field", "Did you mean 'zone'?"),
        ({"truth": {"column": "fraud", "positive": ["yes"], "time": {"column": "at", "unti": "s"}}}, "truth.time.unti", "'unit'"),
        ({"csv": {"seperator": ";"}}, "csv.seperator: there is no such field", "Did you mean 'separator'?"),
        ({"truth": {"column": "fraud", "positive": "yes", "delay": "7d"}}, "truth.positive: expected a list", "Correct"),
        ({"revision": 1}, "revision: YAML reads 1 as a number, expected text", 'Write it in quotation marks: "1".'),
        ({"id": True}, "id: ", "Correct"),
        ({"filter": [{"column": "kind", "drop": [1.5]}]}, "filter.0.drop.0: expected text, a whole number, true or false", "Correct"),
        ({"filter": [{"column": "kind", "drop": []}]}, "filter.0.drop: it is empty", "Correct"),
        ({"amount": "amount"}, "amount: expected keys and values", "Correct"),
        ({"id": {"colums": ["id"]}}, "id.colums: there is no such field", "Did you mean 'columns'?"),
        ({"entities": {"a": "who", "b": "who"}}, "entities.b: the column 'who' is entities.a, too", "Correct"),
        ({"seed": -1}, "seed: expected at least 0", "Correct"),
        ({"time": {"column": "at", "unit": "minutes"}}, "time.unit: expected '", "Correct"),
        ({"entities": {"Customer Id": "who"}}, "entities.Customer Id: expected small letters", "Correct"),
        ({"attributes": ["x" * 129]}, "attributes.0: it is longer than 128 characters", "Correct"),
        ({"currencies": {"euro": 2}}, "currencies.euro: expected three capital letters", "Correct"),
        ({"time": None, "tiem": {"column": "at"}}, "tiem: there is no such field", "Did you mean 'time'?"),
        ({"attributes": [{"patern": "V*"}]}, "attributes.0.patern: there is no such field", "Did you mean 'pattern'?"),
        ({"attributes": ["channel", "TODO"]}, "attributes: TODO stands for a value", "in place of TODO"),
        ({"kind": {}}, "kind: give either 'column' or 'constant'", "Correct"),
    ],
)
def test_a_mapping_is_refused_in_words_of_its_writer(change: dict[str, Any], what: str, remedy: str) -> None:
    with pytest.raises(Stop) as refusal:
        parse_mapping(yaml.safe_dump({**DOCUMENT, **change}), "here.yaml")
    assert refusal.value.reason == Reason.MAPPING_INVALID
    assert what in refusal.value.what
    assert remedy in refusal.value.remedy
    assert "Input should" not in refusal.value.what


def test_a_missing_field_is_named() -> None:
    document = {name: value for name, value in DOCUMENT.items() if name != "time"}
    with pytest.raises(AssayError, match="time: it is missing"):
        parse_mapping(yaml.safe_dump(document), "here.yaml")
