"""The words of a column's name, as a person reads them: `TransactionAmt` is `transaction amt`, `cc_num` is `cc num`."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

_SPLIT = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")

#: words that names without any separator are made of, such as `customerid`
_PARTS: Final = (
    "customer", "client", "user", "card", "account", "acct", "merchant", "terminal", "device", "transaction", "payment", "trans",
    "txn", "trx", "tx", "id", "number", "num", "no", "nr", "name", "type", "amount", "amt", "value", "date", "time", "fraud", "flag",
    "is", "key", "hash", "code", "email", "mail", "phone", "ip", "address", "category", "currency", "shop", "store", "orig", "dest",
    "old", "new", "balance", "bal", "event", "order", "booking", "kunden", "konto", "karten", "nummer", "domain", "unix", "label",
    "sender", "receiver", "payer", "payee", "ref", "total", "price", "created", "posted", "paid", "kind", "status", "country", "city",
    "state", "zip",
)  # fmt: skip
_COMPOUND: Final = re.compile(rf"(?:{'|'.join(sorted(_PARTS, key=len, reverse=True))}){{2,}}")
_PART: Final = re.compile("|".join(sorted(_PARTS, key=len, reverse=True)))
#: words that are no compounds, although they can be cut into such
_WHOLE: Final = ("datetime", "timestamp")


@lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """Words in small letters, without accents; digits are words of their own."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    found = [word.casefold() for word in _SPLIT.findall(plain)]
    return tuple(part for word in found for part in _parts(word))


def _parts(word: str) -> list[str]:
    return _PART.findall(word) if word not in _WHOLE and _COMPOUND.fullmatch(word) else [word]


def plain_label(name: str, fallback: str) -> str:
    """A name as mappings, entities and policies have it: small letters, digits and `_`, a letter first."""
    label = "_".join(words(name))[:64].strip("_")
    label = re.sub(r"[^a-z0-9_]", "", label)
    return label if re.match(r"[a-z]", label) else fallback
