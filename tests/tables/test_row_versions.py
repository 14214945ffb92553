"""Row versions: which rows changed since a journal record, whatever the sequence numbers are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assay.codecs.table_state import TableState, blocks, read_state
from assay.tables.row_versions import RowVersions

ROWS = 20
CHANGES = st.lists(st.tuples(st.integers(0, 5), st.sets(st.integers(0, ROWS - 1))), max_size=60)


def read_back(versions: RowVersions, largest: int) -> RowVersions:
    """The versions from the bytes of their state."""
    state = read_state(b"".join(blocks(TableState({}, versions.state(ROWS)))))
    restored = RowVersions.from_state(dict(state.arrays))
    restored._largest = largest
    return restored


@given(CHANGES, st.sampled_from([4, 7, 30, 2**31 - 1]), st.booleans())
def test_rows_changed_since_a_recent_record_equal_a_dictionary(changes: list[tuple[int, set[int]]], largest: int, restart: bool) -> None:
    """Recent: not further back than half of the range of stamps. For an older record no changed row is missing."""
    versions, newest, sequence = RowVersions(largest), dict[int, int](), 0
    for step, rows in changes:
        sequence += step
        stamp = versions.stamp(sequence)
        assert 1 <= stamp <= largest
        versions.stamps[list(rows)] = stamp
        newest |= dict.fromkeys(rows, sequence)
        versions = read_back(versions, largest) if restart else versions
        for since in range(-1, sequence + 1):
            found = set(versions.changed_since(since).tolist())
            wanted = {row for row, changed in newest.items() if changed > since}
            assert found >= wanted
            if since >= sequence - largest // 2 + 1:
                assert found == wanted


def test_a_row_has_a_version_from_its_first_change_until_it_is_cleared() -> None:
    versions = RowVersions()
    versions.reserve(100)
    versions.stamps[[3, 99]] = versions.stamp(0)
    assert versions.has(np.array([-1, 2, 3, 99, 10**6])).tolist() == [False, False, True, True, False]
    assert versions.end() == 100
    versions.clear(np.array([99]))
    assert versions.changed_since(-1).tolist() == [3]
    assert versions.end() == 4
