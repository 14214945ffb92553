"""The messages and calls of the gRPC interface, made of the contract types: JSON Schemas of documents, and the answers.

A field has the number of its place in its type. A new field goes to the end of its type, so that numbers stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, get_type_hints

from assay.app.runner.answers import POLICY_NAME, Activation, ReemitAnswer, RunAnswer
from assay.contracts.errors import refusal_fields
from assay.contracts.json_schema import schema

PACKAGE: Final = "assay.sr.v1"
SERVICE: Final = "ScenarioRunner"
FILE: Final = "scenario_runner.proto"
_SCALARS: Final = {"string": "string", "integer": "int64", "boolean": "bool"}


class WireField(NamedTuple):
    """`kind`: string, int64, bool, or the name of a message."""

    name: str
    kind: str
    repeated: bool = False

    @property
    def is_message(self) -> bool:
        """Whether its value is a message."""
        return self.kind not in _SCALARS.values()


class WireMessage(NamedTuple):
    """A message with its fields in the order of their numbers, from 1."""

    name: str
    fields: tuple[WireField, ...]


class WireCall(NamedTuple):
    """A call of the service with the names of its two messages."""

    name: str
    request: str
    answer: str
    about: str


CALLS: Final = (
    WireCall("Submit", "RunRequest", "RunAnswer", "bring a run to READY as far as it comes, or say how far it is"),
    WireCall("Supersede", "SupersedeRequest", "RunAnswer", "the same for a run that supersedes another one"),
    WireCall("Show", "RunId", "RunAnswer", "how a run stands"),
    WireCall("Reemit", "ReemitRequest", "ReemitAnswer", "say again what a run said"),
    WireCall("ActivatePolicy", "PolicyActivation", "Activation", "change the rules of a run; documents are texts of JSON"),
    WireCall("ListQuarantined", "Nothing", "QuarantineNotices", "runs that were set aside"),
    WireCall("ShowQuarantined", "RunId", "QuarantineNotice", "one of them, with its fault"),
)


def messages() -> tuple[WireMessage, ...]:
    """All messages, each behind those that it holds."""
    return (
        *_of_document("RunRequest", "sr_run_request.v1"),
        WireMessage("SupersedeRequest", (WireField("run_id", "string"), WireField("request", "RunRequest"))),
        *_of_document("ReemitRequest", "sr_reemit_request.v1"),
        WireMessage("RunId", (WireField("run_id", "string"),)),
        WireMessage("Nothing", ()),
        _of_answer("RunAnswer", RunAnswer),
        _of_answer("ReemitAnswer", ReemitAnswer),
        *_of_document("PolicyActivation", "sr_policy_activation.v1"),
        WireMessage("PolicyName", tuple(WireField(name, "string") for name in POLICY_NAME)),
        _of_answer("Activation", Activation),
        *_of_document("QuarantineNotice", "sr_quarantine.v1"),
        WireMessage("QuarantineNotices", (WireField("notices", "QuarantineNotice", repeated=True),)),
        WireMessage("Refusal", tuple(WireField(name, "string") for name in refusal_fields("", "", "", ""))),
    )


def proto() -> str:
    """The interface as a .proto file, for programs in any language."""
    calls = "\n".join(f"  // {call.about}\n  rpc {call.name}({call.request}) returns ({call.answer});" for call in CALLS)
    told = "\n\n".join(_text(message) for message in messages())
    head = "// The Scenario Runner over gRPC. Made of the contract types by `assay contracts docs`: change them, not this file."
    return f'{head}\nsyntax = "proto3";\n\npackage {PACKAGE};\n\nservice {SERVICE} {{\n{calls}\n}}\n\n{told}\n'


def _text(message: WireMessage) -> str:
    if not message.fields:
        return f"message {message.name} {{}}"
    lines = [f"  {_label(field)}{field.kind} {field.name} = {number};" for number, field in enumerate(message.fields, start=1)]
    return "\n".join([f"message {message.name} {{", *lines, "}"])


def _label(field: WireField) -> str:
    return "repeated " if field.repeated else "" if field.is_message else "optional "


def _of_answer(name: str, answer: type) -> WireMessage:
    known: dict[Any, tuple[str, bool]] = {
        str: ("string", False),
        bool: ("bool", False),
        int: ("int64", False),
        tuple[str, ...]: ("string", True),
        Mapping[str, str]: ("PolicyName", False),
    }
    return WireMessage(name, tuple(WireField(field, *known[hint]) for field, hint in get_type_hints(answer).items()))


def _of_document(name: str, document: str) -> Iterator[WireMessage]:
    """The message of a schema behind those of its inner objects, which have the names of their fields."""
    whole = schema(document)
    yield from _of_object(name, whole["properties"], whole["$defs"])


def _of_object(name: str, properties: Mapping[str, Any], defs: Mapping[str, Any]) -> Iterator[WireMessage]:
    fields = []
    for field, node in properties.items():
        found = _resolved(node, defs)
        repeated = found["type"] == "array"
        inner = _resolved(found["items"], defs) if repeated else found
        if inner.keys() == {"type"} and inner["type"] == "object":
            kind = "string"  # a document as a text of JSON
        elif inner["type"] == "object":
            kind = "".join(part.capitalize() for part in field.split("_"))
            forms = inner.get("oneOf", [inner])
            yield from _of_object(kind, {key: value for form in forms for key, value in form["properties"].items()}, defs)
        else:
            kind = _SCALARS[inner["type"]]
        fields.append(WireField(field, kind, repeated))
    yield WireMessage(name, tuple(fields))


def _resolved(node: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    return _resolved(defs[node["$ref"].rpartition("/")[2]], defs) if "$ref" in node else node
