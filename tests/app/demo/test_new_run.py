"""The documents a run is planned with are read strictly, whoever wrote them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from assay.app.demo.new_run import document
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


@pytest.mark.parametrize(
    ("part", "reason"), [("features", Reason.FEATURE_DOCUMENT_INVALID), ("rules", Reason.RULES_DOCUMENT_INVALID)], ids=["features", "rules"]
)
@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("revision: '1'\nrevision: '2'\n", "line 2: the key 'revision' is given a second time, first in line 1"),
        ("rules: [", "not YAML"),
        ("- a list", "expected keys and values"),
    ],
)
def test_a_policy_document_that_cannot_be_meant_is_refused_with_its_file(
    tmp_path: Path, part: Literal["features", "rules"], reason: Reason, text: str, named: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(Stop) as refusal:
        document(str(file), part)
    assert (refusal.value.reason, refusal.value.where) == (reason, str(file))
    assert named in refusal.value.what
