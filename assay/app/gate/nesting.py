"""How deep JSON text nests. It is looked at only where an item or a body is refused anyway: what is admitted has three levels."""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar

import msgspec
import numpy as np

from assay.contracts.errors import Quarantine
from assay.contracts.limits import NESTING_MAX
from assay.contracts.reasons import Reason

_TEXT: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
R = TypeVar("R")
_OPEN, _CLOSE = b"[{", b"]}"
_OTHERS: Final = bytes(set(range(256)) - set(_OPEN + _CLOSE))
#: bracket → whether it goes one deeper or one back
_STEP: Final = np.array([(byte in _OPEN) - (byte in _CLOSE) for byte in range(256)], np.int8)
#: brackets that are added up at a time
_PART: Final = 1 << 20


def check_nesting(raw: bytes, nesting_max: int = NESTING_MAX) -> None:
    """Raises Quarantine(NESTING_TOO_DEEP) for more than so many objects and lists inside of each other, whole text or not."""
    if is_deep(raw, nesting_max):
        what, remedy = f"it nests more than {nesting_max} objects and lists", "Send the fields of the event, which nest three deep."
        raise Quarantine(Reason.NESTING_TOO_DEEP, what, where="$", remedy=remedy)


def deep_first(refused: R) -> R:
    """A refused item, which has its bytes as `raw`. Depth is the first thing to be said of it; it is looked at last, because no item that
    is taken is deep."""
    item: Any = refused
    try:
        check_nesting(item.raw)
    except Quarantine as deep:
        item = msgspec.structs.replace(item, reason=deep.reason, detail=deep.what, where=deep.where, remedy=deep.remedy)
    told: R = item
    return told


def is_deep(raw: bytes, nesting_max: int) -> bool:
    """Whether more than so many brackets are open at one place outside of texts."""
    if raw.count(b"[") + raw.count(b"{") <= nesting_max:
        return False
    brackets = np.frombuffer(_TEXT.sub(b"", raw).translate(None, _OTHERS), np.uint8)
    steps = _STEP[brackets]
    depth = 0
    for at in range(0, len(steps), _PART):
        depths = depth + np.cumsum(steps[at : at + _PART], dtype=np.int64)
        if int(depths.max()) > nesting_max:
            return True
        depth = int(depths[-1])
    return False
