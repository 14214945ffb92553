"""Features of a payment alone, at the edges of their hours and days."""

from __future__ import annotations

import pytest
from feature_worlds import DOCUMENT, SECOND, assertion, fact, pay
from lane_tables import LaneTables, values_of

from assay.tables.feature_plan import compile_plan

PLAN = compile_plan(DOCUMENT)
HOUR, DAY = 3_600 * SECOND, 86_400 * SECOND
#: 1970-01-05 was a Monday
MONDAY = 4 * DAY


@pytest.mark.parametrize(
    ("ts_us", "night", "weekend"),
    [
        (MONDAY - 1, 0, 1),
        (MONDAY, 1, 0),
        (MONDAY + 7 * HOUR - 1, 1, 0),
        (MONDAY + 7 * HOUR, 0, 0),
        (MONDAY + 5 * DAY - 1, 0, 0),
        (MONDAY + 5 * DAY, 1, 1),
        (MONDAY - 14 * DAY, 1, 0),
        (MONDAY - 14 * DAY - 1, 0, 1),
    ],
)
def test_night_and_weekend_begin_and_end_to_the_microsecond_also_before_1970(ts_us: int, night: int, weekend: int) -> None:
    values = values_of(PLAN, LaneTables(PLAN).fold([pay("p", ts_us, 7, account="a")]), 0)
    assert (values["size"], values["at_night"], values["at_weekend"]) == (7, night, weekend)


def test_only_payments_have_features_of_their_own() -> None:
    batch = LaneTables(PLAN).fold([pay("p", MONDAY, 7), fact("f", MONDAY, account="a"), assertion("l", MONDAY, "p")])
    assert [values_of(PLAN, batch, row)["at_night"] for row in range(3)] == [1, 0, 0]
