"""What users import to test their own rules and features: `from assay.testing import Simulation, kafka, postgres, until`."""

from __future__ import annotations

from assay.testing_simulation import Decision, Simulation, assay_simulation
from assay.testing_substrate import dsn, kafka, namespace, postgres, server_room, settings, until

__all__ = ["Decision", "Simulation", "assay_simulation", "dsn", "kafka", "namespace", "postgres", "server_room", "settings", "until"]
