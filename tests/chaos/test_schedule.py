"""The schedule comes from its seed alone and leaves no fault out; the picture shows every worker and every fault."""

from __future__ import annotations

from chaos.picture import timeline
from chaos.scene import Mark
from chaos.schedule import DRAWN, schedule
from chaos.workers import Life


def test_a_seed_repeats_its_schedule_and_another_gives_another() -> None:
    assert [name for name, _ in schedule(7, 30)] == [name for name, _ in schedule(7, 30)]
    assert [name for name, _ in schedule(7, 30)] != [name for name, _ in schedule(8, 30)]


def test_every_fault_comes_before_any_comes_again() -> None:
    drawn = [name for name, _ in schedule(3, 2 * len(DRAWN))]
    assert set(drawn[: len(DRAWN)]) == set(drawn[len(DRAWN) :]) == set(DRAWN)


def test_no_fault_that_ends_a_run_is_drawn() -> None:
    assert not [name for name, scenario in DRAWN.items() if scenario.final or scenario.long or scenario.posted]


def test_the_picture_shows_workers_faults_and_the_highest_rate() -> None:
    lives = [Life("worker0", 100.0, 101.0, 105.0, end="SIGKILL"), Life("worker1", 102.0, 107.0, None, [(108.0, 109.0)])]
    drawn = timeline([103.2] * 7 + [104.5], [Mark("a <fault>", 105.0, 107.5), Mark("an instant", 108.0, 108.1)], lives)
    assert all(text in drawn for text in ("worker0", "worker1", "SIGKILL", "a &lt;fault&gt;", "an instant", "7 records/s"))
    assert (drawn.count('class="active"'), drawn.count('class="frozen"'), drawn.count('class="fault"')) == (2, 1, 1)


def test_a_run_without_a_record_has_a_picture_of_its_workers() -> None:
    assert "worker0" in timeline([], [], [Life("worker0", 100.0, None, 105.0)])
