"""An output of a pack in a bucket is sorted there, into the bytes of a sort in a folder."""

from __future__ import annotations

import json
from pathlib import Path

from assay_command import assay
from planted_worlds import made

from assay.app.stores.objects import DirectoryStore
from assay.app.stores.places import store_of

EVENTS = "s3_event_stream_with_fraud_6B"
PART = f"stream_view/ts_utc/output_id={EVENTS}/part-000000.parquet"


def test_a_view_in_a_bucket_has_the_bytes_of_one_in_a_folder(s3: str, tmp_path: Path) -> None:
    bucket, folder = f"s3://{s3}/sorted", tmp_path / "world"
    made(store_of(bucket), lambda frames: {EVENTS: frames[EVENTS]})
    made(DirectoryStore(folder), lambda frames: {EVENTS: frames[EVENTS]})
    for place in (bucket, folder, bucket):
        ended = assay("oracle", "sort", place, "--json")
        assert ended.code == 0, ended.text
    assert json.loads(ended.out)["views"][0]["kept"]
    assert store_of(bucket).read(PART) == store_of(folder).read(PART)
    assert not [key for key in store_of(bucket).keys("stream_view") if "begun" in key]
