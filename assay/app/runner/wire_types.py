"""The messages of the gRPC interface as classes of protobuf, made at run time from the same model as the .proto file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

from assay.app.runner.wire_model import CALLS, FILE, PACKAGE, SERVICE, WireField, messages

_TYPES: Final = {"string": "TYPE_STRING", "int64": "TYPE_INT64", "bool": "TYPE_BOOL"}


@cache
def message_types() -> Mapping[str, Any]:
    """Name → class of every message."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file())
    return {one.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{one.name}")) for one in messages()}


def types_of(call: str) -> tuple[Any, Any]:
    """(request class, answer class) of a call by its name. Raises KeyError."""
    found = {one.name: one for one in CALLS}[call]
    return message_types()[found.request], message_types()[found.answer]


def path_of(call: str) -> str:
    """The path of a call on a channel."""
    return f"/{PACKAGE}.{SERVICE}/{call}"


def message_of(name: str, document: Mapping[str, Any]) -> Any:
    """A message from its document."""
    return json_format.ParseDict(dict(document), message_types()[name]())


def document_of(message: Any) -> dict[str, Any]:
    """The document of a message: fields that were set, and numbers as numbers. An empty list is left out."""
    return _plain(message, json_format.MessageToDict(message, preserving_proto_field_name=True))


def _plain(message: Any, told: dict[str, Any]) -> dict[str, Any]:
    """Protobuf writes an int64 as text in JSON; here it is a number again."""
    for field, value in message.ListFields():
        if field.cpp_type == field.CPPTYPE_INT64:
            told[field.name] = value
        elif field.message_type is not None:
            held = zip(value, told[field.name], strict=True) if isinstance(told[field.name], list) else [(value, told[field.name])]
            for inner, document in held:
                _plain(inner, document)
    return told


def _file() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name=FILE, package=PACKAGE, syntax="proto3")
    for one in messages():
        made = file.message_type.add(name=one.name)
        for number, field in enumerate(one.fields, start=1):
            _add(made, field, number)
    return file


def _add(made: Any, field: WireField, number: int) -> None:
    added = made.field.add(name=field.name, number=number)
    added.label = added.LABEL_REPEATED if field.repeated else added.LABEL_OPTIONAL
    if field.is_message:
        added.type, added.type_name = added.TYPE_MESSAGE, f".{PACKAGE}.{field.kind}"
        return
    added.type = descriptor_pb2.FieldDescriptorProto.Type.Value(_TYPES[field.kind])
    if not field.repeated:  # a field that is there and empty is told from one that is not there
        added.proto3_optional, added.oneof_index = True, len(made.oneof_decl)
        made.oneof_decl.add(name=f"_{field.name}")
