"""Lines are counted by their ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay.codecs.lines import lines_in


@given(st.lists(st.sampled_from([b"\n", b"a", b"\r", b"\x8a"]), max_size=40))
def test_every_end_of_a_line_counts_and_nothing_else(parts: list[bytes]) -> None:
    assert lines_in(b"".join(parts)) == parts.count(b"\n")
