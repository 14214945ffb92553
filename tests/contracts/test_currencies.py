"""Currencies are those of ISO 4217; a code that has no minor unit there is no currency of a payment."""

from __future__ import annotations

import pytest

from assay.contracts.currencies import CODE, EXPONENT_MAX, ISO_4217, exponent_of, is_currency


@pytest.mark.parametrize(
    ("code", "exponent"), [("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("XOF", 0), ("XCG", 2), ("HRK", 2), ("BYR", 0), ("ISK", 0)]
)
def test_a_currency_has_the_exponent_of_the_standard(code: str, exponent: int) -> None:
    assert exponent_of(code) == exponent
    assert is_currency(code)


@pytest.mark.parametrize("code", ["XXX", "XTS", "XAU", "XDR", "XQZ", "eur", "EU", "EUR\n", ""])
def test_other_codes_are_no_currencies_of_payments(code: str) -> None:
    assert exponent_of(code) is None
    assert not is_currency(code)


def test_a_currency_of_no_standard_can_be_declared() -> None:
    assert is_currency("BTC", {"BTC"})
    assert not is_currency("BTC", {"ETH"})
    assert not is_currency("btc", {"btc"}), "three capital letters, as in every payment"


def test_the_table_holds_each_code_once_and_in_form() -> None:
    assert len(ISO_4217) == 180
    assert all(CODE.fullmatch(code) and 0 <= exponent <= EXPONENT_MAX for code, exponent in ISO_4217.items())
