"""The decision digests that no change of structure may change: what was decided stays decided, to the last bit.

`decision_digests.json` beside this file holds them. A change of a feature's or a rule's meaning changes them on purpose: then the new
ones are written by `python tests/golden/test_decision_digests.py` (`PYTHONPATH=tests`), and the commit says why.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
from gated_worlds import config_over, gated, generated_world, simulated
from seeded_runs import WORLDS, run_seed, undisturbed
from simulated_worlds import decision_digest

from assay.agents.specs import journal_topic
from assay.agents.topology import TOPOLOGY
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.replay.verify import recompute
from assay.app.settings import load_settings
from assay.app.simulation.lanes import KeyedEffector, simulated_lanes
from assay.app.simulation.simulator import Simulator
from assay.app.stores.objects import DirectoryStore
from assay.app.warm.kernels import PARTITIONS, POLICIES
from assay.app.warm.world import config_of, world
from assay.codecs.decision_digest import DecisionDigest

GOLDEN = Path(__file__).with_name("decision_digests.json")
HANDBOOK_FILE = "fdh_2018-04_07.parquet"
#: the time of the import: 2026-01-01, after the file
NOW_US = 1_767_225_600_000_000
#: seeds whose runs meet faults: their decisions are those of their world all the same
SEEDS = (3, 7, 11, 19)


def of_sealed(sealed: SealedWorld, policy: str) -> str:
    """The digest of a sealed world under a shipped policy, gated and run in memory."""
    given = gated(sealed, config_over(sealed, policy))
    journal = simulated(given).log.values(journal_topic(TOPOLOGY.lane("rtdl")))
    digest = DecisionDigest()
    for values in recompute(given.config, journal, given.partitions):
        digest.update(values)
    return digest.hexdigest()


def of_generated(shape: str, rows: int, seed: int) -> str:
    """The digest of generated payments; 100,000 of shape handbook under seed 1 are those of `make demo`."""
    with tempfile.TemporaryDirectory() as room:
        return of_sealed(generated_world(Path(room), shape, rows, seed), shape)


def of_policy(policy: str) -> str:
    """The digest of the small world that `assay warm` runs."""
    config = config_of(policy)
    log = world(config, PARTITIONS)
    Simulator(simulated_lanes(config, PARTITIONS, KeyedEffector().execute), log).run()
    return decision_digest(log)


def of_seed(seed: int) -> str:
    """The digest of a seeded run with its faults."""
    return decision_digest(run_seed(seed).log)


def of_handbook(data: Path) -> str:
    """The digest of the Handbook's file."""
    with tempfile.TemporaryDirectory() as room:
        sealed = import_world(data / HANDBOOK_FILE, load_mapping("handbook"), DirectoryStore(Path(room) / "store"), NOW_US)
        return of_sealed(sealed, "handbook")


#: what is computed in every run of the tests; the Handbook's file is large data
COMPUTED: Mapping[str, Callable[[], str]] = {
    "demo": partial(of_generated, "handbook", 100_000, 1),
    "transfers": partial(of_generated, "transfers", 5_000, 1),
    **{f"policy {policy}": partial(of_policy, policy) for policy in POLICIES},
    **{f"world {number}": partial(undisturbed, number) for number in range(WORLDS)},
    **{f"seed {seed}": partial(of_seed, seed) for seed in SEEDS},
}


def golden() -> dict[str, str]:
    """The digests that were written down."""
    found: dict[str, str] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", COMPUTED)
def test_decisions_are_those_that_were_written_down(name: str) -> None:
    assert COMPUTED[name]() == golden()[name]


@pytest.mark.tier3
@pytest.mark.timeout(900)
def test_decisions_of_the_handbooks_file_are_those_that_were_written_down() -> None:
    data = load_settings().tier3_data
    assert data is not None
    assert of_handbook(data) == golden()["handbook file"]


def test_every_digest_written_down_is_computed() -> None:
    assert golden().keys() == {*COMPUTED, "handbook file"}


if __name__ == "__main__":
    data = load_settings().tier3_data
    written = {name: compute() for name, compute in COMPUTED.items()} | {
        "handbook file": of_handbook(data) if data else golden()["handbook file"]
    }
    GOLDEN.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    sys.exit(0)
