"""Labels of a file posted to a gate: in calls of many, repeated where that helps. What was posted before comes back as a duplicate."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import polars as pl

from assay.app.streamer.gate_client import GateClient
from assay.contracts import instants

LABELS_PATH = "/v1/labels"
LABELS_PER_CALL = 1_000


class RefusedLabel(NamedTuple):
    """A row whose label the gate refused."""

    row: int
    payment: str
    error: str
    detail: str
    remedy: str


class Posted(NamedTuple):
    """How many labels ended how, and the rows that were refused."""

    counts: Counter[str]
    refused: list[RefusedLabel]


async def post_labels(rows: pl.DataFrame, source: str, gate: GateClient, shown: Callable[[int], object]) -> Posted:
    """Post every row (see `label_rows`). `shown` is told how many are done. Raises as `GateClient.post`."""
    posted = Posted(Counter(), [])
    done = 0
    for part in rows.iter_slices(LABELS_PER_CALL):
        answer = await gate.post(LABELS_PATH, json.dumps(list(_bodies(part, source))).encode())
        posted.counts.update(answer["counts"])
        posted.refused.extend(_refused(part, answer["results"]))
        done += len(part)
        shown(done)
    return posted


def _bodies(part: pl.DataFrame, source: str) -> Iterator[dict[str, Any]]:
    for row in part.iter_rows(named=True):
        yield {"payment": row["payment"], "label": row["label"], "known_at": instants.text(row["known_us"]), "source": source}


def _refused(part: pl.DataFrame, results: list[dict[str, Any]]) -> Iterator[RefusedLabel]:
    for row, result in zip(part.iter_rows(named=True), results, strict=True):
        if result["admission"] == "QUARANTINE":
            yield RefusedLabel(row["row"], row["payment"], *(result[name] for name in ("error", "detail", "remedy")))
