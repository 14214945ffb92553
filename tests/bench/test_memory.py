"""Memory that is touched before a measurement is let go of."""

from __future__ import annotations

import psutil

from assay.app.bench.memory import touch


def test_touched_memory_does_not_stay_with_the_benchmark() -> None:
    before = psutil.Process().memory_info().rss
    touch(256 * 2**20)
    assert psutil.Process().memory_info().rss - before < 64 * 2**20
