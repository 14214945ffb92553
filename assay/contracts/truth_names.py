"""Names of columns that tell the truth about a payment, compared as a person would: `TX_FRAUD`, `tx-fraud` and `TxFraud` are one."""

from __future__ import annotations

import unicodedata
from functools import lru_cache


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """A name without what spellings vary in: case, width and everything that is neither letter nor digit."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(letter for letter in folded if letter.isalnum())
