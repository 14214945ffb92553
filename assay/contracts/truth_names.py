"""Names of columns that tell the truth about a payment, compared as a person would: `TX_FRAUD`, `tx-fraud` and `TxFraud` are one."""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache
from importlib import resources

import yaml


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """A name without what spellings vary in: case, width and everything that is neither letter nor digit."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(letter for letter in folded if letter.isalnum())


@cache
def gate_truth_names() -> frozenset[str]:
    """Plain names of attributes and entities that the gate refuses in every run: those of its policy."""
    document = yaml.safe_load(resources.files("assay.contracts").joinpath("policies/gate/policy.yaml").read_text("utf-8"))
    return frozenset(plain_name(name) for name in document["truth_columns"])
