"""Avro schemas of the bus: the current one of every record, all ever released, and the fingerprint that names each.

A released schema lies in `schemas/released/` under its fingerprint and stays there: whoever reads old bytes needs it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

CURRENT: Final = Path(__file__).parent / "schemas" / "avro"
RELEASED: Final = Path(__file__).parent / "schemas" / "released"

#: a schema: name of a type, a union, or a definition
Schema = str | list[Any] | dict[str, Any]
PRIMITIVES: Final = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})

_EMPTY: Final = 0xC15D213AA4D7A795
_FILE: Final = re.compile(r"(?P<record>[a-z_]+)\.v(?P<version>[0-9]+)\.avsc")


def paths() -> Mapping[str, Path]:
    """Record name → file of the schema written today (the highest version of the record), by name."""
    versions: dict[str, dict[int, Path]] = {}
    for path in CURRENT.glob("*.avsc"):
        found = _FILE.fullmatch(path.name)
        if found:
            versions.setdefault(found["record"], {})[int(found["version"])] = path
    return MappingProxyType({record: found[max(found)] for record, found in sorted(versions.items())})


@cache
def current() -> Mapping[str, dict[str, Any]]:
    """Record name → the schema written today, by name."""
    return MappingProxyType({record: _read(path) for record, path in paths().items()})


@cache
def released() -> Mapping[str, dict[str, Any]]:
    """Fingerprint as 16 hex digits → schema, for every writer schema ever released."""
    return MappingProxyType({path.stem: _read(path) for path in sorted(RELEASED.glob("*.avsc"))})


def fingerprint(schema: Schema) -> int:
    """CRC-64-AVRO of the schema's parsing canonical form, as an unsigned integer (Avro specification, Schema Fingerprints)."""
    value = _EMPTY
    table = _table()
    for byte in canonical_form(schema).encode():
        value = value >> 8 ^ table[(value ^ byte) & 0xFF]
    return value


def fingerprint_hex(schema: Schema) -> str:
    """The fingerprint as 16 hex digits, most significant first: the name of a released file."""
    return f"{fingerprint(schema):016x}"


def canonical_form(schema: Schema) -> str:
    """Parsing canonical form: full names, no documentation, defaults, aliases or logical types, attributes in fixed order."""
    return json.dumps(_form(schema, ""), separators=(",", ":"), ensure_ascii=False)


def _form(schema: Schema, space: str) -> Any:
    if isinstance(schema, str):
        return schema if schema in PRIMITIVES else full_name(schema, space)
    if isinstance(schema, list):
        return [_form(branch, space) for branch in schema]
    kind = schema["type"]
    if not isinstance(kind, str) or kind in PRIMITIVES:
        return _form(kind, space)
    if kind in ("array", "map"):
        inner = "items" if kind == "array" else "values"
        return {"type": kind, inner: _form(schema[inner], space)}
    name = full_name(schema["name"], schema.get("namespace", space))
    form: dict[str, Any] = {"name": name, "type": kind}
    if kind == "record":
        inside = name.rpartition(".")[0]
        form["fields"] = [{"name": field["name"], "type": _form(field["type"], inside)} for field in schema["fields"]]
    return form | {attribute: schema[attribute] for attribute in ("symbols", "size") if attribute in schema}


def full_name(name: str, space: str) -> str:
    """A name with its namespace, unless it has one or there is none."""
    return name if "." in name or not space else f"{space}.{name}"


@cache
def _table() -> tuple[int, ...]:
    values = []
    for start in range(256):
        value = start
        for _ in range(8):
            value = value >> 1 ^ (_EMPTY if value & 1 else 0)
        values.append(value)
    return tuple(values)


def _read(path: Path) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema
