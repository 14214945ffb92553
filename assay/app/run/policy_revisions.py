"""The policy revisions of a run as its store keeps them: object n is the n-th change, created once and published afterwards.

A lane does not read them: it has the documents from its journal. They say which revision the next one follows, and people read in them the
rules that were in force.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from assay.app.run.directory import RunConfig
from assay.app.stores.objects import ObjectExists, ObjectStore
from assay.contracts.canonical import canonical, document_digest
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

FOLDER: Final = "run/policy_revisions"


class PolicyRevision(NamedTuple):
    """A change of the policy. `document`: the rules as canonical JSON; digests are hex. It counts from event time `ts_us` on.

    Under `arrival`, and where the lane has passed that time, it counts from the next row on. `activated_us` is wall time.
    """

    policy_seq: int
    policy_id: str
    revision: str
    content_digest: str
    follows: str
    document: str
    ts_us: int
    activated_us: int
    actor: str
    reason: str

    @property
    def key(self) -> str:
        """Its object."""
        return f"{FOLDER}/{self.policy_seq:06d}.json"


def keep(store: ObjectStore, made: PolicyRevision) -> None:
    """Write a revision, once. Raises Retry(POLICY_ACTIVATION_BUSY) when another one has its number."""
    data = canonical(made._asdict()) + b"\n"
    try:
        store.create(made.key, data)
    except ObjectExists:
        if store.read(made.key) != data:
            raise busy(made.key) from None


def kept(store: ObjectStore) -> list[PolicyRevision]:
    """The revisions of a run, in order. Raises Stop(RUN_RECORD_DAMAGED)."""
    found: list[PolicyRevision] = []
    for key in store.keys(FOLDER):
        try:
            one = PolicyRevision(**json.loads(store.read(key)))
            whole = (
                one.key == key
                and one.policy_seq == len(found) + 1
                and document_digest(json.loads(one.document)).hex() == one.content_digest
            )
        except (ValueError, TypeError, RecursionError):
            whole = False
        if not whole:
            remedy = "Restore the object from a copy; the decisions themselves are not touched."
            raise Stop(Reason.RUN_RECORD_DAMAGED, "a policy revision of the run cannot be read", where=key, remedy=remedy)
        found.append(one)
    return found


def rules_of(store: ObjectStore, config: RunConfig, content_digest: bytes) -> Mapping[str, Any]:
    """The rules document with this digest; that of the run's configuration where no revision of the run has it."""
    if document_digest(config.policy) != content_digest:
        with suppress(Stop):
            for one in kept(store):
                if one.content_digest == content_digest.hex():
                    document: dict[str, Any] = json.loads(one.document)
                    return document
    return config.policy


def busy(where: str) -> Retry:
    """The refusal while another process changes the policy."""
    what = "another process changes the policy of this run"
    return Retry(Reason.POLICY_ACTIVATION_BUSY, what, where=where, remedy="Ask again; nothing is done twice.")
