"""Fields that are equal in all records: the same bytes as columns of equal values, at any number of rows."""

from __future__ import annotations

import numpy as np
import pytest

from assay.codecs.avro_bind import Constant
from assay.codecs.avro_decode import decode, judge
from assay.codecs.avro_encode import encode
from assay.codecs.avro_plan import compile_schema
from assay.codecs.columns import Columns, Strings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

PLAN = compile_schema({
    "type": "record", "name": "r",
    "fields": [
        {"name": "id", "type": {"type": "fixed", "name": "f", "size": 4}},
        {"name": "text", "type": "string"},
        {"name": "at", "type": "long"},
        {"name": "inner", "type": {"type": "record", "name": "i", "fields": [
            {"name": "n", "type": "int"}, {"name": "t", "type": "string"},
        ]}},
        {"name": "row", "type": "long"},
    ],
})  # fmt: skip
#: the inner record {n: 3, t: "ab"}
INNER = b"\x06\x04ab"
CONSTANTS: dict[str, Constant] = {"id": b"\1\2\3\4", "text": b"same", "at": -7, "inner": INNER}


@pytest.mark.parametrize("n", [1, 2, 20, 300])
@pytest.mark.parametrize("column", [None, "id", "text", "at", "inner"])
def test_constants_give_the_bytes_of_columns_of_equal_values(n: int, column: str | None) -> None:
    columns: Columns = {
        "id": np.tile(np.arange(1, 5, dtype=np.uint8), (n, 1)), "text": Strings.of(["same"] * n), "at": np.full(n, -7),
        "inner": Strings.of([INNER] * n), "row": np.arange(n),
    }  # fmt: skip
    given = {path: value for path, value in CONSTANTS.items() if path != column}
    constant = encode(PLAN, {path: values for path, values in columns.items() if path not in given}, given)
    assert constant.tolist() == encode(PLAN, columns).tolist()
    back = decode(PLAN, constant.data, constant.starts, constant.lengths)
    assert not back.verdict.any()
    assert np.asarray(back.columns["inner.n"]).tolist() == [3] * n


@pytest.mark.parametrize(("path", "value"), [("id", b"\1\2\3"), ("id", 7), ("text", 7), ("at", b"7"), ("inner", 7)])
def test_a_constant_of_another_kind_or_width_is_refused(path: str, value: Constant) -> None:
    with pytest.raises(Stop, match="cannot be the constant") as refused:
        encode(PLAN, {"row": np.arange(3)}, {**CONSTANTS, path: value})
    assert refused.value.reason is Reason.COLUMNS_MISMATCH


def test_a_verdict_without_columns_is_that_of_decoding() -> None:
    good = encode(PLAN, {"row": np.arange(4)}, CONSTANTS)
    lengths = good.lengths.copy()
    lengths[1] -= 1
    lengths[2] -= 9
    whole = decode(PLAN, good.data, good.starts, lengths).verdict.tolist()
    assert judge(PLAN, good.data, good.starts, lengths).tolist() == whole
    assert whole[0] == 0 < whole[1]
