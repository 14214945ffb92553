"""YAML documents that people write, read in one place: a key given twice is refused, where YAML's own reader takes the last."""

from __future__ import annotations

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
    except _GivenTwice as twice:
        raise Stop(reason, str(twice), where=where, remedy="Keep one of them.") from None
    except _NOT_YAML as error:
        raise Stop(reason, f"not YAML: {' '.join(str(error).split())}", where=where, remedy="Correct the syntax of the document.") from None
    if not isinstance(found, dict | None):
        what = f"the document holds a {type(found).__name__}, expected keys and values"
        raise Stop(reason, what, where=where, remedy="Write 'key: value' lines.")
    return found or {}


#: what YAML's reader raises, and what Python does where it makes a value of text: a day that no calendar has, a number without digits,
#: a truth value of other words, nesting without end
_NOT_YAML = (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


class _GivenTwice(Exception):
    """One mapping of a document gives a key twice."""


class _Reader(yaml.SafeLoader):
    """YAML's safe reader. Keys are compared as they are written, before `<<` adds those that they may override."""

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            name, line = (key.tag, key.value), key.start_mark.line + 1
            if name in lines:
                raise _GivenTwice(f"line {line}: the key '{key.value}' is given a second time, first in line {lines[name]}")
            lines[name] = line
        return node
