"""Many refused items within a minute are a warning while they last, and are told once a window."""

from __future__ import annotations

import pytest

from assay.app.gate.spike import SPIKE_ITEMS, WINDOW_S, Spikes, Window
from assay.contracts.reasons import Reason


@pytest.mark.parametrize(
    ("noted", "told"),
    [
        ([(24, 0.0)], [False]),
        ([(25, 0.0)], [True]),
        ([(24, 0.0), (1, 59.9)], [False, True]),
        ([(24, 0.0), (1, 60.0)], [False, False]),  # the first ones are out of the window
        ([(25, 0.0), (25, 10.0), (25, 59.9)], [True, False, False]),  # once per window
        ([(25, 0.0), (25, 30.0), (1, 60.0)], [True, False, True]),  # and again while it lasts
        ([(25, 0.0), (0, 70.0), (25, 80.0)], [True, False, True]),
        ([(1000, 0.0)], [True]),
        ([(1, second * 2.0) for second in range(30)], [False] * 24 + [True] + [False] * 5),
    ],
)
def test_a_spike_is_told_once_a_window(noted: list[tuple[int, float]], told: list[bool]) -> None:
    window = Window()
    assert [window.note(items, now_s) for items, now_s in noted] == told


def test_a_spike_warns_while_it_lasts_and_tells_how_many() -> None:
    now_s, told = [0.0], list[int]()
    spikes = Spikes(lambda: now_s[0], told.append)
    spikes.note(SPIKE_ITEMS - 1)
    assert (spikes.warning(), told) == (None, [])
    spikes.note(7)
    warning = spikes.warning()
    assert warning is not None
    assert (warning.reason, "31 items were refused within 60 s" in str(warning), told) == (Reason.QUARANTINE_SPIKE, True, [31])
    now_s[0] = WINDOW_S
    assert spikes.warning() is None
