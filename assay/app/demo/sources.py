"""Where the payments of a demo come from: a file of somebody's own, a sample in the shape of a public data set, or a generated world."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from assay.app.oracle.generator import SHAPES, generate
from assay.app.oracle.samples.shelf import SAMPLES, sample_named, write_sample
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: payments of a generated world unless somebody asks for others
ROWS = 100_000


class Source(NamedTuple):
    """A file with its mapping. `given` is None for one that is made: a sample where `sample` says so, else a generated world."""

    given: Path | None
    sample: bool
    mapping: str
    rows: int
    seed: int

    def file_in(self, directory: Path) -> Path:
        """The file; one that is made lies in the run's directory."""
        return self.given or directory / f"{self.mapping}{self._suffix}"

    def make(self, file: Path, console: Console) -> None:
        """Write the file unless it is there: a resumed run has it."""
        if self.given is not None or file.exists():
            return
        unfinished = file.with_name(f"unfinished{self._suffix}")
        unfinished.unlink(missing_ok=True)
        if self.sample:
            write_sample(self.mapping, self.rows, self.seed, unfinished)
        else:
            generate(self.mapping, self.rows, self.seed, unfinished)
        unfinished.replace(file)  # a file is there when it is whole
        console.print(f"  generated {self.rows:,} payments of shape {self.mapping}, seed {self.seed}", highlight=False)

    @property
    def options(self) -> Sequence[str]:
        """The options of `assay demo` that name this source."""
        if self.given is not None:
            return "--input", str(self.given), "--mapping", self.mapping
        return "--sample" if self.sample else "--mapping", self.mapping, "--rows", str(self.rows), "--seed", str(self.seed)

    @property
    def _suffix(self) -> str:
        return ".csv" if self.sample else ".parquet"


def source_of(given: Path | None, sample: str, mapping: str, rows: int | None, seed: int) -> Source:
    """Raises Stop(GENERATOR_REQUEST_INVALID) for a sample that is not there, and for a mapping that no generator writes files for."""
    if sample or (given is None and mapping in SAMPLES):
        name = sample or mapping
        return Source(None, True, name, rows or sample_named(name).rows, seed)
    if given is None and mapping not in SHAPES:
        raise Stop(
            Reason.GENERATOR_REQUEST_INVALID,
            f"nothing generates payments for the mapping '{mapping}'",
            remedy=f"Give the file with --input, or one of {', '.join((*SHAPES, *SAMPLES))}.",
        )
    return Source(given, False, mapping, rows or ROWS, seed)
