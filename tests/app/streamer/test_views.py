"""A view is streamed if it is of the files that READY names; a streamer reads nothing but views."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streamed_banks import EVENTS, PINS, facts_view, ready_for, rows_of, write_view

from assay.app.stores.objects import DirectoryStore
from assay.app.stream_view.naming import RECEIPT, view_root
from assay.app.streamer.facts import RunFacts, facts_of
from assay.app.streamer.view_port import ViewPort
from assay.app.streamer.views import View, root_of, view_of
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def _opened(store: DirectoryStore, output_id: str = EVENTS, **changes: Any) -> tuple[RunFacts, ViewPort]:
    locator = write_view(store, EVENTS, rows_of(EVENTS), **changes)
    facts = facts_of(store, ready_for(store, facts_view([{**locator, "output_id": output_id}], str(store.root))), PINS)
    return facts, ViewPort(store, root_of(facts, facts.sources[output_id]))


def _view(store: DirectoryStore, output_id: str = EVENTS, **changes: Any) -> View:
    facts, port = _opened(store, output_id, **changes)
    return view_of(port, facts, facts.sources[output_id])


def test_a_view_has_the_files_of_its_receipt_in_order(tmp_path: Path) -> None:
    view = _view(DirectoryStore(tmp_path))
    assert [one.rows for one in view.files] == [5, 5, 2]
    assert view.rows == 12
    assert [one.key.rpartition("/")[2] for one in view.files] == [f"part-00000{number}.parquet" for number in range(3)]


@pytest.mark.parametrize(
    "changes",
    [
        {"stream_view_id": "0" * 64},
        {"oracle_pack_id": "0" * 64},
        {"sort_keys": ["flow_id"]},
        {"source_locator_digest": "0" * 64},
        {"source_content_digest": "0" * 64},
        {"engine_run_id": "0" * 32},
        {"status": "BEGUN"},
        {"raw_stats": {"row_count": 12, "max_ts_utc": "2026-01-01T00:00:00.000000Z"}},
        {"parts": []},
        {"parts": None},
        {"sorted_stats": {"row_count": 12}, "raw_stats": {"row_count": 12}},
    ],
)
def test_a_view_of_other_files_or_another_form_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(Stop) as refused:
        _view(DirectoryStore(tmp_path), **changes)
    assert refused.value.reason is Reason.STREAM_RECEIPT_MISMATCH


def test_an_output_that_is_not_sorted_is_refused_with_the_command_that_sorts_it(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    facts, port = _opened(store)
    store.remove(f"{view_root(EVENTS)}/{RECEIPT}")
    with pytest.raises(Stop) as refused:
        view_of(port, facts, facts.sources[EVENTS])
    assert refused.value.reason is Reason.STREAM_RECEIPT_MISSING
    assert "assay oracle sort" in refused.value.remedy


def test_an_output_without_a_pinned_order_does_not_stream(tmp_path: Path) -> None:
    with pytest.raises(Stop) as refused:
        _view(DirectoryStore(tmp_path), "s4_case_openings_6B")
    assert refused.value.reason is Reason.MISSING_SORT_KEY


@pytest.mark.parametrize(
    "key",
    [
        "data/x.parquet",
        "stream_view",
        "stream_viewer/x",
        "stream_view/../data/x.parquet",
        "/stream_view/x",
        "./stream_view/x",
        "stream_view/./../x",
        "_SEALED.json",
        "",
    ],
)
def test_a_port_of_views_opens_nothing_else(tmp_path: Path, key: str) -> None:
    store = DirectoryStore(tmp_path)
    store.create("data/x.parquet", b"truth")
    with pytest.raises(Stop) as refused:
        ViewPort(store).read(key)
    assert (refused.value.reason, refused.value.where) == (Reason.OUTSIDE_STREAM_VIEW, key)


def test_a_part_outside_the_views_is_not_read(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    digest = {"algo": "sha256", "hex": "0" * 64}
    facts, port = _opened(store, parts=[{"path": "data/truth.parquet", "rows": 12, "content_digest": digest}])
    view = view_of(port, facts, facts.sources[EVENTS])
    with pytest.raises(Stop) as refused:
        view.files[0].bytes_from(port)
    assert refused.value.reason is Reason.OUTSIDE_STREAM_VIEW
