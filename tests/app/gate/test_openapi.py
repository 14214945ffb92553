"""The specification is that of the server: every call, every status, every code; and its examples are what the gate takes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from gate_events import NOW_US, SCOPE, examined, raw
from gate_process import run_in
from jsonschema import Draft202012Validator

from assay.app.gate.admission import Admissible
from assay.app.gate.answers import PATHS, STATUS, UNAVAILABLE, status_of
from assay.app.gate.examples import examples_of
from assay.app.gate.media_types import BATCH_TYPES
from assay.app.gate.openapi import codes, page, specification
from assay.app.gate.operations import ANYWHERE, OF_ITEMS, OPERATIONS
from assay.app.gate.process import build
from assay.app.gate.requests import mark_of
from assay.app.gate.run_names import RunNames
from assay.app.gate.short_forms import Short, label_of, payment_of, short_items
from assay.contracts.limits import BODY_BYTES_MAX, COLUMNS_MAX, HEADER_BYTES_MAX, HEADERS_MAX, ITEMS_MAX, NESTING_MAX
from assay.contracts.reasons import Reason

EXAMPLES = examples_of(SCOPE, ("customer", "terminal"), "EUR", NOW_US)
SPEC: dict[str, Any] = specification("1", EXAMPLES)
NAMES = RunNames(("customer", "terminal"))
DOCS = (Path(__file__).parents[3] / "docs" / "gate.md").read_text(encoding="utf-8")
ITEM_FIELDS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


def pointed(document: Any) -> list[str]:
    """Every reference inside."""
    if isinstance(document, dict):
        return [value for key, value in document.items() if key == "$ref"] + [one for child in document.values() for one in pointed(child)]
    return [one for child in document for one in pointed(child)] if isinstance(document, list) else []


def resolved(schema: Any) -> Any:
    """A schema that stands by itself."""
    return {**schema, "components": SPEC["components"]}


def schemas_of(call: dict[str, Any]) -> list[Any]:
    parts = [call.get("requestBody", {}), *call["responses"].values()]
    media = [one for part in parts for one in part.get("content", {}).values()]
    return [one["schema"] for one in media if "schema" in one]


def calls() -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, call) for path, methods in SPEC["paths"].items() for method, call in methods.items()]


def test_it_has_the_structure_of_openapi_3_1() -> None:
    assert re.fullmatch(r"3\.1\.\d+", SPEC["openapi"])
    assert {"title", "version"} <= set(SPEC["info"])
    names = [call["operationId"] for _, _, call in calls()]
    assert len(set(names)) == len(names)
    for method, path, call in calls():
        assert path.startswith("/")
        assert method in ITEM_FIELDS
        in_path = {one["name"] for one in call.get("parameters", []) if one["in"] == "path" and one["required"]}
        assert in_path == set(re.findall(r"\{(\w+)\}", path))
        assert all({"name", "in", "schema"} <= set(one) and one["in"] in ("query", "path", "header") for one in call.get("parameters", []))
        assert all(re.fullmatch(r"[1-5][0-9][0-9]", status) and one["description"] for status, one in call["responses"].items())
        assert all(set(one) <= set(SPEC["components"]["securitySchemes"]) for one in call.get("security", []))
        for schema in schemas_of(call):
            Draft202012Validator.check_schema(schema)
    for schema in SPEC["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for reference in pointed(SPEC):
        assert reference.removeprefix("#/components/schemas/") in SPEC["components"]["schemas"]
    json.dumps(SPEC, allow_nan=False)


def test_every_route_of_the_server_is_in_it_and_no_other(tmp_path: Path) -> None:
    gate = build(run_in(tmp_path, "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False))
    resources = [(route.method, route.resource.canonical) for route in gate.server.application().router.routes() if route.resource]
    assert {one for one in resources if one[0] != "HEAD"} == {(one.method, one.path) for one in OPERATIONS}
    assert {(method.upper(), path) for method, path, _ in calls()} == {(one.method, one.path) for one in OPERATIONS}
    told = {path.replace("EVENT_ID", "{event_id}") for path in PATHS}
    assert told == {one.path for one in OPERATIONS} - {"/v1/decisions"}
    for log in gate.reach.logs:
        log.close()


def test_every_answer_of_a_call_has_its_status_and_every_refusal_its_codes() -> None:
    for operation in OPERATIONS:
        responses = SPEC["paths"][operation.path][operation.method.lower()]["responses"]
        for reason in (*operation.refusals, *ANYWHERE):
            if reason is not Reason.PATH_UNKNOWN:
                assert reason.value in json.dumps(responses[str(status_of(reason))]), (operation.path, reason)
        assert {str(status) for status in operation.answers} <= set(responses)
        assert ("security" in SPEC["paths"][operation.path][operation.method.lower()]) == operation.keyed


def test_codes_and_statuses_are_those_of_the_page_about_the_gate() -> None:
    rows = [line.split("|")[1:-1] for line in DOCS.splitlines() if line.startswith("| `")]
    documented: dict[str, int | None] = {}
    for cells in rows:
        for code in re.findall(r"`([A-Z_]{6,})`", cells[0]):
            documented[code] = int(cells[1]) if len(cells) == 3 and cells[1].strip().isdigit() else documented.get(code)
    told = set(codes()) - {"INTERNAL"}
    assert told - set(documented) == set()
    of_calls = {*STATUS, *UNAVAILABLE, *(reason for one in OPERATIONS for reason in one.refusals)}
    assert {reason.value: documented[reason.value] for reason in of_calls} == {reason.value: status_of(reason) for reason in of_calls}
    assert of_calls | set(OF_ITEMS) | set(ANYWHERE) | {Reason.DUPLICATE} == {Reason(code) for code in told}


def test_every_type_of_a_body_that_a_call_takes_is_in_it_and_no_other() -> None:
    for operation in OPERATIONS:
        told = SPEC["paths"][operation.path][operation.method.lower()].get("requestBody", {}).get("content", {})
        taken = BATCH_TYPES if operation.path == "/v1/ingest/batch" else {"application/json"} if operation.method == "POST" else {}
        assert set(told) == set(taken)
        assert all("schema" in one for one in told.values())
        assert all(f"`{name}`" in DOCS for name in told)


def test_every_limit_is_in_it_and_on_the_page_about_the_gate() -> None:
    batch = SPEC["paths"]["/v1/ingest/batch"]["post"]["requestBody"]
    assert batch["content"]["application/json"]["schema"]["maxItems"] == ITEMS_MAX
    limits = (f"{BODY_BYTES_MAX:,}", f"{ITEMS_MAX:,}", str(HEADERS_MAX), f"{HEADER_BYTES_MAX >> 10} KiB", str(NESTING_MAX))
    told = batch["description"] + SPEC["info"]["description"]
    assert [limit for limit in limits if not re.search(rf"\b{limit}\b", told)] == []
    rows = [line for line in DOCS.splitlines() if (line.startswith("| ") and "_OVER_LIMIT" in line) or "NESTING_TOO_DEEP" in line]
    shown = " ".join(rows)
    assert [limit for limit in (*limits, f"{COLUMNS_MAX:,}") if not re.search(rf"\b{limit}\b", shown)] == []


@pytest.mark.parametrize(("name", "body"), EXAMPLES.items())
def test_every_example_is_of_its_schema_and_is_taken(name: str, body: Any) -> None:
    call = next(call for _, _, call in calls() if name.replace(" ", "_") in json.dumps(call.get("requestBody", {})))
    Draft202012Validator(resolved(call["requestBody"]["content"]["application/json"]["schema"])).validate(body)
    items = body if isinstance(body, list) else [body]
    if name == "mark":
        assert mark_of(raw(body), SCOPE, ["traffic"]).ts_us < NOW_US
        return
    if "envelope" not in name:
        read = label_of if "label" in name else payment_of
        found, _ = short_items(raw(body), read, SCOPE, NOW_US + 1, 10)
        items = [json.loads(item.envelope(NOW_US - 86_400_000_000)) for item in found if isinstance(item, Short)]
    examined_items = [examined(item, NAMES) for item in items]
    assert {type(item) for item in examined_items} == {Admissible}, examined_items


def test_the_first_examples_work_from_top_to_bottom() -> None:
    """Post a payment, ask for the decision on this payment, label it; then the rest."""
    first: list[tuple[str, Any]] = []
    for _, path, call in calls():
        body = call.get("requestBody", {}).get("content", {}).get("application/json", {}).get("examples", {})
        named = [one["example"] for one in call.get("parameters", []) if one["name"] == "event_id" and "example" in one]
        first += [(path, next(iter(body.values()))["value"] if body else named[0])] if body or named else []
    (_, payment), (_, decided), (_, label), (_, found) = first[:4]
    assert [path for path, _ in first[:4]] == ["/v1/payments", "/v1/decisions/{event_id}", "/v1/labels", "/v1/decisions"]
    assert payment["event_id"] == decided == label["payment"] == found
    assert first[-1][0] == "/v1/ingest/marks", "a mark is a promise about what comes after it"


def test_the_page_loads_nothing_and_holds_no_key() -> None:
    text = page().decode()
    assert not re.search(r"https?://|@import|url\(|<link|<img|src=", text)
    assert "X-IG-Api-Key" in text
    assert "localStorage" not in text
    assert re.search(r'type="password"[^>]*autocomplete="off"', text)
    assert "innerHTML" not in text, "what the gate answers is shown as text"
