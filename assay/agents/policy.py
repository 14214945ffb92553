"""The policy in force as a step of the lane: each row gets the number of the revision that it is decided under.

It owns the table `policy`. Later steps view the revisions of the batch by their numbers. Nearly all batches have one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from assay.agents.batch import Batch, RefusedRow, Result, Rows, Step, Views
from assay.agents.plans import Plans
from assay.agents.policy_revision import Chain, Revision
from assay.codecs.columns import I64, Strings
from assay.codecs.kernel import frozen
from assay.codecs.table_state import TableState, state_refused
from assay.contracts.errors import Quarantine
from assay.tables.row_kinds import POLICY_REVISION

READS = ("kind", "document")
WRITES = ("policy.seq",)


class PolicyStep(Step):
    """Folds policy revisions in row order; a revision counts for its own row and the rows after it. A refused one changes nothing.

    State: the revision in force with its document, and the digests of those before it.
    """

    def __init__(self, plans: Plans, views: Views) -> None:
        self._run, self._features = plans.pins.platform_run_id, plans.features
        self._chain = Chain.of(plans)
        self._begun_with = self._chain
        self._of_batch: Mapping[int, Revision] = MappingProxyType({0: self._chain.in_force})

    def handle(self, batch: Batch) -> Result:
        kinds, first = np.asarray(batch.columns["kind"]), self._chain.in_force
        if POLICY_REVISION not in kinds.tobytes():
            if len(self._of_batch) > 1:
                self._of_batch = MappingProxyType({first.policy_seq: first})
            return Result({"policy.seq": _numbers((first.policy_seq,), (batch.rows,))})
        document = batch.columns["document"]
        assert isinstance(document, Strings)
        found, starts, refused = [first], [0], list[RefusedRow]()
        for row in np.flatnonzero((kinds == POLICY_REVISION) & batch.live).tolist():
            try:
                self._chain = self._chain.after(json.loads(document.row(row) or b""), self._features)
            except Quarantine as error:
                refused.append((row, error.reason, error.what))
                continue
            if self._chain.in_force is not found[-1]:
                found.append(self._chain.in_force)
                starts.append(row)
        self._of_batch = MappingProxyType({revision.policy_seq: revision for revision in found})
        counts = tuple(end - start for start, end in pairwise([*starts, batch.rows]))
        return Result({"policy.seq": _numbers(tuple(self._of_batch), counts)}, refused=refused)

    def tables(self) -> Mapping[str, Rows]:
        return {"policy": _InForce(self._run, self._chain)}

    def view(self, table: str) -> Any:
        """The revisions of the batch that is handled now, by `policy_seq`."""
        return {"policy": self._of_batch}[table]

    def state(self) -> TableState:
        now, digests = self._chain.in_force, self._chain.digests
        return TableState({"policy_seq": now.policy_seq, "document": now.document, "digests": [digest.hex() for digest in digests]})

    def restore(self, state: TableState) -> None:
        digests = tuple(bytes.fromhex(digest) for digest in state.header["digests"])
        seq, chain = state.header["policy_seq"], self._begun_with._replace(digests=digests)
        if digests[0] != self._begun_with.digests[0] or seq != len(digests) - 1:
            raise state_refused("is of a run that began with another policy")
        if seq:
            chain = chain.with_document(seq, state.header["document"], self._features)
        if chain.in_force.policy.digest != digests[-1]:
            raise state_refused("holds a policy document of another digest")
        self._chain, self._of_batch = chain, MappingProxyType({seq: chain.in_force})


class _InForce(NamedTuple):
    """The table `policy` for people: one row, by the id of the run."""

    run: str
    chain: Chain

    def row(self, key: str) -> dict[str, Any] | None:
        """Number, name, revision and digest of the policy in force, and the digests before it; None for another run."""
        policy = self.chain.in_force.policy
        told = {"policy_seq": self.chain.in_force.policy_seq, "policy_id": policy.policy_id, "revision": policy.revision}
        return {**told, "digests": [digest.hex() for digest in self.chain.digests]} if key == self.run else None


@lru_cache(16)
def _numbers(seqs: tuple[int, ...], counts: tuple[int, ...]) -> I64:
    """Each number so many times. Nobody may write to it: batches share it."""
    return frozen(np.array(seqs, np.int64).repeat(counts), np.int64)
