"""Where the payments of a demo come from: a file of somebody's own, a sample in the shape of a public data set, or a generated world."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from assay.app.oracle.generator import SHAPES, generate
from assay.app.oracle.samples.shelf import SAMPLES, sample_named, write_sample
from assay.app.world.demo_payments import payments_of_world
from assay.app.world.scales import SCALES
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: payments that are generated unless somebody asks for others
ROWS = 100_000
#: mapping and policy of the synthetic bank; also the folder of a run that holds its world
WORLD = "world"


class Source(NamedTuple):
    """A file with its mapping. `given` is None for one that is made: a sample where `sample` says so, the payments of a synthetic bank
    of the scale `world`, else generated payments.
    """

    given: Path | None
    sample: bool
    mapping: str
    rows: int
    seed: int
    world: str = ""

    def file_in(self, directory: Path) -> Path:
        """The file; one that is made lies in the run's directory."""
        return self.given or directory / f"{self.mapping}{self._suffix}"

    def make(self, file: Path, console: Console) -> None:
        """Write the file unless it is there: a resumed run has it."""
        if self.given is not None or file.exists():
            return
        unfinished = file.with_name(f"unfinished{self._suffix}")
        unfinished.unlink(missing_ok=True)
        made, what = self.rows, f"payments of shape {self.mapping}"
        if self.world:
            made, what = (
                payments_of_world(self.world, self.seed, file.parent / WORLD, unfinished, console),
                f"payments of a bank of scale {self.world}",
            )
        elif self.sample:
            write_sample(self.mapping, self.rows, self.seed, unfinished)
        else:
            generate(self.mapping, self.rows, self.seed, unfinished)
        unfinished.replace(file)  # a file is there when it is whole
        console.print(f"  generated {made:,} {what}, seed {self.seed}", highlight=False)

    @property
    def options(self) -> Sequence[str]:
        """The options of `assay demo` that name this source."""
        if self.given is not None:
            return "--input", str(self.given), "--mapping", self.mapping
        if self.world:
            return "--world", self.world, "--seed", str(self.seed)
        return "--sample" if self.sample else "--mapping", self.mapping, "--rows", str(self.rows), "--seed", str(self.seed)

    @property
    def _suffix(self) -> str:
        return ".csv" if self.sample else ".parquet"


def source_of(given: Path | None, sample: str, mapping: str, rows: int | None, seed: int, world: str = "") -> Source:
    """Raises Stop(GENERATOR_REQUEST_INVALID) for a sample or a scale that is not there, and for a mapping that nothing writes files for."""
    if world:
        _refuse_unknown_scale(world)
        return Source(None, False, WORLD, 0, seed, world)
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


def _refuse_unknown_scale(world: str) -> None:
    if world not in SCALES:
        remedy = f"Scales are {', '.join(SCALES)}."
        raise Stop(Reason.GENERATOR_REQUEST_INVALID, f"there is no world of scale '{world}'", where="--world", remedy=remedy)
