"""Imports go down only: the repository keeps the contracts of pyproject.toml, and a planted breach of each is reported."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from source_tree import ROOT

#: file → line appended to it → what the report must say
BREACHES = [
    ("contracts/ids.py", "import assay.codecs.columns", "assay.contracts.ids -> assay.codecs.columns"),
    ("codecs/intrinsics.py", "import assay.tables.growth", "assay.codecs.intrinsics -> assay.tables.growth"),
    ("tables/growth.py", "import assay.agents.step", "assay.tables.growth -> assay.agents.step"),
    ("agents/coverage.py", "import assay.app.clockless", "assay.agents.coverage -> assay.app.clockless"),
    ("agents/decide.py", "import assay.agents.act", "assay.agents.decide -> assay.agents.act"),
    ("agents/step.py", "import assay.agents.lane", "assay.agents.step -> assay.agents.lane"),
    ("agents/features.py", "import assay.agents.faust_shell.lanes", "assay.agents.features -> assay.agents.faust_shell.lanes"),
    ("app/lane/assembly.py", "import faust", "assay.app.lane.assembly -> faust"),
    ("agents/lane.py", "import mode", "assay.agents.lane -> mode"),
    ("tables/dedupe.py", "import time", "assay.tables.dedupe -> time"),
    ("agents/merge.py", "import random", "assay.agents.merge -> random"),
    ("codecs/digests.py", "import os", "assay.codecs.digests -> os"),
    ("agents/intake.py", "import logging", "assay.agents.intake -> logging"),
    ("app/bus/finished_batch.py", "import assay.app.lane.ports", "- .bus -> .lane (1 import)"),
    ("app/gate/publisher.py", "import confluent_kafka", "assay.app.gate.publisher -> confluent_kafka"),
    ("app/journal/survey.py", "from aiokafka.errors import KafkaError", "assay.app.journal.survey -> aiokafka"),
    ("contracts/topics.py", "import numpy", "assay.contracts.topics -> numpy"),
]
#: a component nobody placed: "not listed" is a breach too
UNPLACED = ("agents/newcomer.py", '"""A component that pyproject.toml does not list."""\n', "newcomer")


def lint(folder: Path) -> str:
    """The report of import-linter over a folder that holds assay/ and pyproject.toml; empty when all is kept."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--config", "pyproject.toml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says about a copy with every breach in it."""
    folder = tmp_path_factory.mktemp("planted")
    shutil.copytree(ROOT / "assay", folder / "assay", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "assay/app/clockless.py").write_text("")
    for file, line, _ in BREACHES:
        with (folder / "assay" / file).open("a") as source:
            source.write(f"\n{line}\n")
    (folder / "assay" / UNPLACED[0]).write_text(UNPLACED[1])
    without_list = lint(folder)
    (folder / "assay" / UNPLACED[0]).unlink()
    return without_list + lint(folder)


def test_the_repository_keeps_every_contract() -> None:
    assert lint(ROOT) == ""


@pytest.mark.parametrize("said", [breach[2] for breach in BREACHES] + [UNPLACED[2]])
def test_a_planted_import_is_reported(report: str, said: str) -> None:
    assert said in report
