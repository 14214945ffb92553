"""Pure code has no clock, no randomness and no environment: calls that an import rule cannot see are refused by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from source_tree import ROOT, called, name_of, sources

BANNED = [
    "from datetime import datetime\n\nNOW = datetime.now()",
    "from datetime import datetime, UTC\n\nNOW = datetime.now(UTC)",
    "from datetime import datetime\n\nNOW = datetime.utcnow()",
    "from datetime import date\n\nNOW = date.today()",
    "import time\n\nNOW = time.time()",
    "from time import time_ns\n\nNOW = time_ns()",
    "from time import monotonic\n\nNOW = monotonic()",
    "from time import perf_counter\n\nNOW = perf_counter()",
    "import random\n\nDRAWN = random.random()",
    "from random import Random\n\nDRAWN = Random(1)",
    "import numpy as np\n\nDRAWN = np.random.default_rng(1)",
    "import secrets\n\nDRAWN = secrets.token_hex()",
    "import uuid\n\nDRAWN = uuid.uuid4()",
    "from uuid import uuid1\n\nDRAWN = uuid1()",
    "import os\n\nHOME = os.environ['HOME']",
    "from os import getenv\n\nHOME = getenv('HOME')",
    "import os\n\nDRAWN = os.urandom(8)",
]
#: where programs ask the environment; everything else gets settings
READS_ENVIRONMENT = ["assay/app/settings.py"]


def refused(text: str, place: str) -> bool:
    """Whether ruff refuses a source text at a place in the repository for a banned name."""
    command = [str(Path(sys.executable).parent / "ruff"), "check", "--no-cache", "--select", "TID251", "--stdin-filename", place, "-"]
    done = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=False, timeout=60)
    return "TID251" in done.stdout


@pytest.mark.parametrize("text", BANNED)
def test_a_banned_call_is_refused_in_pure_code(text: str) -> None:
    for place in ("assay/contracts/ids.py", "assay/codecs/intrinsics.py", "assay/tables/dedupe.py", "assay/agents/lane.py"):
        assert refused(text, place), place


def test_the_shell_may_read_the_clock() -> None:
    assert not refused(BANNED[4], "assay/agents/faust_shell/lanes.py")
    assert not refused(BANNED[4], "assay/app/worker.py")


def environment_read(text: str) -> bool:
    """Whether a source text reads the environment."""
    return "os.environ" in text or any(name.endswith("getenv") for name in called(text))


def test_only_the_settings_read_the_environment() -> None:
    assert [name_of(path) for path in sources("assay") if environment_read(path.read_text(encoding="utf-8"))] == READS_ENVIRONMENT


@pytest.mark.parametrize("text", ["import os\nos.environ.get('A')", "from os import getenv\ngetenv('A')"])
def test_a_planted_read_of_the_environment_is_seen(text: str) -> None:
    assert environment_read(text)


#: files that may ask for an attribute by its name; the list only shrinks
ASKS_BY_NAME: frozenset[str] = frozenset()


def asks_by_name(text: str) -> bool:
    """Whether a source text asks for an attribute by a name that the type checker cannot see."""
    return "getattr" in called(text)


def test_attributes_are_asked_for_where_the_type_checker_sees_them() -> None:
    found = {name_of(path) for path in sources("assay") if asks_by_name(path.read_text(encoding="utf-8"))}
    assert found - ASKS_BY_NAME == set()


def test_a_planted_getattr_is_seen() -> None:
    assert asks_by_name("def pin(config, name):\n    return getattr(config, name)")
    assert not asks_by_name("def __getattr__(name):\n    raise AttributeError(name)")


#: what prints without the edge: the edge itself, what runs before or without anything of ours, and processes that print for programs
PRINTS = frozenset({
    "assay/app/screen.py",
    "assay/agents/faust_shell/apps.py",  # below `app`; it passes `visible`
    "assay/app/substrate/preflight.py",
    "assay/app/substrate/supervisor.py",
    "assay/app/bench/lane.py",
    "assay/app/bench/passthrough.py",
    "assay/app/bench/recovery.py",
    "assay/app/bench/recovery_process.py",
    "assay/app/bench/takeover.py",
})  # fmt: skip


def prints_past_the_edge(text: str) -> bool:
    """Whether a source text prints, or makes a console, in another way than by `assay.app.screen`."""
    return not called(text).isdisjoint({"print", "typer.echo", "Console", "rich.print", "sys.stdout.write", "sys.stderr.write"})


def test_whatever_is_printed_passes_the_edge_that_writes_out_control_characters() -> None:
    found = {name_of(path) for path in sources("assay") if prints_past_the_edge(path.read_text(encoding="utf-8"))}
    assert found - PRINTS == set()


@pytest.mark.parametrize("text", ["print(event_id)", "typer.echo(event_id)", "from rich.console import Console\nConsole().print(1)"])
def test_a_planted_print_is_seen(text: str) -> None:
    assert prints_past_the_edge(text)
    assert not prints_past_the_edge("from assay.app.screen import say\nsay(event_id)\nconsole.print(event_id)")
