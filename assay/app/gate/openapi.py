"""The specification of the gate's HTTP calls, OpenAPI 3.1: schemas from the types that read bodies, codes from `operations`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec

from assay.agents.faust_shell.web_refusals import INTERNAL
from assay.app.gate.answer_types import DecideAnswer, Decision, HealthState, Known, Live, Marked, Outcome, Outcomes, Refusal
from assay.app.gate.answers import status_of
from assay.app.gate.border import ContextPayload, Envelope, LabelPayload, PaymentPayload
from assay.app.gate.openapi_media import other_media
from assay.app.gate.operations import ANYWHERE, OF_ITEMS, OPERATIONS, Answered, Operation
from assay.app.gate.requests import MarkBody
from assay.app.gate.row_payloads import ROWS
from assay.app.gate.service_token import SIGNED_HEADER
from assay.app.gate.short_forms import LabelBody, PaymentBody
from assay.contracts.api_key import KEY_HEADER
from assay.contracts.limits import BODY_BYTES_MAX, HEADER_BYTES_MAX, HEADERS_MAX, ITEMS_MAX, NESTING_MAX
from assay.contracts.pins import PIN_NAMES
from assay.contracts.reasons import Reason

KEY, BEARER, SIGNED, CLIENT = "key", "bearer", "signed", "client"
#: ways to say who calls, each by itself
SCHEMES: Final = {
    KEY: {"type": "apiKey", "in": "header", "name": KEY_HEADER, "description": "the key of the run, or a key of an actor"},
    BEARER: {"type": "http", "scheme": "bearer", "description": "the same key as a token"},
    SIGNED: {
        "type": "apiKey",
        "in": "header",
        "name": SIGNED_HEADER,
        "description": "a service token",
    },
    CLIENT: {"type": "mutualTLS", "description": "a client's certificate, where the gate speaks TLS and knows an authority of clients"},
}
_TYPES: Final = (PaymentBody, LabelBody, MarkBody, Envelope, PaymentPayload, ContextPayload, LabelPayload, *ROWS.values())
_ANSWERS: Final = (Outcome, Outcomes, Refusal, Decision, DecideAnswer, Marked, HealthState, Known, Live)
_REF: Final = "#/components/schemas/{name}"
_ABOUT: Final = (
    "Payments, labels and other events come in here, and decisions are asked for here. Every refusal has one shape: code, what, where, "
    f"remedy. A body has at most {BODY_BYTES_MAX >> 20} MiB, also when it is unpacked; it may be packed by gzip, deflate or zstd "
    f"(Content-Encoding). It is JSON in UTF-8 where nothing else is listed; an array has at most {ITEMS_MAX:,} items, and an item nests at "
    f"most {NESTING_MAX} deep. A call has at most {HEADERS_MAX} headers of {HEADER_BYTES_MAX >> 10} KiB. "
    "With an event_id of your own a call may be repeated: what was admitted comes back as a duplicate."
)


_LIMITS: Final = f"at most {BODY_BYTES_MAX:,} bytes, packed or unpacked, and {ITEMS_MAX:,} items"


def specification(version: str, examples: Mapping[str, Any]) -> dict[str, Any]:
    """The whole document. `examples` is name → body, of the run that the gate is for (see `examples.examples_of`, `row_examples`)."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, examples)
    return {
        "openapi": "3.1.0",
        "info": {"title": "assay gate", "version": version, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": SCHEMES,
        },
    }


def codes() -> list[str]:
    """Every code that the gate can answer."""
    reasons = {*ANYWHERE, *OF_ITEMS, *(reason for operation in OPERATIONS for reason in operation.refusals)}
    return sorted([INTERNAL, Reason.DUPLICATE.value, *(reason.value for reason in reasons)])


@cache
def page() -> bytes:
    """The page from which calls can be tried. It reads the specification from the gate that gives it out, and nothing from elsewhere."""
    return (resources.files("assay.app.gate") / "docs_page.html").read_bytes()


def _schemas() -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components([*_TYPES, *_ANSWERS], ref_template=_REF)
    made: dict[str, Any] = dict(schemas)
    envelope = made["Envelope"]
    envelope["properties"]["payload"] = {"anyOf": [_ref(one) for one in (PaymentPayload, ContextPayload, LabelPayload, *ROWS.values())]}
    envelope["required"] = [*envelope["required"], "schema_version", *PIN_NAMES]
    envelope["description"] = "An event with everything around it. `run_id` may be left out of a label alone."
    made["Refusal"]["properties"]["error"]["enum"] = codes()
    made["Outcome"]["properties"]["error"] |= {
        "enum": sorted(
            reason.value for reason in (*OF_ITEMS, Reason.PUBLISH_AMBIGUOUS, Reason.ADMISSION_IN_FLIGHT, Reason.ADMISSION_AMBIGUOUS)
        )
    }
    return made


