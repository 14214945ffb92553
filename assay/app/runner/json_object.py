"""JSON that somebody sends to the runner, as an object. What Python's reader takes silently is refused, as in documents that are files."""

from __future__ import annotations

import json
from typing import Any

from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason
from assay.contracts.strict_json import no_number, once


def object_of(data: bytes | str, where: str) -> dict[str, Any]:
    """The object that some JSON is; `where` names the JSON.

    Raises Quarantine(SCHEMA_FAIL) for what is not JSON or not an object, for a key given twice, and for NaN and Infinity.
    """
    try:
        value = json.loads(data, object_pairs_hook=once, parse_constant=no_number)
    except (ValueError, RecursionError) as error:
        raise Quarantine(Reason.SCHEMA_FAIL, f"the {where} is not JSON: {error}", where=where, remedy="Send JSON.") from None
    if not isinstance(value, dict):
        raise Quarantine(Reason.SCHEMA_FAIL, f"the {where} is not a JSON object", where=where, remedy="Send an object.")
    return value
