"""The commands of the Makefile and of CI: what they put into the environment, every process of assay accepts."""

from __future__ import annotations

import re

import pytest
from source_tree import ROOT

from assay.app.settings import Settings

KNOWN = {f"ASSAY_{name}".upper() for name in Settings.model_fields}


def refused(text: str) -> list[str]:
    """Variables that a script sets and that assay would refuse as unknown settings."""
    return sorted(set(re.findall(r"\b(ASSAY_[A-Z0-9_]+)=", text)) - KNOWN)


@pytest.mark.parametrize("script", ["Makefile", ".ci/run", ".ci/lint", ".ci/wheel", ".ci/setup.py"])
def test_a_script_sets_no_variable_that_assay_refuses(script: str) -> None:
    assert refused((ROOT / script).read_text(encoding="utf-8")) == []


def test_a_planted_variable_is_found() -> None:
    assert refused("@ASSAY_BUS=host:1 ASSAY_EFFORT=whole pytest") == ["ASSAY_EFFORT"]
