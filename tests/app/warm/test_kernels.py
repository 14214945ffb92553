"""Warming compiles every kernel that Python calls, each once, and notices a replay that differs."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest
from feature_worlds import DOCUMENT, random_rows
from lane_tables import fold_in_batches

from assay import agents, codecs, tables
from assay.app.replay.compare import Comparison
from assay.app.warm.kernels import OTHER_MACHINES, POLICIES, check, cold, kernels, warm
from assay.app.warm.world import PAYMENTS
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.tables.feature_plan import compile_plan

#: called by commands, by a gate and by policies with other features, not by a payment under this one
OF_OTHERS = (
    "assay.codecs.keyed_digest.",
    "assay.tables.distinct.",
    "assay.tables.entity_index.",
    "assay.tables.receipt_names.",
    "assay.app.stream_view.",
)
#: compiled by `assay warm --world`; loaded here where another test of the same process makes a world
OF_THE_ENGINE = "assay.engine."


def test_every_kernel_called_from_python_is_compiled_for_at_least_one_signature() -> None:
    for package in (codecs, tables, agents):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    warm()
    loaded = {name: kernel for name, kernel in kernels().items() if not name.startswith(OF_THE_ENGINE)}
    called_by_kernels = {name for kernel in loaded.values() for name in kernel.py_func.__code__.co_names}
    left = {name for name, kernel in loaded.items() if not kernel.signatures and name.rpartition(".")[2] not in called_by_kernels}
    assert left - OTHER_MACHINES == set()
    assert len(loaded) > 20


def test_a_policy_that_is_not_shipped_compiles_no_kernel() -> None:
    """Whatever the number of its entities, pairs, rings and label entities."""
    warm()
    before = {name: kernel.signatures for name, kernel in kernels().items()}
    tables = fold_in_batches(compile_plan(DOCUMENT), random_rows(5, 400), [1, 2, 30, 64, 200], evict=True).tables
    assert tables.restored().written() == tables.written()
    assert {name: kernel.signatures for name, kernel in kernels().items()} == before


@pytest.mark.parametrize(("recomputed", "differing"), [(PAYMENTS, 1), (PAYMENTS - 1, 0)])
def test_a_small_world_that_replays_differently_stops_the_set_up(recomputed: int, differing: int) -> None:
    with pytest.raises(Stop) as refusal:
        check(Comparison(recomputed, PAYMENTS, 0, differing, ()), POLICIES[0])
    assert refusal.value.reason is Reason.REPLAY_DIFFERENCE


def test_a_worker_has_loaded_what_its_first_payment_calls() -> None:
    """Also under a policy that lists its currencies. In a process of its own: here everything is loaded already."""
    program = """
from assay.app.warm.kernels import kernels, load, warm
from assay.app.warm.world import config_of
config = config_of("handbook")
load(config.model_copy(update={"features": {**config.features, "currencies": ["JPY", "USD"]}}))
before = {name for name, kernel in kernels().items() if kernel.signatures}
warm()
print(*sorted({name for name, kernel in kernels().items() if kernel.signatures} - before))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {name for name in ended.stdout.split() if not name.startswith(OF_OTHERS)} == set()


def test_after_warming_no_kernel_is_cold() -> None:
    warm()
    assert cold() == []
