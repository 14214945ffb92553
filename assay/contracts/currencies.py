"""Currencies of ISO 4217 with the exponent of their minor unit: 2 for EUR (a cent is 10**-2 euros), 0 for JPY, 3 for KWD.

The table is the standard's list of active codes of 2026-01-01, and the codes that were withdrawn since 2010: payments of the past carry
them. Codes without a minor unit are no currencies of payments: metals (XAU), accounting units (XDR), tests (XTS), no currency (XXX).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

#: the form of a code; a currency that is not of ISO 4217 has it, too
CODE: Final = re.compile(r"[A-Z]{3}")
#: the largest exponent that an amount can be declared with
EXPONENT_MAX: Final = 8

_EXPONENT_2: Final = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK
DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR
LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR
SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER
ZAR ZMW ZWG
"""
_EXPONENT_0: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_EXPONENT_3: Final = "BHD IQD JOD KWD LYD OMR TND"
_EXPONENT_4: Final = "CLF UYW"
_WITHDRAWN_2: Final = "ANG BGN CUC EEK HRK LTL LVL MRO SLL STD USS VEF ZMK ZWL"
_WITHDRAWN_0: Final = "BYR"


def _exponents(*groups: tuple[int, str]) -> dict[str, int]:
    return {code: exponent for exponent, codes in groups for code in codes.split()}


#: code → exponent
ISO_4217: Final[Mapping[str, int]] = MappingProxyType(
    _exponents((2, _EXPONENT_2), (0, _EXPONENT_0), (3, _EXPONENT_3), (4, _EXPONENT_4), (2, _WITHDRAWN_2), (0, _WITHDRAWN_0))
)


def exponent_of(code: str) -> int | None:
    """The exponent of a currency's minor unit; None for a code that is no currency of payments in ISO 4217."""
    return ISO_4217.get(code)


def is_currency(code: str, declared: Iterable[str] = ()) -> bool:
    """Whether a payment may be in this currency: ISO 4217 has it, or it is declared (a mapping's `currencies`: crypto, points)."""
    return code in ISO_4217 or (CODE.fullmatch(code) is not None and code in declared)


def amount_text(minor: float, code: str, exponent: int | None = None) -> str:
    """An amount as people write it: `1,310.00 EUR`. `exponent` is one that is declared; without any, the amount is in minor units.

    A mean of amounts is rounded to the minor unit, half to even.
    """
    found = exponent_of(code) if exponent is None else exponent
    if found is None:
        return f"{round(minor):,} minor units of {code}" if code else f"{round(minor):,} minor units"
    return f"{Decimal(round(minor)).scaleb(-found):,f} {code}"
