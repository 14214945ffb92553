"""An Avro schema as a tree of nodes with names resolved: what both directions of the codec are compiled from."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

Schema: TypeAlias = str | Mapping[str, Any] | list[Any]


class Op(IntEnum):
    """What an instruction does. Nodes use the same numbers."""

    SKIP = 0
    LONG = 1
    INT = 2
    BOOLEAN = 3
    DOUBLE = 4
    FLOAT = 5
    STRING = 6
    BYTES = 7
    FIXED = 8
    ENUM = 9
    OPTION = 10
    ARRAY = 11
    END = 12
    RECORD = 13
    SPLICE = 14
    LONGS = 15
    DOUBLES = 16


PRIMITIVES = {
    "long": Op.LONG,
    "int": Op.INT,
    "boolean": Op.BOOLEAN,
    "double": Op.DOUBLE,
    "float": Op.FLOAT,
    "string": Op.STRING,
    "bytes": Op.BYTES,
}
TEXTS = (Op.STRING, Op.BYTES)


class Node(NamedTuple):
    """One type at one place. `path` is relative to the row it belongs to: the record, or the item of a list.

    `size` is the width of a fixed, the number of symbols of an enum, or the branch of null in an option.
    `parts` are fields of a record, the type of an option, or what an item of a list holds.
    """

    op: Op
    path: str
    size: int = 0
    parts: tuple[Node, ...] = ()


def parse(schema: Schema) -> Node:
    """The tree of a record schema. Raises Stop(SCHEMA_UNSUPPORTED) naming the type and its path."""
    node = _Parser().node(schema, "", "")
    if node.op is not Op.RECORD:
        raise _unsupported("the outermost type must be a record", "")
    return node


class _Parser:
    """Names seen so far, by full name; a name being defined maps to None, which is how recursion shows."""

    def __init__(self) -> None:
        self.named: dict[str, tuple[Mapping[str, Any], str] | None] = {}

    def node(self, schema: Schema, path: str, space: str) -> Node:
        """The node for one schema at one path, with the enclosing namespace."""
        if isinstance(schema, list):
            return self._option(schema, path, space)
        if isinstance(schema, str):
            return Node(PRIMITIVES[schema], path) if schema in PRIMITIVES else self._reference(schema, path, space)
        kind = schema["type"]
        if kind in ("record", "fixed", "enum"):
            return self._definition(schema, path, space)
        if kind == "array":
            item = self.node(schema["items"], "", space)
            return self._list(path, (_named(item, "item"),))
        if kind == "map":
            value = self.node(schema["values"], "value", space)
            return self._list(path, (Node(Op.STRING, "key"), value))
        return self.node(kind, path, space)

    def _list(self, path: str, parts: tuple[Node, ...]) -> Node:
        if not any(_takes_bytes(part) for part in parts):
            raise _unsupported("a list of items without bytes has no bound on its length", path)
        return Node(Op.ARRAY, path, 0, parts)

    def _option(self, branches: list[Any], path: str, space: str) -> Node:
        if len(branches) != 2 or branches.count("null") != 1:
            raise _unsupported(f"union {branches!r} is not null and one other type", path)
        null = branches.index("null")
        return Node(Op.OPTION, path, null, (self.node(branches[1 - null], path, space),))

    def _reference(self, name: str, path: str, space: str) -> Node:
        full = name if "." in name or not space else f"{space}.{name}"
        known = self.named.get(full, self.named.get(name))
        if known is None:
            raise _unsupported(f"type {name!r} is unknown or refers to itself", path)
        definition, outer = known
        return self._build(definition, path, outer)

    def _definition(self, schema: Mapping[str, Any], path: str, space: str) -> Node:
        name = str(schema["name"])
        outer = name.rpartition(".")[0] or schema.get("namespace", space)
        full = name if "." in name or not outer else f"{outer}.{name}"
        self.named[full] = None
        node = self._build(schema, path, outer)
        self.named[full] = (schema, outer)
        return node

    def _build(self, schema: Mapping[str, Any], path: str, space: str) -> Node:
        if schema["type"] == "fixed":
            return Node(Op.FIXED, path, int(schema["size"]))
        if schema["type"] == "enum":
            return Node(Op.ENUM, path, len(schema["symbols"]))
        prefix = f"{path}." if path else ""
        fields = tuple(self.node(field["type"], prefix + field["name"], space) for field in schema["fields"])
        return Node(Op.RECORD, path, 0, fields)


def _named(item: Node, name: str) -> Node:
    """A list's item that is no record is a child column called `name`."""
    if item.op is Op.RECORD:
        return item
    parts = tuple(_named(part, name) for part in item.parts) if item.op is Op.OPTION else item.parts
    if item.op is Op.OPTION and item.parts[0].op is Op.RECORD:
        raise _unsupported("a list of nullable records has no column for the null", item.path)
    return item._replace(path=name, parts=parts)


def _takes_bytes(node: Node) -> bool:
    if node.op is Op.FIXED:
        return node.size > 0
    return any(_takes_bytes(part) for part in node.parts) if node.op is Op.RECORD else True


def _unsupported(what: str, path: str) -> Stop:
    return Stop(Reason.SCHEMA_UNSUPPORTED, what, where=path, remedy="Use a type the column codec compiles.")
