"""Segment 6A as a value."""

from __future__ import annotations

from assay.contracts.gates import GateMethod
from assay.engine.entities.accounts import S2, S2_HOLDINGS
from assay.engine.entities.addresses import S4_DEMAND, S4_IPS, S4_LINKS
from assay.engine.entities.checks import CHECKS
from assay.engine.entities.devices import S4_DEVICES
from assay.engine.entities.instruments import S3
from assay.engine.entities.parties import S1, S1_SUMMARY
from assay.engine.entities.roles import S5
from assay.engine.entities.unowned_roles import S5_IPS, S5_MERCHANTS
from assay.engine.segment import Segment

#: files count in the order of the index
GATE = GateMethod("sha256_index_json_index_order_raw_bytes", "validation_bundle_index_6A.json", "items", lexical=False)
UPSTREAM = ("1A", "1B", "2A", "2B", "3A", "3B", "5A", "5B")
STATES = (S1, S1_SUMMARY, S2_HOLDINGS, S2, S3, S4_DEVICES, S4_DEMAND, S4_IPS, S4_LINKS, S5, S5_IPS, S5_MERCHANTS)
SEGMENT_6A = Segment("6A", 3, UPSTREAM, STATES, CHECKS, GATE)
