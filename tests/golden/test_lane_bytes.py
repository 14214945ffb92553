"""The bytes that no change for speed may change: journal, emissions and state of the decision lane, to the last bit.

`lane_bytes.json` beside this file holds their digests. A change of a schema or a policy changes them on purpose: then the new ones
are written by `python tests/golden/test_lane_bytes.py` (`PYTHONPATH=tests`), and the commit says why.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from lane_bytes import Digests, of_policy, of_workload

from assay.app.warm.kernels import POLICIES

GOLDEN = Path(__file__).with_name("lane_bytes.json")

COMPUTED: Mapping[str, Callable[[], Digests]] = {
    **{f"{policy} {ordering}": partial(of_policy, policy, ordering) for policy in POLICIES for ordering in ("event_time", "arrival")},
    "many payments of workload_w": of_workload,
}


def golden() -> dict[str, Any]:
    """The digests that were written down."""
    found: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", COMPUTED)
def test_the_bytes_are_those_that_were_written_down(name: str) -> None:
    assert COMPUTED[name]()._asdict() == golden()[name]


def test_every_digest_written_down_is_computed() -> None:
    assert golden().keys() == COMPUTED.keys()


if __name__ == "__main__":
    written = {name: compute()._asdict() for name, compute in COMPUTED.items()}
    GOLDEN.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
