"""A virtual environment of its own for a peer whose packages are not ours. It is made once per list of packages and Python."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Final

from assay.app.settings import Settings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

INSTALL_TIMEOUT_S: Final = 900


def environment(settings: Settings, say: Callable[[str], None], name: str, requirements: Path) -> Path:
    """The folder of the environment. Raises Stop(BENCH_INVALID) when the packages are not installed."""
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:16]
    place = settings.cache / "peers" / f"{name}-{digest}"
    complete = place / "complete"
    if complete.exists():
        return place
    say(f"{name}: install {requirements.name} …")
    venv.create(place, clear=True, with_pip=True)
    command = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S)
    if ended.returncode:
        raise Stop(Reason.BENCH_INVALID, f"the packages of {name} were not installed:\n{ended.stderr}", where=str(place))
    complete.touch()
    return place
