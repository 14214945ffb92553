"""Wilson's interval against its definition: the shares whose own test would not reject the count."""

from __future__ import annotations

import math

import pytest

from assay.app.report.share import FEW, Z, share


@pytest.mark.parametrize(("count", "of"), [(0, 1), (1, 1), (0, 61), (58, 61), (5, 10), (999, 10_000)])
def test_the_ends_are_the_shares_at_which_the_count_is_just_not_unlikely(count: int, of: int) -> None:
    found = share(count, of)
    assert (found.value, found.low is not None, found.high is not None) == (count / of, True, True)
    for end, at_limit in ((found.low, 0.0), (found.high, 1.0)):
        assert end is not None
        if end != at_limit:
            assert math.isclose(abs(count / of - end) / math.sqrt(end * (1 - end) / of), Z, rel_tol=1e-9)
    assert found.few == (of < FEW)


def test_published_values() -> None:
    """Newcombe (1998), table I: 81 of 263 and 15 of 148."""
    assert [round(end or 0, 4) for end in (share(81, 263).low, share(81, 263).high)] == [0.2553, 0.3662]
    assert [round(end or 0, 4) for end in (share(15, 148).low, share(15, 148).high)] == [0.0624, 0.1605]


def test_of_nothing_there_is_no_share() -> None:
    assert (share(0, 0).value, share(0, 0).low, share(0, 0).high) == (None, None, None)
