"""One group's rules: the first of an id leads, later ones follow, and nobody is told of what did not land."""

from __future__ import annotations

import pytest
from gate_events import admissible, event, paid

from assay.app.gate.admission import Admissible
from assay.app.gate.group import Group
from assay.app.gate.standing import Admission, RecordMetadata, Standing, Verdict

A, B = admissible(event("a")), admissible(event("b"))
OTHER_A = admissible(event("a", payload=paid(amount_minor=9)))
SEEN = RecordMetadata(1, 41)


def begun(items: list[Admissible], standing: dict[int, Standing] | None = None, ahead: Group | None = None) -> Group:
    group = Group(items, 1)
    group.gather(dict.fromkeys(ahead.leaders, ahead) if ahead else {})
    group.weigh(standing or {})
    return group


@pytest.mark.parametrize(
    ("items", "standing", "verdicts"),
    [
        ([A, B], {}, [Verdict.ADMIT, Verdict.ADMIT]),
        ([A, A], {}, [Verdict.ADMIT, Verdict.DUPLICATE]),
        ([A, OTHER_A], {}, [Verdict.ADMIT, Verdict.MISMATCH]),
        ([A, B], {1: Standing(B.payload_hash, 7, SEEN)}, [Verdict.ADMIT, Verdict.DUPLICATE]),
        ([A], {0: Standing(A.payload_hash, 7, None, state=Admission.RELEASED)}, [Verdict.REPUBLISH]),
        ([A, A], {0: Standing(A.payload_hash, 7, None, state=Admission.IN_FLIGHT)}, [Verdict.IN_FLIGHT, Verdict.IN_FLIGHT]),
        ([A, A], {0: Standing(A.payload_hash, 7, None, state=Admission.AMBIGUOUS)}, [Verdict.AMBIGUOUS, Verdict.AMBIGUOUS]),
        ([OTHER_A, A], {0: Standing(A.payload_hash, 7, SEEN)}, [Verdict.MISMATCH, Verdict.DUPLICATE]),
    ],
)
def test_verdicts(items: list[Admissible], standing: dict[int, Standing], verdicts: list[Verdict]) -> None:
    assert begun(items, standing).verdicts == verdicts


def test_an_item_on_its_way_in_an_earlier_group_is_followed_there() -> None:
    first = begun([B, A])
    later = begun([A, OTHER_A], ahead=first)
    first.publication.places[1] = SEEN
    first.landed()
    assert later.verdicts == [Verdict.DUPLICATE, Verdict.MISMATCH]
    assert later.outgoing() == {}
    assert later.landed() == []
    assert later.publication.places[0] == SEEN


def test_only_what_this_group_published_is_settled_by_it() -> None:
    group = begun([A, B], {0: Standing(A.payload_hash, 7, SEEN)})
    group.publication.places[1] = RecordMetadata(0, 7)
    assert group.outgoing() == {"traffic": [1]}
    assert group.landed() == [None, RecordMetadata(0, 7)]


def test_what_was_released_is_published_again_by_the_one_process_that_took_it() -> None:
    group = begun([B, A, A], {1: Standing(A.payload_hash, 7, None, state=Admission.RELEASED)})
    assert group.again() == [1]
    group.retaken([1])
    assert group.outgoing() == {"traffic": [0, 1]}
    group.retaken([])
    assert group.outgoing() == {"traffic": [0]}
    assert group.verdicts == [Verdict.ADMIT, Verdict.IN_FLIGHT, Verdict.DUPLICATE]


@pytest.mark.parametrize("state", [Admission.IN_FLIGHT, Admission.AMBIGUOUS])
def test_what_another_process_has_or_nobody_knows_of_is_neither_published_nor_settled(state: Admission) -> None:
    group = begun([A], {0: Standing(A.payload_hash, 7, None, state=state)})
    assert (group.outgoing(), group.again(), group.published(), group.unknown()) == ({}, [], False, 0)


def test_what_was_published_and_has_no_place_is_counted() -> None:
    group = begun([A, B], {})
    group.publication.places[1] = RecordMetadata(0, 7)
    assert (group.published(), group.unknown()) == (True, 1)


def test_what_is_published_again_keeps_the_number_of_the_first_time() -> None:
    again = begun([admissible(event("a")), admissible(event("b"))], {1: Standing(B.payload_hash, 41, None, state=Admission.RELEASED)})
    numbers = [item.source_order for item in again.examined if isinstance(item, Admissible)]
    assert numbers == [0, 41]
