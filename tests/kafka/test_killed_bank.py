"""`assay demo --world` that is killed while its bank is made goes on with the same run, and ends proven."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from assay_command import assay
from killed import killed, told

from assay.app.report.evidence import AuditEvidence, ReplayEvidence
from assay.app.run.directory import Run
from assay.app.stores.objects import DirectoryStore
from assay.app.substrate import Server
from assay.app.world.generation import SEGMENTS, generate_world
from assay.app.world.payments import sealed_view
from assay.contracts.traffic_modes import FRAUD

pytestmark = [pytest.mark.tier2, pytest.mark.long, pytest.mark.timeout(900)]

SEED = 5
#: bytes of the bank's folder at which it is killed: in the arrivals, in the flows
POINTS = (6_000_000, 17_000_000)


def test_a_demo_that_is_killed_while_its_bank_is_made_goes_on_and_is_proven(tmp_path: Path, kafka: Server, dsn: str) -> None:
    directory = tmp_path / f"platform_20260101T{secrets.randbelow(10**6):06d}Z"
    directory.mkdir()
    call: list[str | Path] = ["demo", "--world", "tiny", "--seed", str(SEED), "--payments", "--run", directory]
    assert [killed(call, directory / "world", point, ASSAY_BUS=kafka.address, ASSAY_SQL=dsn) for point in POINTS] == [True, True]
    ended = assay(*call, timeout_s=600, ASSAY_BUS=kafka.address, ASSAY_SQL=dsn)
    assert ended.code == 0, ended.text
    undisturbed = DirectoryStore(tmp_path / "undisturbed")
    generate_world(undisturbed, "tiny", SEED, 2, 1_790_000_000_000_000)
    assert told(directory / "world") == told(undisturbed.root)
    rows = sum(part.rows for part in sealed_view(undisturbed, SEGMENTS).parts(FRAUD.flow_anchors))
    run = Run.load(directory)
    replayed, audit = ReplayEvidence.read(run.store), AuditEvidence.read(run.store)
    assert replayed is not None and replayed.verified and replayed.compared == rows
    assert audit is not None and audit.verified and audit.records == rows
