"""A decision record with every field set."""

from __future__ import annotations

from typing import Any

import pytest
import sample_decisions


@pytest.fixture
def decision_record() -> dict[str, Any]:
    return sample_decisions.decision_record()
