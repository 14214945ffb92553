"""What an output is: its columns, its keys, its place, and who may read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.engine.identity import TOKENS, WorldIdentity

Kind = Literal["id", "id64", "int", "number", "bool", "text", "time", "local_time"]
Role = Literal[
    "traffic_primitives", "behavioural_streams", "behavioural_context", "truth_products", "audit_evidence", "ops_telemetry", "reference"
]

DTYPES: dict[str, pl.DataType] = {
    "id": pl.Int64(),
    "id64": pl.UInt64(),
    "int": pl.Int64(),
    "number": pl.Float64(),
    "bool": pl.Boolean(),
    "text": pl.String(),
    "time": pl.Datetime("us", "UTC"),
    "local_time": pl.Datetime("us"),
}


@dataclass(frozen=True)
class Column:
    """A column. `words`: the closed vocabulary of a text column, stored as a dictionary; empty where any text may stand."""

    name: str
    kind: Kind
    nullable: bool = False
    words: tuple[str, ...] = ()

    @property
    def dtype(self) -> pl.DataType:
        """The type of the column in a frame and in Parquet."""
        return pl.Enum(self.words) if self.words else DTYPES[self.kind]


@dataclass(frozen=True)
class Output:
    """A table of the world.

    `columns`: those that a state makes; `identity`: tokens that stand in every row before them; `tokens`: those in its path.
    `keys`: columns that name a row within the identity. `single`: one file of the output's name instead of numbered parts.
    """

    output_id: str
    segment_id: str
    layer: int
    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    role: Role
    identity: tuple[str, ...] = ("seed", "manifest_fingerprint", "parameter_hash")
    tokens: tuple[str, ...] = ("seed", "parameter_hash", "manifest_fingerprint")
    folder: str = ""
    external: bool = False
    single: bool = False
    join_keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert list(self.tokens) == [token for token in TOKENS if token in self.tokens], f"{self.output_id}: tokens out of order"

    @property
    def path_template(self) -> str:
        """The key of its parts in a pack, with tokens and `*` for the number of the part."""
        tokens = "".join(f"/{token}={{{token}}}" for token in self.tokens)
        name = f"{self.output_id}.parquet" if self.single else "part-*.parquet"
        return f"data/layer{self.layer}/{self.segment_id}/{self.folder or self.output_id}{tokens}/{name}"

    @property
    def partitions(self) -> tuple[str, ...]:
        """The tokens in the order in which the catalogue names them: manifest_fingerprint before parameter_hash."""
        order = ("seed", "manifest_fingerprint", "parameter_hash", "scenario_id", "run_id", "utc_day")
        return tuple(token for token in order if token in self.tokens)

    def path(self, identity: WorldIdentity, part: int) -> str:
        """The key of a part."""
        return self.path_template.replace("*", f"{part:06d}").format_map(identity.tokens())

    def conformed(self, made: pl.DataFrame, identity: WorldIdentity) -> pl.DataFrame:
        """The rows as they are stored: identity columns, then the made ones in their order and types.

        Raises Stop(ENGINE_OUTPUT_INVALID): a missing or further column, another type, a null or a word that the column does not allow.
        """
        names = [column.name for column in self.columns]
        if sorted(made.columns) != sorted(names):
            raise self._invalid(f"columns {', '.join(sorted({*made.columns} ^ {*names}))} are missing or not declared")
        try:
            typed = made.select(pl.col(column.name).cast(column.dtype) for column in self.columns)
        except pl.exceptions.PolarsError as error:
            raise self._invalid(f"a value does not have the type of its column: {str(error).splitlines()[0]}") from None
        holes = [column.name for column in self.columns if not column.nullable and typed[column.name].null_count()]
        if holes:
            raise self._invalid(f"column {holes[0]} has {typed[holes[0]].null_count()} nulls")
        return typed.select(*_identity_columns(self.identity, identity), *names)

    def _invalid(self, what: str) -> Stop:
        remedy = "This is a fault of the engine or of its parameters; the segment leaves no flag."
        return Stop(Reason.ENGINE_OUTPUT_INVALID, what, where=self.output_id, remedy=remedy)


def worded(codes: NDArray[np.integer[Any]], words: Sequence[str]) -> pl.Series:
    """A column of a vocabulary from numbers of words."""
    return pl.Series(codes).cat.to(pl.Enum(words))


def numbered(column: pl.Series, words: Sequence[str]) -> NDArray[np.int64]:
    """Numbers of words, the reverse of `worded`. A word outside of the vocabulary raises polars' error."""
    return column.cast(pl.Enum(words)).to_physical().to_numpy().astype(np.int64)


def _identity_columns(names: tuple[str, ...], identity: WorldIdentity) -> list[pl.Expr]:
    texts: Mapping[str, str] = identity.tokens()
    return [
        (pl.lit(identity.seed, pl.Int64) if name == "seed" else pl.lit(texts[name], pl.Enum([texts[name]]))).alias(name) for name in names
    ]
