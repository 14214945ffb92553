"""The bundle that READY is keyed by: what was verified of a world, and the policy that it was verified for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from assay.contracts.canonical import hex64


def bundle_hash(
    locators: Iterable[Mapping[str, Any]],
    gate_receipts: Iterable[Mapping[str, Any]],
    instance_receipts: Iterable[Mapping[str, Any]],
    policy_rev: Mapping[str, Any],
) -> str:
    """hex64 over the locators and receipts by their ids, in any order, and the revision of the policy."""
    return hex64(
        {
            "locators": {one["output_id"]: one for one in locators},
            "receipts": {one["gate_id"]: one for one in gate_receipts},
            "instance_receipts": {one["output_id"]: one for one in instance_receipts},
            "policy_rev": policy_rev,
        }
    )


def bundle_hash_of(facts_view: Mapping[str, Any]) -> str:
    """The hash over what a facts view says. Raises KeyError and TypeError for a document of another form."""
    receipts = facts_view.get("instance_receipts", ())
    return bundle_hash(facts_view["locators"], facts_view["gate_receipts"], receipts, facts_view["policy_rev"])
