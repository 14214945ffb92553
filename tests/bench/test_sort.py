"""`assay bench sort` sorts a pack as a user would, and counts no round in which the views differ."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from assay.app.bench.event_pack import CAMPAIGNS, OUTPUT_ID, PART_ROWS, Arrangement, write_pack
from assay.app.bench.peers import sort_rival
from assay.app.bench.sort import compare, run
from assay.app.pack.sealed_pack import open_pack
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def test_figures_are_those_of_the_command(tmp_path: Path) -> None:
    figures = run(["--rows", "4000", "--rounds", "1", "--no-rival", "--folder", str(tmp_path), "--memory-mib", "800"])
    assert figures["rounds"][0].keys() >= {"wall_s", "cpu_s", "rss_mib", "rows_per_s", "steps_s", "spilled_mib"}
    assert figures["rounds"][0]["steps_s"].keys() >= {"survey", "decode", "raw statistics", "order", "encode", "sorted statistics"}
    assert "4,000 events" in figures["measured"] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arrangement", ["following", "mixed"])
def test_the_pack_is_sealed_and_its_parts_are_arranged_as_asked(tmp_path: Path, arrangement: Arrangement) -> None:
    store = DirectoryStore(tmp_path)
    write_pack(store, PART_ROWS + 2_000, arrangement, lambda _: None)
    pack = open_pack(store)
    first, second = (pl.read_parquet(tmp_path / part.path, hive_partitioning=False) for part in pack.parts(pack.output(OUTPUT_ID)))
    assert (len(first), len(second)) == (PART_ROWS, 2_000)
    follows = int(first["ts_utc"].to_physical().to_numpy()[::2].max()) < int(second["ts_utc"].to_physical().to_numpy()[::2].min())
    assert follows == (arrangement == "following")
    assert not first["ts_utc"].is_sorted()
    assert set(first["campaign_id"].drop_nulls()) == set(CAMPAIGNS)
    assert first["fraud_flag"].equals(first["campaign_id"].is_not_null())


def planted(folder: Path, ours: pl.DataFrame, theirs: pl.DataFrame) -> tuple[list[Path], Path]:
    """Our view in two files, and a rival's in one."""
    paths = [folder / "part-000000.parquet", folder / "part-000001.parquet"]
    ours[:3].write_parquet(paths[0])
    ours[3:].write_parquet(paths[1])
    theirs.write_parquet(folder / "copy.parquet")
    return paths, folder / "copy.parquet"


ROWS = pl.DataFrame({"word": pl.Series(["a", "b", "a", "b"], dtype=pl.Enum(["a", "b"])), "number": [1, 2, 3, 4]})


def test_a_view_of_the_same_rows_in_the_same_order_is_counted(tmp_path: Path) -> None:
    compare(*planted(tmp_path, ROWS, ROWS.with_columns(pl.col("word").cast(pl.String)).select("number", "word")))


@pytest.mark.parametrize("other", [ROWS.reverse(), ROWS[:3], pl.concat([ROWS, ROWS[:1]]), ROWS.with_columns(number=1)])
def test_another_view_is_not_counted(tmp_path: Path, other: pl.DataFrame) -> None:
    with pytest.raises(Stop) as refused:
        compare(*planted(tmp_path, ROWS, other))
    assert refused.value.reason is Reason.BENCH_INVALID


def test_a_rival_is_no_part_of_the_package(tmp_path: Path) -> None:
    with pytest.raises(Stop) as refused:
        sort_rival(tmp_path)
    assert refused.value.reason is Reason.BENCH_INVALID and "--no-rival" in refused.value.remedy
