"""The wheel holds every file of assay, and pins name no place."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder
from source_tree import ROOT

PINS = (ROOT / "constraints.txt").read_text(encoding="utf-8")
DATA = (".yaml", ".avsc", ".json", ".sha256", ".css", ".jinja", ".typed")


def places(pins: str) -> list[str]:
    """Lines that say where a distribution comes from, or anything else than which version."""
    lines = [line for line in pins.splitlines() if line and not line.startswith("#")]
    return [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)]


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
