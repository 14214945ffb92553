"""Payments that came into a live run: what its receipts and its traffic topic say together. They are the report's denominator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from assay.agents.step import Chunk
from assay.app.bus.topic_reader import read_topic
from assay.app.gate.policy import TRAFFIC
from assay.app.gate.receipts import RECEIPTS, spool_of
from assay.app.run.directory import Run
from assay.codecs.avro_decode import decode
from assay.codecs.columns import Strings
from assay.codecs.single_object import HEADER_BYTES, plan_of, resolve, split, type_index
from assay.contracts import handles

_EVENT_ID = frozenset({"event_id"})


class _Receipt(msgspec.Struct):
    """What a receipt's line says that is asked for here."""

    decision: str
    event_class: str
    event_id: str


_LINES = msgspec.json.Decoder(_Receipt)


def admitted_triggers(run: Run, properties: Mapping[str, str] | None = None) -> int:
    """Distinct payments with a receipt, or on the topic without one: a gate that was killed may have published before it wrote.

    A receipt whose payment is not on the topic counts too, so that a lost payment shows as one that was not decided.
    """
    found = set(_receipted(run))
    for chunk in read_topic(run.bootstrap, handles.TRAFFIC, run.namespace, properties):
        found.update(_triggers(chunk))
    return len(found)


def _receipted(run: Run) -> Iterator[str]:
    """Event ids of admitted payments, also from lines that are not sealed yet."""
    spool = spool_of(run.directory, RECEIPTS)
    sealed = (run.store.read(key) for key in run.store.keys(RECEIPTS))
    for data in (*([spool.read_bytes()] if spool.exists() else []), *sealed):
        whole = data[: data.rfind(b"\n") + 1]  # a line that a crash has torn was never acknowledged
        for receipt in _LINES.decode_lines(whole):
            if receipt.decision == "ADMIT" and receipt.event_class == TRAFFIC:
                yield receipt.event_id


def _triggers(chunk: Chunk) -> Iterator[str]:
    """Event ids of the payments in a chunk; what is neither payment nor mark goes by its place, as the lane's dead letters do."""
    values = resolve(chunk.values)
    types = split(values)
    decoded = decode(plan_of("payment", _EVENT_ID), values.data, values.starts, values.lengths, HEADER_BYTES)
    ids = decoded.columns["event_id"]
    assert isinstance(ids, Strings)
    readable = (types == type_index("payment")) & (decoded.verdict == 0)
    yield from (event_id or "" for event_id in ids.take(np.flatnonzero(readable)).text())
    others = ~readable & (types != type_index("mark")) & (values.lengths >= 0)
    yield from (f"{chunk.tp}@{offset}" for offset in chunk.offsets[others].tolist())
