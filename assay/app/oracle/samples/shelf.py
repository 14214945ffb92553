"""The samples by name, and how one is written to a file."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Final

from assay.app.oracle.samples.baf import BAF
from assay.app.oracle.samples.banksim import BANKSIM
from assay.app.oracle.samples.creditcard import CREDITCARD
from assay.app.oracle.samples.ieee_cis import IEEE_CIS
from assay.app.oracle.samples.paysim import PAYSIM
from assay.app.oracle.samples.shop import SHOP
from assay.app.oracle.samples.sparkov import SPARKOV
from assay.app.oracle.samples.tabformer import TABFORMER
from assay.app.oracle.samples.written import Sample
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: name → sample; each has a shipped mapping of the same name
SAMPLES: Final[dict[str, Sample]] = {
    "baf": BAF,
    "banksim": BANKSIM,
    "creditcard": CREDITCARD,
    "ieee_cis": IEEE_CIS,
    "paysim": PAYSIM,
    "shop": SHOP,
    "sparkov": SPARKOV,
    "tabformer": TABFORMER,
}


def sample_named(name: str) -> Sample:
    """Raises Stop(GENERATOR_REQUEST_INVALID) for a name that is no sample."""
    if name not in SAMPLES:
        near = difflib.get_close_matches(name.lower().replace("-", "_"), SAMPLES, 1)
        hint = f"Did you mean '{near[0]}'? " if near else ""
        raise Stop(Reason.GENERATOR_REQUEST_INVALID, f"there is no sample '{name}'", remedy=f"{hint}Samples are {', '.join(SAMPLES)}.")
    return SAMPLES[name]


def write_sample(name: str, rows: int | None, seed: int, out: Path) -> int:
    """Write a sample to a .csv file and give the number of its rows. `rows`: None for as many as the sample has by itself.

    Raises Stop(GENERATOR_REQUEST_INVALID) for a name that is no sample, no rows, another kind of file, and a file that is there.
    """
    sample = sample_named(name)
    count = sample.rows if rows is None else rows
    problems = {
        f"{count} rows are not a file": count < 1,
        f"the sample has {sample.rows_max} rows, not {count:,}": sample.rows_max is not None and count > sample.rows_max,
        f"'{out.suffix}' is not the kind of file that a sample is": out.suffix != ".csv",
        "the file is there, and nothing is overwritten": out.exists(),
    }
    for what, wrong in problems.items():
        if wrong:
            remedy = "Write at least one row, and no more than the sample has, to a .csv file that is not there."
            raise Stop(Reason.GENERATOR_REQUEST_INVALID, what, where=str(out), remedy=remedy)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(sample.text(count, seed), encoding="utf-8")
    return count
