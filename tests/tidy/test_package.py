"""The wheel holds every file of assay; pins name no place; every dependency is pinned and has a reason."""

from __future__ import annotations

import re
import tomllib
import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder
from source_tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = (ROOT / "constraints.txt").read_text(encoding="utf-8")
REASONS = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Dependencies")[2]
DATA = (".yaml", ".avsc", ".json", ".sha256", ".css", ".typed")


def unpinned(pins: str, wanted: set[str]) -> set[str]:
    """Wanted distributions without an exact version."""
    return wanted - set(re.findall(r"^([a-z0-9._-]+)==[^\s=]+$", normal(pins), re.MULTILINE))


def places(pins: str) -> list[str]:
    """Lines that say where a distribution comes from, or anything else than which version."""
    lines = [line for line in pins.splitlines() if line and not line.startswith("#")]
    return [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)]


def normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return name.lower().replace("_", "-")


def dependencies() -> set[str]:
    """Names of all dependencies and extras, and of what builds the wheel."""
    listed = [*PROJECT["dependencies"], *(name for extra in PROJECT["optional-dependencies"].values() for name in extra)]
    return {normal(re.split(r"[\[<>=; ]", name)[0]) for name in listed} | {"hatchling", "editables"}


def test_the_wheel_holds_every_file(tmp_path: Path) -> None:
    wheel = next(iter(WheelBuilder(str(ROOT)).build(directory=str(tmp_path))))
    inside = set(zipfile.ZipFile(wheel).namelist())
    wanted = {path.relative_to(ROOT).as_posix() for path in (ROOT / "assay").rglob("*") if path.suffix in (".py", *DATA)}
    assert wanted - inside == set()
    assert {Path(name).suffix for name in wanted} >= set(DATA)
    assert any(name.endswith("LICENSE") for name in inside)


def test_pins_say_versions_and_no_places() -> None:
    assert places(PINS) == []


def test_a_planted_place_is_seen() -> None:
    planted = ["--index-url somewhere", "numba @ somewhere", "numba>=0.60", "-e ."]
    assert places("\n".join([*planted, "numba==0.60", "# a remark"])) == planted


def test_every_dependency_is_pinned() -> None:
    assert unpinned(PINS, dependencies()) == set()
    assert unpinned("numba>=0.60\nnumpy==2.0\n", {"numba", "numpy"}) == {"numba"}


def test_every_dependency_has_a_reason() -> None:
    assert [name for name in sorted(dependencies()) if name not in normal(REASONS)] == []
