"""Set up a checkout: virtual environment, pinned packages, Kafka's jars, compiled kernels. Each part is done once.

usage: setup.py VENV PART… with the parts packages, jars, kernels, generic (kernels for any processor), engine (those of the
data engine) and docs (the site's packages).
It runs under any CPython that assay supports, with nothing installed. A part leaves a stamp in the virtual environment, named by its
sources, so a second run does nothing and needs no network.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PREFLIGHT = ROOT / "assay/app/substrate/preflight.py"
MADE_FROM = ("pyproject.toml", "constraints.txt")
JARS = "assay/app/substrate/jars.sha256"
#: what builds the package; pinned like everything else, so that building needs no network either
BUILD = ("hatchling", "editables")
EXTRAS = "laptop,test,lint"


def main(arguments):
    """Do the named parts that are not done yet; the exit code."""
    venv = (ROOT / arguments[0]).resolve()
    wanted = arguments[1:]
    started = time.monotonic()
    todo = [name for name in PARTS if name in wanted and not _stamp(venv, name).exists()]
    if not todo:
        return 0
    if "packages" in todo and subprocess.run([sys.executable, str(PREFLIGHT)], cwd=ROOT, check=False).returncode:
        print("\nset-up stopped before it installed anything: see the lines that begin with `missing`", file=sys.stderr)
        return 1
    try:
        if "packages" in todo:
            _do(venv, "packages")
        with ThreadPoolExecutor() as pool:  # kernels of two processors have an index each, so both compile at once
            for done in [pool.submit(_do, venv, name) for name in todo if name != "packages"]:
                done.result()
    except Failed as failed:
        print(failed, file=sys.stderr)
        return 1
    print(f"set-up: done in {time.monotonic() - started:.0f} s ({venv.name}, CPython {sys.version.split()[0]})", flush=True)
    return 0


class Failed(Exception):
    """A part that could not be done."""


def _do(venv, name):
    say, make, remedy = PARTS[name]
    print(f"set-up: {say} …", flush=True)
    began = time.monotonic()
    try:
        make(venv)
    except (subprocess.CalledProcessError, OSError) as error:
        raise Failed(f"\nset-up failed at: {say}\n  {error}\n  {remedy}\n  The same command goes on from here.") from None
    _stamp(venv, name).write_text("")
    print(f"set-up: {say}: {time.monotonic() - began:.0f} s", flush=True)


def packages(venv):
    """A virtual environment with every package at its pinned version. The user's own pip settings decide where from."""
    if Path(sys.prefix).resolve() != venv or not (venv / "bin/pip").exists():
        base = getattr(sys, "_base_executable", None) or sys.executable
        shutil.rmtree(venv, ignore_errors=True)
        subprocess.run([base, "-m", "venv", str(venv)], check=True)
    _install(venv, *BUILD)
    _install(venv, "--no-build-isolation", "--editable", f"{ROOT}[{EXTRAS}]")


def docs(venv):
    """The packages that build the documentation site. Only `make site` asks for them, so that other set-ups stay short."""
    _install(venv, *tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]["docs"])


def _install(venv, *what):
    # byte code is made when a module is first imported: compiling all of it here takes longer than everything else
    pip = [str(venv / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--prefer-binary", "--no-compile"]
    subprocess.run([*pip, "--constraint", str(ROOT / "constraints.txt"), *what], check=True)


def jars(venv):
    """Kafka's jars, unless a Kafka was named."""
    if not os.environ.get("ASSAY_BUS"):
        subprocess.run([str(venv / "bin/assay"), "substrate", "prepare"], check=True)


def kernels(venv):
    """Machine code for this computer."""
    subprocess.run([str(venv / "bin/assay"), "warm"], check=True)


def generic(venv):
    """Machine code for any processor of this architecture: replays are compared on it."""
    subprocess.run([str(venv / "bin/assay"), "warm"], check=True, env={**os.environ, "NUMBA_CPU_NAME": "generic"})


def engine(venv):
    """Machine code of the data engine, which makes the demo's world."""
    subprocess.run([str(venv / "bin/assay"), "warm", "--world"], check=True)


PARTS = {
    "packages": (
        "virtual environment and packages",
        packages,
        "If packages could not be had: check the network and your pip settings (`pip config list`).",
    ),
    "docs": ("packages of the documentation site", docs, "Check the network and your pip settings (`pip config list`)."),
    "jars": ("Kafka's jars", jars, "Name a mirror in Maven's settings.xml or ASSAY_MAVEN_MIRROR, or your own Kafka in ASSAY_BUS."),
    "kernels": ("compile kernels", kernels, "If the last lines are no help, `make clean` and try again."),
    "engine": ("compile kernels of the data engine", engine, "If the last lines are no help, `make clean` and try again."),
    "generic": ("compile kernels for a generic processor", generic, "If the last lines are no help, `make clean` and try again."),
}


def _stamp(venv, part):
    files = MADE_FROM if part != "jars" else (*MADE_FROM, JARS)
    digest = hashlib.sha256(f"{sys.version}\n{ROOT}\n".encode())
    for name in files:
        digest.update((ROOT / name).read_bytes())
    return venv / f".assay-{part}-{digest.hexdigest()[:16]}"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
