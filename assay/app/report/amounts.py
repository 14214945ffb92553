"""Amounts for people: in major units of their currency."""

from __future__ import annotations


def major(minor: int, exponent: int | None) -> str:
    """`1,234.50` of 123450 with exponent 2, exactly; without a known exponent the minor units as they are."""
    if not exponent:
        return f"{minor:,}"
    whole, rest = divmod(abs(minor), 10**exponent)
    return f"{'-' if minor < 0 else ''}{whole:,}.{rest:0{exponent}d}"


def unit(currency: str, exponent: int | None) -> str:
    """The currency's code, and that amounts are in minor units where its exponent is not known."""
    return currency if exponent is not None else f"minor units of {currency}"


def two_digits(value: float) -> str:
    """A number of two significant digits and no exponent: 2.5, 23, 1,200, 0.071."""
    rounded = float(f"{value:.1e}")
    return f"{rounded:,.0f}" if rounded >= 10 or rounded == 0 else f"{rounded:.{_decimals(rounded)}f}"


def _decimals(value: float) -> int:
    return 1 - int(f"{value:e}".partition("e")[2])
