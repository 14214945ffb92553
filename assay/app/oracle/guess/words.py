"""The words of a column's name, as a person reads them: `TransactionAmt` is `transaction amt`, `cc_num` is `cc num`."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_SPLIT = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")


@lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """Words in small letters, without accents; digits are words of their own."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    return tuple(found.casefold() for found in _SPLIT.findall(plain))


def plain_label(name: str, fallback: str) -> str:
    """A name as mappings, entities and policies have it: small letters, digits and `_`, a letter first."""
    label = "_".join(words(name))[:64].strip("_")
    label = re.sub(r"[^a-z0-9_]", "", label)
    return label if re.match(r"[a-z]", label) else fallback
