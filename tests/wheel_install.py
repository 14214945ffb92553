"""assay as its users have it: the wheel in an environment of its own, away from the checkout."""

from __future__ import annotations

import shutil
import site
import subprocess
import sys
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder
from source_tree import ROOT


def install_wheel(room: Path) -> Path:
    """Build the wheel and install it into an environment in `room`; the folder of its commands.

    Nothing is fetched: other packages are those of this environment, which were installed at the same pins. Machine code is that of the
    checkout, because it belongs to the text of the sources.
    """
    wheel = next(iter(WheelBuilder(str(ROOT)).build(directory=str(room / "dist"))))
    commands = room / "venv" / "bin"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", room / "venv"], check=True)
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        commands / "python",
        "--disable-pip-version-check",
        "--quiet",
        "install",
    ]
    subprocess.run([*pip, "--no-index", "--no-deps", "--no-compile", wheel], check=True)
    place = next((room / "venv" / "lib").glob("python*/site-packages"))
    (place / "others.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")
    for compiled in (ROOT / "assay").rglob("__pycache__/*.nb?"):
        copy = place / compiled.relative_to(ROOT)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy2(compiled, copy)
    return commands
