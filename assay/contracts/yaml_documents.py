"""YAML documents that people write, read in one place. What YAML's own reader takes silently is refused: the last of two equal
keys, and numbers that are not what they look like."""

from __future__ import annotations

import re
from typing import Any

import yaml

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def read_document(text: str | bytes, reason: Reason, where: str) -> dict[str, Any]:
    """The keys and values of a document; an empty one has none. `where` names it to its writer.

    Raises Stop(reason), with the line, for text that is not YAML, for a key given twice and for anything but keys and values.
    """
    try:
        found = _Reader(text).get_single_data()
    except _Ambiguous as two:
        raise Stop(reason, two.what, where=where, remedy=two.remedy) from None
    except _NOT_YAML as error:
        raise Stop(reason, f"not YAML: {' '.join(str(error).split())}", where=where, remedy="Correct the syntax of the document.") from None
    if not isinstance(found, dict | None):
        what = f"the document holds a {type(found).__name__}, expected keys and values"
        raise Stop(reason, what, where=where, remedy="Write 'key: value' lines.")
    return found or {}


#: what YAML's reader raises, and what Python does where it makes a value of text: a day that no calendar has, a number without digits,
#: a truth value of other words, nesting without end
_NOT_YAML = (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


class _Ambiguous(Exception):
    """Something that YAML reads without a word, and that its writer may not have meant."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


class _Reader(yaml.SafeLoader):
    """YAML's safe reader. Keys are compared as they are written, before `<<` adds those that they may override."""

    def __init__(self, stream: str | bytes) -> None:
        super().__init__(stream)
        self._begun: list[object] = []

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """A value that stands within itself has no end."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # so are its stubs
        if isinstance(event, yaml.AliasEvent) and event.anchor in self._begun:
            line = event.start_mark.line + 1  # type: ignore[union-attr]  # whatever is read has marks
            raise _Ambiguous(f"line {line}: *{event.anchor} stands within &{event.anchor} itself", "Write out the value that is meant.")
        self._begun.append(event.anchor if isinstance(event, yaml.CollectionStartEvent) else None)
        node = super().compose_node(parent, index)
        self._begun.pop()
        return node

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            name, line = (key.tag, key.value), key.start_mark.line + 1
            if name in lines:
                what = f"line {line}: the key '{key.value}' is given a second time, first in line {lines[name]}"
                raise _Ambiguous(what, "Keep one of them.")
            lines[name] = line
        return node

    def compose_scalar_node(self, anchor: dict[Any, yaml.Node]) -> yaml.ScalarNode:
        """YAML 1.1 reads 010 as eight and 1:30 as ninety."""
        node = super().compose_scalar_node(anchor)
        if node.tag in _NUMBERS and (":" in node.value or _OCTAL.fullmatch(node.value)):
            remedy = f"Write '{node.value}' in quotation marks for text, or the number in plain digits."
            raise _Ambiguous(f"line {node.start_mark.line + 1}: YAML reads {node.value} as {_value(node)}", remedy)
        return node


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_OCTAL = re.compile(r"[-+]?0[0-7_]+")


def _value(node: yaml.ScalarNode) -> object:
    return yaml.SafeLoader("").construct_object(node)
