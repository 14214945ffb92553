"""Say what this machine lacks before anything is installed: Python, venv, memory, disk, ports, and the remedy for each.

A plain script for any Python 3.7 or newer, without imports from this package: `python3 preflight.py [--port N ...]`.
Exit code 0 when all is there, 1 when something is missing.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import shutil
import socket
import sys
from typing import NamedTuple

OLDEST, NEWEST = (3, 11), (3, 13)
MEMORY_BYTES = 2 * 10**9  # Kafka 0.7, PostgreSQL 0.1, gate and worker 0.5 each
DISK_BYTES = 4 * 10**9  # the virtual environment takes 1.5, a run of a million payments about 1.5
WITH_JAVA_WHEEL = {("Linux", "x86_64"), ("Darwin", "arm64")}


class Facts(NamedTuple):
    """What was seen. Sizes in bytes, None where the system does not say."""

    implementation: str
    version: tuple[int, int]
    has_venv: bool
    system: str
    machine: str
    has_java: bool
    memory: int | None
    disk: int
    writable: bool
    busy_ports: list[int]
    other_pythons: list[str]


class Finding(NamedTuple):
    """One line of the answer; the remedy is empty when the thing is there."""

    what: str
    remedy: str


def judge(facts: Facts) -> list[Finding]:
    """Compare what was seen with what is needed."""
    return [_python(facts), _venv(facts), _platform(facts), _memory(facts), _disk(facts), *_ports(facts)]


def _python(facts: Facts) -> Finding:
    what = f"{facts.implementation} {_dotted(facts.version)}"
    if facts.implementation == "cpython" and OLDEST <= facts.version <= NEWEST:
        return Finding(what, "")
    found = ", found here: " + ", ".join(facts.other_pythons) if facts.other_pythons else ""
    remedy = f"assay needs CPython {_dotted(OLDEST)} to {_dotted(NEWEST)}{found}; then `make PYTHON=<that python>`"
    return Finding(what, remedy)


def _venv(facts: Facts) -> Finding:
    remedy = f"install the venv module (Debian and Ubuntu: `apt install python{_dotted(facts.version)}-venv`)"
    return Finding("venv and pip", "" if facts.has_venv else remedy)


def _platform(facts: Facts) -> Finding:
    what = f"{facts.system} {facts.machine}"
    if facts.system not in ("Linux", "Darwin"):
        return Finding(what, "servers run on Linux and macOS; on Windows use WSL")
    if (facts.system, facts.machine) in WITH_JAVA_WHEEL or facts.has_java:
        return Finding(what, "")
    return Finding(what, "no Java comes as a wheel for it: install java >= 17, or name your own Kafka in ASSAY_BUS")


def _memory(facts: Facts) -> Finding:
    if facts.memory is None:
        return Finding("memory unknown", "")
    needed = _gigabytes(MEMORY_BYTES)
    remedy = f"end other programs, or name your own Kafka and PostgreSQL in ASSAY_BUS and ASSAY_SQL; {needed} are needed"
    return Finding(f"{_gigabytes(facts.memory)} memory available", "" if facts.memory >= MEMORY_BYTES else remedy)


def _disk(facts: Facts) -> Finding:
    what = f"{_gigabytes(facts.disk)} disk free here"
    if not facts.writable:
        return Finding(what, "this directory cannot be written: work in one of your own")
    return Finding(what, "" if facts.disk >= DISK_BYTES else f"free some space; {_gigabytes(DISK_BYTES)} are needed")


def _ports(facts: Facts) -> list[Finding]:
    remedy = "end the program that listens there, or choose another port in the settings"
    return [Finding(f"port {port} in use", remedy) for port in facts.busy_ports] or [Finding("ports free", "")]


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def look(ports: list[int]) -> Facts:
    """Look at this machine. With no ports given, the system is asked for any free one."""
    names = [f"python{OLDEST[0]}.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)]
    return Facts(
        implementation=sys.implementation.name,
        version=sys.version_info[:2],
        has_venv=all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")),
        system=platform.system(),
        machine=platform.machine(),
        has_java=shutil.which("java") is not None,
        memory=_available_memory(),
        disk=shutil.disk_usage(os.curdir).free,
        writable=os.access(os.curdir, os.W_OK),
        busy_ports=[port for port in ports or [0] if not _can_listen(port)],
        other_pythons=[name for name in names if shutil.which(name)],
    )


def _available_memory() -> int | None:
    """What the kernel says is available, or the limit of our container if that is less."""
    sizes = []
    try:
        with open("/proc/meminfo") as file:
            sizes += [int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable")]
    except OSError:
        pass
    try:
        with open("/sys/fs/cgroup/memory.max") as file:
            sizes += [int(line) for line in file if line.strip().isdigit()]
    except OSError:
        pass
    if not sizes and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(sizes) if sizes else None


def _can_listen(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def main(arguments: list[str] | None = None) -> int:
    """Print one line per finding; 1 if something is missing."""
    parser = argparse.ArgumentParser(description="Say what this machine lacks to run assay.")
    parser.add_argument("--port", type=int, action="append", default=[], help="a port that must be free; may be repeated")
    findings = judge(look(parser.parse_args(arguments).port))
    for finding in findings:
        print(f"missing  {finding.what}: {finding.remedy}" if finding.remedy else f"ok       {finding.what}")
    return 1 if any(finding.remedy for finding in findings) else 0


if __name__ == "__main__":
    raise SystemExit(main())
