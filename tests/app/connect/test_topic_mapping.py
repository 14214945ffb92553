"""A mapping of a file is one of a topic, unless it asks for what only a whole file can tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from topic_records import LABELS, PAYMENTS, mapping_of

from assay.app.connect.topic_mapping import refuse_ids_told
from assay.contracts.errors import AssayError

FIELDS = frozenset({"id", "at", "amount", "who", "terminal", "channel", "V1", "V2"})


@pytest.mark.parametrize(
    ("text", "fields", "code", "fault"),
    [
        (PAYMENTS.replace("[channel]", "[{pattern: 'V*'}]"), None, "MAPPING_INVALID", "patterns of attributes"),
        (PAYMENTS.replace("constant: EUR", "column: cur"), None, "MAPPING_INVALID", "may hold any currency"),
        (PAYMENTS, FIELDS - {"amount"}, "INPUT_COLUMN_MISSING", "'amount'"),
        (PAYMENTS, FIELDS - {"who"}, "INPUT_COLUMN_MISSING", "'who.customer'"),
        (PAYMENTS.replace("[channel]", "[{pattern: 'X*'}]"), FIELDS, "INPUT_COLUMN_MISSING", "no column fits"),
        (PAYMENTS.replace("kind:", "kin:"), None, "MAPPING_INVALID", "kin"),
        (LABELS.replace("event_id", "source_id"), None, "MAPPING_INVALID", "by event_id"),
        (LABELS + "more: 1\n", None, "MAPPING_INVALID", "more"),
    ],
)
def test_what_a_topic_cannot_tell_is_refused(tmp_path: Path, text: str, fields: frozenset[str] | None, code: str, fault: str) -> None:
    with pytest.raises(AssayError) as refused:
        mapping_of(tmp_path, text, fields)
    assert refused.value.reason.value == code
    assert fault in refused.value.what
    assert refused.value.remedy


def test_a_schema_names_the_columns_of_patterns(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, PAYMENTS.replace("[channel]", "[channel, {pattern: 'V*'}]"), FIELDS)
    assert set(mapping.columns) == {"id", "at", "amount", "who.customer", "terminal", "channel", "V1", "V2"}


def test_currencies_that_are_declared_are_taken(tmp_path: Path) -> None:
    text = PAYMENTS.replace("constant: EUR", "column: cur") + "currencies: [EUR, USD]\n"
    assert "cur" in mapping_of(tmp_path, text).columns


def test_truth_is_never_read(tmp_path: Path) -> None:
    text = PAYMENTS + "truth: {column: bad, positive: [1], delay: 7d}\n"
    assert "bad" not in mapping_of(tmp_path, text).columns


@pytest.mark.parametrize(
    ("text", "of_run", "fault"),
    [
        (PAYMENTS + "pseudonymise: [customer, terminal]\n", ("customer",), "does not replace the ids of terminal"),
        (PAYMENTS.replace("[channel]", "[who.customer]"), ("customer",), "'who.customer' is the column of 'customer' and of attributes"),
        (PAYMENTS.replace("id: id", "id: terminal"), ("card", "terminal"), "'terminal' is the column of 'terminal' and of id"),
    ],
)
def test_ids_that_a_run_replaces_are_told_nowhere_else(tmp_path: Path, text: str, of_run: tuple[str, ...], fault: str) -> None:
    with pytest.raises(AssayError) as refused:
        refuse_ids_told(mapping_of(tmp_path, text), of_run, "mapping.yaml")
    assert refused.value.reason.value == "MAPPING_INVALID"
    assert fault in refused.value.what


@pytest.mark.parametrize("text", [PAYMENTS, PAYMENTS + "pseudonymise: [customer]\n", LABELS])
def test_a_mapping_that_tells_no_id_is_taken(tmp_path: Path, text: str) -> None:
    refuse_ids_told(mapping_of(tmp_path, text), ("card", "customer"), "mapping.yaml")
