"""The program that DuckDB's environment runs: one COPY of an ORDER BY, and the sums of row hashes if they are asked for."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import duckdb

DROPPED = "fraud_flag, campaign_id"


def hashes(connection: duckdb.DuckDBPyConnection, source: str, without: str) -> tuple[object, ...]:
    """Rows, Σ row hash, Σ (row hash mod 1000000007), first and last time."""
    columns = [row[0] for row in connection.execute(f"DESCRIBE SELECT * EXCLUDE ({without}) FROM {source}").fetchall()]
    of = f"hash({', '.join(sorted(columns))})"
    asked = f"SELECT count(*), sum({of}), sum({of} % 1000000007), min(ts_utc)::VARCHAR, max(ts_utc)::VARCHAR FROM {source}"
    return tuple(connection.execute(asked).fetchall()[0])


def main(parts: str, target: str, memory_mib: str, what: str) -> None:
    """Sort, and print seconds and settings."""
    connection = duckdb.connect()
    spill = Path(target).with_suffix(".spill")
    connection.execute(f"SET memory_limit = '{memory_mib}MiB'")
    connection.execute(f"SET threads = {os.cpu_count()}")
    connection.execute(f"SET temp_directory = '{spill}'")
    began_s = time.perf_counter()
    source = f"read_parquet('{parts}', filename = true, file_row_number = true, hive_partitioning = false)"
    connection.execute(f"""
        COPY (SELECT * EXCLUDE ({DROPPED}, filename, file_row_number) FROM {source} ORDER BY ts_utc, filename, file_row_number)
        TO '{target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 262144)
    """)
    sorted_s = time.perf_counter() - began_s
    told: dict[str, object] = {"duckdb": duckdb.__version__, "copy_s": round(sorted_s, 3)}
    if what == "statistics":
        raw = hashes(connection, source, f"{DROPPED}, filename, file_row_number")
        told["statistics_equal"] = raw == hashes(connection, f"read_parquet('{target}')", "")
        told["statistics_s"] = round(time.perf_counter() - began_s - sorted_s, 3)
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
