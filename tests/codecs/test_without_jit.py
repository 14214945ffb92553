"""The compiled codec and the same functions as plain Python give the same bytes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np

from assay.codecs.avro_decode import decode
from assay.codecs.avro_encode import encode
from assay.codecs.avro_plan import compile_schema
from assay.codecs.block_rows import Rows, chosen, joined
from assay.codecs.columns import Columns, Ragged, Strings, take
from assay.codecs.columns_bytes import block_of, columns_to_bytes
from assay.codecs.digests import sha256_rows
from assay.codecs.partitioner import partitions_of
from assay.codecs.single_object import encoder_of, split

FIELDS = {
    "text": "string",
    "number": "long",
    "small": "int",
    "flag": "boolean",
    "real": "double",
    "half": "float",
    "maybe": ["null", "string"],
    "list": {
        "type": "array",
        "items": {"type": "record", "name": "i", "fields": [{"name": "k", "type": "string"}, {"name": "v", "type": "long"}]},
    },
    "longs": {"type": "array", "items": "long"},
    "doubles": {"type": "array", "items": "double"},
    "fixed": {"type": "fixed", "name": "f", "size": 20},
    "choice": {"type": "enum", "name": "e", "symbols": ["A", "B"]},
}
SCHEMA = {"type": "record", "name": "all", "fields": [{"name": name, "type": kind} for name, kind in FIELDS.items()]}


def batch() -> Columns:
    """Rows with a value of every kind, small and large."""
    n = 6
    longs = np.array([0, 1, -1, 64, -(2**63), 2**63 - 1], np.int64)
    offsets = np.array([0, 2, 2, 3, 3, 5, 6])
    return {
        "text": Strings.of(["", "a", "é" * 30, "x" * 100, "y" * 17, "12345678"]),
        "number": longs,
        "small": np.arange(n),
        "flag": np.array([0, 1, 0, 1, 1, 0], np.int8),
        "real": np.array([0.0, -0.0, 1e300, np.inf, 0.1, -2.5]),
        "half": np.array([0.0, 0.5, -2.0, 1.0, 8.0, 0.25]),
        "maybe": Strings.of([None, "q", None, "", "r", None]),
        "list": Ragged(offsets, {"k": Strings.of(list("abcdef")), "v": longs}),
        "longs": Ragged(offsets, {"item": longs}),
        "doubles": Ragged(offsets, {"item": np.arange(6.0)}),
        "fixed": np.arange(n * 20, dtype=np.uint8).reshape(n, 20),
        "choice": np.array([0, 1, 1, 0, 0, 1], np.int32),
    }


def digest() -> str:
    """One digest over what every kernel of the codec gives for the batch, good and damaged."""
    plan = compile_schema(SCHEMA)
    bodies = encode(plan, batch())
    whole = [body or b"" for body in bodies.tolist()]
    damaged = Strings.of([*whole, *(body[: len(body) // 2] for body in whole), *(body.replace(b"\x01", b"\x81\xff") for body in whole)])
    decoded = decode(plan, *damaged)
    turned = take(decoded.columns, np.arange(len(damaged.lengths))[::-1])
    topics = Strings.of(["a", "b", "c"])
    flat: Columns = {name: column for name, column in batch().items() if not isinstance(column, Ragged)}
    mark: Columns = {"partition": np.arange(3), "topic": topics, "ts_utc": np.arange(3), "final": np.zeros(3, np.bool_)}
    framed = encoder_of("mark", {"pins": b"pins"}).encode(mark)
    parts = [
        bodies.data.tobytes(),
        decoded.verdict.tobytes(),
        columns_to_bytes(turned),
        joined([Rows.of(chosen(block_of(flat), np.arange(5)[::-1])), Rows(block_of(flat), 2, 5)]).whole.tobytes(),
        sha256_rows(b"p" * 70, *damaged).tobytes(),
        partitions_of(damaged, 5).tobytes(),
        framed.data.tobytes(),
        split(framed).tobytes(),
    ]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def test_machine_code_and_plain_python_agree() -> None:
    plan = compile_schema(SCHEMA)
    assert decode(plan, *encode(plan, batch())).verdict.tolist() == [0] * 6
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    # this file itself, in a process where the JIT is off from the start
    plain = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert plain.stderr == ""
    assert plain.stdout.strip() == digest()


if __name__ == "__main__":
    sys.stdout.write(digest())
