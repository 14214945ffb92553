"""What a process remembers of the vault is bounded, and gone as a whole after an erasure."""

from __future__ import annotations

from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.app.vault.key import Subject
from assay.app.vault.memory import Memory


def subject(number: int) -> Subject:
    return "card", str(number)


@settings(max_examples=drawn(120))
@given(st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=20), st.integers(1, 20))
def test_it_never_holds_more_than_its_bound_and_never_another_token(calls: list[list[int]], bound: int) -> None:
    memory = Memory(bound)
    for call in calls:
        memory.add({subject(number): f"t{number}" for number in call})
        assert len(memory) <= max(2, bound)
        assert all(token == f"t{one[1]}" for one, token in memory.of(map(subject, range(31))).items())


def test_what_is_asked_for_again_and_again_stays() -> None:
    memory = Memory(10)
    for number in range(100):
        memory.add({subject(0): "t0", subject(number + 1): "t"})
        assert memory.of([subject(0)]) == {subject(0): "t0"}
    assert memory.of([subject(1)]) == {}


def test_the_same_subjects_again_push_nothing_out() -> None:
    memory = Memory(4)
    for _ in range(5):
        memory.add({subject(1): "t1", subject(2): "t2"})
    memory.add({subject(3): "t3"})
    assert len(memory.of(map(subject, (1, 2, 3)))) == 3


def test_after_an_erasure_nothing_is_remembered() -> None:
    """Neither of the young nor of the old."""
    memory = Memory(4)
    memory.add({subject(number): "t" for number in range(4)})
    assert len(memory) == 4
    memory.forget(7)
    assert (memory.erasures, len(memory), memory.of(map(subject, range(4)))) == (7, 0, {})
