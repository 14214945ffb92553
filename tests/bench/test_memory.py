"""Memory is touched before a measurement, and let go of."""

from __future__ import annotations

import resource

import psutil

from assay.app.bench.memory import touch


def test_memory_is_touched_and_does_not_stay_with_the_benchmark() -> None:
    before, faults = psutil.Process().memory_info().rss, resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    touch(256 * 2**20)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults >= 128  # one per page, 2 MB at most
    assert psutil.Process().memory_info().rss - before < 64 * 2**20
