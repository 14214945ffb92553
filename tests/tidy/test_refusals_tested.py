"""Every refusal code is raised by some code and produced by some test."""

from __future__ import annotations

import re
from collections.abc import Iterable

from source_tree import name_of, sources

from assay.contracts.reasons import Reason

DECLARED = ("assay/contracts/reasons.py", "assay/contracts/exit_codes.py")
HERE = "tests/tidy/test_refusals_tested.py"


def unmentioned(codes: Iterable[str], texts: Iterable[str]) -> list[str]:
    """Codes that occur in no text as a word of their own."""
    words = {word for text in texts for word in re.findall(r"\b[A-Z][A-Z0-9_]+\b", text)}
    return [code for code in codes if code not in words]


def texts_of(*folders: str) -> list[str]:
    """Source texts, without the declaration and without this file."""
    return [path.read_text(encoding="utf-8") for path in sources(*folders) if name_of(path) not in (*DECLARED, HERE)]


def test_every_code_is_mentioned_by_a_test() -> None:
    assert unmentioned([reason.name for reason in Reason], texts_of("tests")) == []


def test_every_code_is_used() -> None:
    assert unmentioned([reason.name for reason in Reason], texts_of("assay")) == []


def test_a_code_without_a_test_is_seen() -> None:
    assert unmentioned(["DIGEST_MISMATCH", "DIGEST"], ["assert code is Reason.DIGEST_MISMATCH"]) == ["DIGEST"]
