"""How amounts and durations read."""

from __future__ import annotations

import pytest

from assay.app.report.amounts import major, two_digits, unit


@pytest.mark.parametrize(
    ("minor", "exponent", "text"),
    [
        (123_450, 2, "1,234.50"), (5, 2, "0.05"), (-5, 2, "-0.05"), (-123_450, 2, "-1,234.50"), (1_500, 0, "1,500"), (1_500, None, "1,500"),
        (1_234_567, 3, "1,234.567"), (2**62, 2, "46,116,860,184,273,879.04"), (0, 2, "0.00"), (1, 8, "0.00000001"),
    ],
)  # fmt: skip
def test_an_amount_is_exact_in_major_units(minor: int, exponent: int | None, text: str) -> None:
    assert major(minor, exponent) == text


def test_an_unknown_currency_says_that_its_minor_units_are_meant() -> None:
    assert (unit("EUR", 2), unit("JPY", 0), unit("PTS", None)) == ("EUR", "JPY", "minor units of PTS")


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.5, "2.5"), (2, "2.0"), (23.4, "23"), (9.96, "10"), (1234, "1,200"), (0.0714, "0.071"), (0, "0"), (99.6, "100"), (0.996, "1.0")],
)
def test_durations_have_two_digits(value: float, text: str) -> None:
    assert two_digits(value) == text
