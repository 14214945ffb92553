"""A run's own file is read back as it was written, or refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.app.run.directory import Run
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


@pytest.mark.parametrize("held", [b"", b"[]", b"{}", b"\xff", b"[" * 5_000, b'{"config": 7}'])
def test_a_run_file_that_cannot_be_read_is_refused_with_its_place(tmp_path: Path, held: bytes) -> None:
    (tmp_path / "run.json").write_bytes(held)
    with pytest.raises(Stop, match="cannot be read") as refused:
        Run.load(tmp_path)
    assert (refused.value.reason, refused.value.where) == (Reason.RUN_MISSING, str(tmp_path / "run.json"))
