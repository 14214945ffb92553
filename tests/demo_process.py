"""`assay demo` as a process over one small world, to be interrupted and disturbed, and the digest it has to come to."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from assay_command import environment
from gated_worlds import config_over, gated, generated_world, simulated

from assay.agents.specs import journal_topic
from assay.agents.topology import TOPOLOGY
from assay.app.effects.recorder import recorded
from assay.app.replay.verify import recompute
from assay.app.report.evidence import AuditEvidence, ReplayEvidence
from assay.app.run.directory import Run
from assay.codecs.decision_digest import DecisionDigest

ROWS = 3_000
INTERRUPTED = 130


class World(NamedTuple):
    """An input file and the decision digest of its run in the simulator, where nothing goes wrong."""

    file: Path
    digest: str


def seal(folder: Path, seed: int, rows: int = ROWS) -> World:
    """Generate a file in a folder."""
    sealed = generated_world(folder, "handbook", rows, seed)
    given = gated(sealed, config_over(sealed, "handbook"))
    digest = DecisionDigest()
    for values in recompute(given.config, simulated(given).log.values(journal_topic(TOPOLOGY.lane("rtdl"))), given.partitions):
        digest.update(values)
    assert digest.count == rows
    return World(folder / "in.parquet", digest.hexdigest())


class Demo:
    """`assay demo` of one world in one directory, on the session's Kafka and PostgreSQL."""

    def __init__(self, folder: Path, world: World, kafka: str, dsn: str, speedup: str = "0", **variables: str) -> None:
        self.world = world
        # topics on a shared Kafka are named after the run
        self.directory = folder / f"platform_20260101T{secrets.randbelow(10**6):06d}Z"
        self.directory.mkdir()
        self.log = folder / "demo.log"
        self._variables = {"ASSAY_BUS": kafka, "ASSAY_SQL": dsn, **variables}
        self._speedup = speedup
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Begin, or resume."""
        options = ["--run", str(self.directory), "--input", str(self.world.file), "--mapping", "handbook", "--speedup", self._speedup]
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "assay", "demo", *options]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment(self._variables))
        return self.process

    def interrupt_after(self, seconds: float) -> bool:
        """Start, send SIGINT at that time; False if the demo was done before."""
        process = self.start()
        try:
            assert process.wait(seconds) == 0, self.text()
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            assert process.wait(90) in (INTERRUPTED, 0), self.text()
            return True
        return False

    def finish(self) -> None:
        """Run to the end."""
        assert self.start().wait(300) == 0, self.text()

    def text(self) -> str:
        """The end of what it printed."""
        return self.log.read_text(errors="replace")[-4_000:]

    def audited(self) -> int:
        """Segments of the audit chain so far: the run has got somewhere."""
        folder = self.directory / "store" / "audit" / "segments"
        return len(list(folder.glob("*.seg"))) if folder.is_dir() else 0

    def ended(self) -> bool:
        """Whether the process is gone."""
        return self.process is None or self.process.poll() is not None

    def stop(self) -> None:
        """SIGINT, and its end."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(90)

    def assert_as_undisturbed(self, rows: int = ROWS) -> None:
        """Every row decided and audited, the replay agrees, and the digest is the undisturbed one."""
        run = Run.load(self.directory)
        replayed, audit = ReplayEvidence.read(run.store), AuditEvidence.read(run.store)
        assert replayed is not None
        assert audit is not None
        assert replayed.verified, replayed.differences
        assert replayed.compared == rows
        assert replayed.decision_digest == self.world.digest
        assert audit.verified, audit.problems
        assert audit.records == rows
        done = [line.split()[0] for line in recorded(run.actions)]
        assert len(set(done)) == len(done) == rows
        printed = self.log.read_text(errors="replace")
        assert "Traceback" not in printed, printed