def _operation(operation: Operation, examples: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"operationId": operation.name, "summary": operation.summary}
    if operation.keyed:
        made["security"] = [{scheme: []} for scheme in SCHEMES]
    posted = next(body["event_id"] for body in examples.values() if "event_id" in body)
    parameters = [_parameter(name, meaning, operation, posted) for name, meaning in operation.query.items()]
    parameters += [{"name": name, "in": "header", "required": False, "schema": dict(form)} for name, form in operation.headers.items()]
    if "{event_id}" in operation.path:
        parameters.append({"name": "event_id", "in": "path", "required": True, "schema": {"type": "string"}, "example": posted})
    if parameters:
        made["parameters"] = parameters
    if operation.method == "POST":
        shown = {name.replace(" ", "_"): {"summary": name, "value": examples[name]} for name in operation.examples if name in examples}
        content = {"application/json": {"schema": _body(operation), "examples": shown}, **other_media(operation.media)}
        made["requestBody"] = {"required": True, "description": _LIMITS, "content": content}
    made["responses"] = _responses(operation)
    return made


def _parameter(name: str, meaning: str, operation: Operation, posted: str) -> dict[str, Any]:
    form: dict[str, Any] = {"type": "string", "enum": ["all", "exceptions"]} if name == "results" else {"type": "string"}
    required = name == "event_id" and operation.path == "/v1/decisions"
    example = {"example": posted} if name == "event_id" and operation.path == "/v1/decisions" else {}
    return {"name": name, "in": "query", "required": required, "description": meaning, "schema": form, **example}


def _body(operation: Operation) -> dict[str, Any]:
    one = None if operation.one is None else _ref(operation.one)
    many = None if operation.many is None else {"type": "array", "maxItems": ITEMS_MAX, "items": _ref(operation.many)}
    forms = [form for form in (one, many) if form is not None]
    return forms[0] if len(forms) == 1 else {"oneOf": forms}


def _responses(operation: Operation) -> dict[str, Any]:
    by_status: dict[int, list[Reason]] = {}
    for reason in (*operation.refusals, *ANYWHERE):
        if reason is not Reason.PATH_UNKNOWN:  # of no path that is in here
            by_status.setdefault(status_of(reason), []).append(reason)
    made = {str(status): _refusal(status, reasons) for status, reasons in by_status.items()}
    made["500"] = {"description": f"the gate itself failed: {INTERNAL}", "content": _json(_ref(Refusal))}
    for status, answer in operation.answers.items():
        other = made.get(str(status))
        made[str(status)] = _answer(answer) if other is None else _either(_answer(answer), other)
    return dict(sorted(made.items()))


def _refusal(status: int, reasons: list[Reason]) -> dict[str, Any]:
    form = {"allOf": [_ref(Refusal), {"properties": {"error": {"enum": sorted(reason.value for reason in reasons)}}}]}
    made: dict[str, Any] = {"description": ", ".join(reason.value for reason in reasons), "content": _json(form)}
    again = ("Retry-After", "seconds; of what may be sent again")
    headers = {404: again, 405: ("Allow", "methods of this path"), 429: again, 503: again}
    if status in headers:
        name, meaning = headers[status]
        made["headers"] = {name: {"description": meaning, "schema": {"type": "string"}}}
    return made


def _answer(answer: Answered) -> dict[str, Any]:
    if answer.type is None:
        return {"description": answer.meaning, "content": {"text/plain" if "text" in answer.meaning else "text/html": {}}}
    schema = {"type": "object"} if answer.type is dict else _form(answer.type)
    return {"description": answer.meaning, "content": _json(schema)}


def _form(of: Any) -> dict[str, Any]:
    return {"anyOf": [_ref(one) for one in of]} if isinstance(of, tuple) else _ref(of)


def _either(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    forms = [part["content"]["application/json"]["schema"] for part in (one, other)]
    return {"description": f"{one['description']}; or {other['description']}", "content": _json({"anyOf": forms})}


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _ref(of: Any) -> dict[str, Any]:
    return {"$ref": _REF.format(name=of.__name__)}
