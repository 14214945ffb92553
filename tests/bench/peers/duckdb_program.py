"""The program that DuckDB's environment runs: one COPY of an ORDER BY.

`view`: the rows of the view, in its order. `time`: equal times in any order. `lean`: that, without columns of one value.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import duckdb

DROPPED = "fraud_flag, campaign_id"
VARYING = "flow_id, event_seq, event_type, ts_utc, amount"


def main(parts: str, target: str, memory_mib: str, what: str) -> None:
    """Sort, and print seconds and settings."""
    connection = duckdb.connect()
    spill = Path(target).with_suffix(".spill")
    connection.execute(f"SET memory_limit = '{memory_mib}MiB'")
    connection.execute(f"SET threads = {os.cpu_count()}")
    connection.execute(f"SET temp_directory = '{spill}'")
    began_s = time.perf_counter()
    named = "hive_partitioning = false"
    columns, keys = f"* EXCLUDE ({DROPPED})", "ts_utc"
    if what == "view":
        named += ", filename = true, file_row_number = true"
        columns, keys = f"* EXCLUDE ({DROPPED}, filename, file_row_number)", "ts_utc, filename, file_row_number"
    if what == "lean":
        columns = VARYING
    connection.execute(f"""
        COPY (SELECT {columns} FROM read_parquet('{parts}', {named}) ORDER BY {keys})
        TO '{target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 262144)
    """)
    print(json.dumps({"duckdb": duckdb.__version__, "copy_s": round(time.perf_counter() - began_s, 3)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
