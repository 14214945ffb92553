"""The digest that receipts have of the gate's policy covers all that decides what is admitted and where it goes."""

from __future__ import annotations

import pytest

from assay.app.gate.policy import AdmissionPolicy, shipped_admission_policy

#: revision → digests of the shipped policy for a run of payments, and of each traffic. Another digest needs another revision
SHIPPED = {
    "3": {
        "": "4adeba1b94a78f74edd051dbb2f5ad89daaa32144786ccd2581a968b07bbbae9",
        "baseline": "7000777d024783cbbba7ea30bc2f5d5c352dc365bf7aa2074f7a425bd5168217",
        "fraud": "2750b57a958d91211f603805cfad6e44270f222958503e478f0592f507046ec4",
    }
}


@pytest.mark.parametrize("traffic", ["", "baseline", "fraud"])
def test_a_change_of_policy_class_map_or_key_rules_is_a_new_revision(traffic: str) -> None:
    policy = shipped_admission_policy(traffic)
    assert SHIPPED[policy.revision["revision"]][traffic] == policy.digest


def test_document_class_map_and_key_rules_are_covered() -> None:
    policy = shipped_admission_policy()
    assert policy.covered["schema_policy"] == policy.document
    assert policy.covered["class_map"]["transaction"] == {
        "event_class": "traffic", "handle": "FP_BUS_TRAFFIC_FRAUD_V1", "record": "payment", "needs_run_id": True,
        "pins": sorted(policy.events["transaction"].required_pins),
    }  # fmt: skip
    assert policy.covered["partitioning"]["FP_BUS_TRAFFIC_FRAUD_V1"] == {
        "payment": "entity",
        "flow_event": "flow_id",
        "mark": "every_partition",
    }
    other = AdmissionPolicy({**policy.document, "future_tolerance": "6min"})
    assert other.digest != policy.digest
