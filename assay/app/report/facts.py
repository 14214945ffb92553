"""A report's facts as one value that JSON can hold: all that the terminal and the page show, under the names that the code has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel

from assay.app.report.quality import Quality
from assay.app.report.recheck import Held
from assay.app.report.summary import RunSummary


def facts_of(summary: RunSummary) -> dict[str, Any]:
    """Amounts are in minor units, with the exponent of their currency beside them; times are in microseconds since 1970, or RFC 3339."""
    verdicts = [{"what": what, "proven": proven, "figures": figures} for what, proven, figures in summary.verdicts]
    return {"verdicts": verdicts, "claim": summary.claim, "complete": summary.complete, **plain(summary)}


def plain(value: Any) -> Any:
    """Records as mappings, whatever they are made of."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value):
        return {field.name: plain(vars(value)[field.name]) for field in fields(value)}
    if isinstance(value, Quality | Held):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(one) for one in value]
    return value
