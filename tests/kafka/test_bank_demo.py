"""`assay demo --world` in one call: a bank's own rows and labels are admitted, then its payments are decided and proven."""

from __future__ import annotations

from pathlib import Path

import pytest
from assay_command import assay

from assay.app.report.evidence import ReplayEvidence
from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.contracts.traffic_modes import TrafficName

pytestmark = [pytest.mark.tier2, pytest.mark.long, pytest.mark.timeout(900)]


def test_a_bank_has_its_rows_admitted_and_then_its_payments_decided(tmp_path: Path, kafka: Server, dsn: str) -> None:
    ended = assay("demo", "--world", "tiny", timeout_s=800, ASSAY_RUNS=str(tmp_path), ASSAY_BUS=kafka.address, ASSAY_SQL=dsn)
    assert ended.code == 0, ended.text
    rows, payments = (Run.load(folder) for folder in sorted(tmp_path.iterdir()))
    assert "proven: the gate admitted every row once" in ended.out
    assert (rows.config.traffic, payments.config.traffic) == (TrafficName.FRAUD.value, "")
    replayed = ReplayEvidence.read(payments.store)
    assert replayed is not None and replayed.verified and replayed.compared > 90_000
