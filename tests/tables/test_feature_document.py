"""Which feature documents are taken and which are refused, with the feature and the field named."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from feature_worlds import DOCUMENT

import assay
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.tables.feature_document import parse_document
from assay.tables.feature_plan import compile_plan

POLICIES = Path(assay.__file__).parent / "contracts" / "policies"
COUNT, MEAN, DISTINCT, FRAUDS, SINCE, NIGHT = 0, 2, 5, 11, 8, 15

#: (feature, changed fields, what the refusal names); None removes a field
REFUSED: list[tuple[int, dict[str, Any], str]] = [
    (COUNT, {"name": "Bad Name"}, "features[0], field name"),
    (COUNT, {"name": "amount_minor"}, "amount_minor, field name"),
    (COUNT, {"name": "a_sum"}, "the document, field features"),
    (COUNT, {"op": "median"}, "a_count, field op"),
    (COUNT, {"op": None}, "a_count, field op"),
    (COUNT, {"op": ["count"]}, "a_count, field op"),
    (COUNT, {"entity": "terminal"}, "a_count, field entity"),
    (COUNT, {"entity": None}, "a_count, field entity"),
    (COUNT, {"window": "25s"}, "a_count, field window"),
    (COUNT, {"window": "0s"}, "a_count, field window"),
    (COUNT, {"window": 30}, "a_count, field window"),
    (COUNT, {"window": None}, "a_count, field window"),
    (COUNT, {"window": "10d", "resolution": "1s"}, "a_count, field resolution"),
    (COUNT, {"resolution": "0s"}, "a_count, field resolution"),
    (COUNT, {"delay": "5s"}, "a_count, field delay"),
    (COUNT, {"include_current": "yes"}, "a_count, field include_current"),
    (COUNT, {"value": "amount_minor"}, "a_count, field value"),
    (MEAN, {"value": "fee_minor"}, "a_mean, field value"),
    (MEAN, {"value": None}, "a_mean, field value"),
    (DISTINCT, {"of": "terminal"}, "a_merchants, field of"),
    (DISTINCT, {"of": "account"}, "a_merchants, field of"),
    (DISTINCT, {"delay": "10s"}, "a_merchants, field delay"),
    (FRAUDS, {"entity": "device"}, "m_frauds, field entity"),
    (SINCE, {"unit": ["s"]}, "a_since, field unit"),
    (SINCE, {"unit": "weeks"}, "a_since, field unit"),
    (SINCE, {"window": "1d"}, "a_since, field window"),
    (NIGHT, {"to_hour": 24}, "at_night, field to_hour"),
    (NIGHT, {"to_hour": True}, "at_night, field to_hour"),
    (NIGHT, {"to_hour": None}, "at_night, field to_hour"),
]
#: changes of the document itself
BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"currencies": "EUR"}, "field currencies"),
    ({"currencies": []}, "field currencies"),
    ({"currencies": None}, "field currencies"),
    ({"currencies": [False]}, "field currencies"),
    ({"currencies": ["EUR", "eur"]}, "field currencies: is ['EUR', 'eur'], not `one`, `any` or a list of codes"),
    ({"currencies": ["EUR\n"]}, "field currencies"),
    ({"currencies": ["EUR", "GBP", "EUR"]}, "field currencies: names 'EUR' twice"),
    ({"feature_set": ""}, "field feature_set"),
    ({"revision": 1}, "field revision"),
    ({"entities": "account"}, "field entities"),
    ({"entities": ["account", "account", "merchant", "device"]}, "field entities"),
    ({"label_entities": ["terminal"]}, "field label_entities"),
    ({"features": []}, "field features"),
    ({"entities": [], "label_entities": []}, "field entities: names no entity"),
    ({"features": ["a_count"]}, "features[0]"),
    ({"owner": "me"}, "field owner"),
]

LISTED = {"currencies": ["EUR", "BTC"]}


@pytest.mark.parametrize(("at", "change", "named"), REFUSED)
def test_a_bad_feature_is_refused_by_name_and_field(at: int, change: dict[str, Any], named: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    feature = document["features"][at] | change
    document["features"][at] = {field: value for field, value in feature.items() if value is not None}
    with pytest.raises(Stop) as refused:
        compile_plan(document)
    assert refused.value.reason is Reason.FEATURE_DOCUMENT_INVALID
    assert refused.value.what.startswith(named)


@pytest.mark.parametrize(("change", "named"), BROKEN)
def test_a_bad_document_is_refused_by_field(change: dict[str, Any], named: str) -> None:
    with pytest.raises(Stop, match="FEATURE_DOCUMENT_INVALID") as refused:
        compile_plan(DOCUMENT | change)
    assert named in refused.value.what


@pytest.mark.parametrize(
    ("given", "codes"), [({}, None), ({"currencies": "one"}, None), ({"currencies": "any"}, ()), (LISTED, ("EUR", "BTC"))]
)
def test_currencies_are_one_unless_a_document_says_otherwise(given: dict[str, Any], codes: tuple[str, ...] | None) -> None:
    document = parse_document(DOCUMENT | given)
    assert document.currencies == codes
    assert document.adds_amounts
    assert compile_plan(DOCUMENT | given).currencies == (codes or ())
    assert not parse_document(DOCUMENT | given | {"features": [DOCUMENT["features"][COUNT]]}).adds_amounts


def test_something_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(Stop, match="FEATURE_DOCUMENT_INVALID"):
        parse_document(["features"])  # type: ignore[arg-type]


@pytest.mark.parametrize(("policy", "longs", "doubles"), [("handbook", 13, 9), ("transfers", 15, 4), ("workload_w", 36, 0)])
def test_shipped_documents_compile(policy: str, longs: int, doubles: int) -> None:
    plan = compile_plan(yaml.safe_load((POLICIES / policy / "features.yaml").read_text()))
    assert (plan.feature_set, len(plan.long_names), len(plan.double_names)) == (policy, longs, doubles)


def test_values_come_in_document_order_within_each_matrix() -> None:
    plan = compile_plan(DOCUMENT)
    assert plan.long_names[:3] == ("a_count", "a_sum", "a_merchants")
    assert plan.double_names == ("a_mean", "a_z", "a_z_now", "m_rate")
    assert plan.column("a_merchants") == ("long", 2)
    assert plan.column("m_rate") == ("double", 3)


def test_the_digest_follows_every_field_and_not_the_order_of_keys() -> None:
    plan, turned = compile_plan(DOCUMENT), compile_plan(dict(reversed(DOCUMENT.items())))
    assert plan.digest == turned.digest
    assert compile_plan(DOCUMENT | {"revision": "2"}).digest != plan.digest


def test_windows_of_one_entity_and_resolution_share_a_ring() -> None:
    account = compile_plan(DOCUMENT).entity_plans[0]
    assert len(account.rings) == len({"10s", "1s", "2s", "5s"})
    assert account.window_names[:3] == ("30s/10s", "50s/10s", "20s/10s")
