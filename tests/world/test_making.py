"""The graph of segments is interpreted: equal bytes however it is run, and nothing readable where something is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from small_graph import FIRST, GRAPH, IDENTITY, NUMBERS, PARAMETERS, SECOND, SQUARES, files, maker, numbers, with_state

from assay.app.stores.objects import DirectoryStore
from assay.app.world.bundles import passed, status_of
from assay.app.world.making import WorldMaker, last_readers
from assay.contracts.errors import Stop
from assay.contracts.gates import FLAG
from assay.contracts.reasons import Reason
from assay.engine.graph import SEGMENTS
from assay.engine.segment import Check, Scene, Segment, Verdict


class Cut(Exception):
    """The process ended here."""


class CutStore(DirectoryStore):
    """A store whose process ends before a key of some name is written."""

    cut_at = ""

    def create(self, key: str, data: bytes) -> None:
        if self.cut_at and key.endswith(self.cut_at):
            raise Cut(key)
        super().create(key, data)


@pytest.fixture
def store(tmp_path: Path) -> CutStore:
    """An empty store."""
    return CutStore(tmp_path / "world")


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_number_of_workers_changes_no_byte(tmp_path: Path, store: CutStore, workers: int) -> None:
    maker(store).make()
    other = DirectoryStore(tmp_path / "other")
    maker(other, workers=workers).make()
    assert files(other) == files(store)


def test_a_part_has_its_place_and_its_identity_in_every_row(store: CutStore) -> None:
    maker(store).make()
    key = f"data/layer1/1B/powers/seed=7/manifest_fingerprint={IDENTITY.manifest_fingerprint}/scenario_id=baseline_v1/part-000002.parquet"
    rows = pl.read_parquet(store.root / key, hive_partitioning=False)
    assert rows.columns == ["seed", "manifest_fingerprint", "parameter_hash", "scenario_id", "number", "square"]
    assert rows.select(SQUARES.identity).unique().row(0) == (7, IDENTITY.manifest_fingerprint, IDENTITY.parameter_hash, "baseline_v1")
    assert len(rows.select(SQUARES.identity).unique()) == 1
    assert (rows["number"] ** 2).equals(rows["square"])


@pytest.mark.parametrize(
    "name", ["part-000000.parquet", "part-000003.parquet", "outputs.json", "validation_report.json", "index.json", FLAG]
)
def test_what_is_cut_off_cannot_be_read_and_goes_on(store: CutStore, tmp_path: Path, name: str) -> None:
    store.cut_at = name
    with pytest.raises(Cut):
        maker(store, (FIRST,)).make()
    assert status_of(store, FIRST, IDENTITY).status == "missing"
    with pytest.raises(Stop) as refused:
        passed(store, FIRST, IDENTITY)
    assert refused.value.reason is Reason.REQUIRED_GATE_RECEIPT_MISSING
    store.cut_at = ""
    maker(store).make()
    untouched = DirectoryStore(tmp_path / "untouched")
    maker(untouched).make()
    assert files(store) == files(untouched)


def test_a_passed_segment_is_not_made_again(store: CutStore) -> None:
    assert [one.rows for one in maker(store).make()] == [200, 200]
    assert maker(store).make() == []


def test_progress_counts_the_parts_of_the_whole_world(store: CutStore) -> None:
    told: list[tuple[str, int, int]] = []
    store.cut_at = "scenario_id=baseline_v1/part-000001.parquet"
    with pytest.raises(Cut):
        maker(store, told=lambda *one: told.append(one)).make()
    store.cut_at = ""
    maker(store, told=lambda *one: told.append(one)).make()  # the first segment's parts are done already
    assert told == [*(("1A S1", done, 8) for done in range(1, 5)), *(("1B S1", done, 8) for done in (5, 5, 6, 7, 8))]


def test_a_part_is_dropped_after_its_last_reader_and_not_before(store: CutStore, tmp_path: Path) -> None:
    seen: list[tuple[str, bool]] = []

    def drop(key: str) -> None:
        seen.append((key.split("/")[3], any((store.root / SECOND.bundle_root(IDENTITY)).rglob(FLAG))))
        store.remove(key)

    times = WorldMaker(store, IDENTITY, PARAMETERS, GRAPH, drop=drop).make()
    assert [one.rows for one in times] == [200, 200]
    # numbers are read by the second state; squares by a check of the segment, whose flag comes later
    assert seen == [*[("numbers", False)] * 4, *[("powers", False)] * 4]
    kept = DirectoryStore(tmp_path / "kept")
    maker(kept).make()
    bundles = {key: data for key, data in files(kept).items() if not key.endswith(".parquet")}
    assert files(store) == bundles


def test_the_last_reader_of_an_output_is_a_state_or_a_check_or_its_maker() -> None:
    assert last_readers(GRAPH) == {"numbers": ("1B", "S1"), "squares": ("1B", "")}
    assert last_readers((FIRST,)) == {"numbers": ("1A", "S1")}
    last = last_readers(SEGMENTS)
    assert (last["arrival_events_5B"], last["s2_flow_anchor_baseline_6B"]) == (("6B", "S2"), ("6B", "S3B"))
    assert (last["s3_arrival_entities_with_fraud_6B"], last["s1_session_index_6B"]) == (("6B", "S3B"), ("6B", ""))


def test_a_changed_byte_of_an_input_is_refused_where_it_is_read(store: CutStore) -> None:
    maker(store, (FIRST,)).make()
    path = store.root / NUMBERS.path(IDENTITY, 1)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(Stop) as refused:
        maker(store).make()
    assert (refused.value.reason, refused.value.where) == (Reason.DIGEST_MISMATCH, NUMBERS.path(IDENTITY, 1))
    path.unlink()
    with pytest.raises(Stop) as refused:
        maker(store).make()
    assert refused.value.reason is Reason.OBJECT_MISSING
    assert status_of(store, SECOND, IDENTITY).status == "missing"


@pytest.mark.parametrize(
    ("damage", "status"), [(lambda data: data[:-2] + b"\n", "conflict"), (lambda data: data.replace(b"= ", b"= 0")[:-2], "FAIL")]
)
def test_a_changed_flag_keeps_its_readers_out(store: CutStore, damage: object, status: str) -> None:
    maker(store, (FIRST,)).make()
    flag = store.root / FIRST.bundle_root(IDENTITY) / FLAG
    assert callable(damage)
    flag.write_bytes(damage(flag.read_bytes()))
    assert status_of(store, FIRST, IDENTITY).status == status
    with pytest.raises(Stop) as refused:
        maker(store).make()
    assert refused.value.reason is Reason.GATE_EVIDENCE_MISMATCH


def test_an_output_is_never_overwritten(store: CutStore) -> None:
    path = store.root / NUMBERS.path(IDENTITY, 2)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"another world's part")
    with pytest.raises(Stop) as refused:
        maker(store).make()
    assert refused.value.reason is Reason.ENGINE_OUTPUT_CONFLICT
    assert path.read_bytes() == b"another world's part"


def _guarded(scene: Scene, part: int) -> dict[str, pl.DataFrame]:
    if part == 2:
        raise Stop(Reason.ENGINE_GUARD_TRIPPED, "guard 'planted'")
    return dict(numbers(scene, part))


def _with_more(scene: Scene, part: int) -> dict[str, pl.DataFrame]:
    return {**numbers(scene, part), "more": pl.DataFrame()}


def _reads_more(scene: Scene, part: int) -> dict[str, pl.DataFrame]:
    return {"numbers": scene.table("squares", part)}


_FAILING = Check("planted", ("numbers",), lambda _: Verdict(False, {"rows": 1}))
REFUSED: list[tuple[str, Segment, Reason]] = [
    ("a guard", with_state(FIRST, make=_guarded), Reason.ENGINE_GUARD_TRIPPED),
    ("an output that is not declared", with_state(FIRST, make=_with_more), Reason.ENGINE_OUTPUT_INVALID),
    ("an output that is not made", with_state(FIRST, make=lambda scene, part: {}), Reason.ENGINE_OUTPUT_INVALID),
    ("an input that is not declared", with_state(FIRST, make=_reads_more), Reason.ENGINE_INPUT_NOT_DECLARED),
    ("a required check", replace(FIRST, checks=(_FAILING,)), Reason.ENGINE_CHECK_FAILED),
]


@pytest.mark.parametrize(("name", "segment", "reason"), REFUSED, ids=[row[0] for row in REFUSED])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_refusal_leaves_no_flag(store: CutStore, name: str, segment: Segment, reason: Reason, workers: int) -> None:
    with pytest.raises(Stop) as refused:
        maker(store, (segment,), workers).make()
    assert refused.value.reason is reason, name
    assert not list(store.root.rglob(FLAG))


def test_a_check_that_is_not_required_is_a_warning_in_the_report(store: CutStore) -> None:
    check = Check("planted", ("numbers",), lambda scene: Verdict(len(scene.table("numbers")) < 10, {"rows": 200}), required=False)
    maker(store, (replace(FIRST, checks=(check,)),)).make()
    report = store.read(f"{FIRST.bundle_root(IDENTITY)}/validation_report.json").decode()
    assert '"outcome": "WARN"' in report and '"rows": 200' in report


def _made(**changes: object) -> pl.DataFrame:
    return pl.DataFrame({"number": [1, 2], "word": ["odd", "even"], **changes})


@pytest.mark.parametrize(
    ("made", "named"),
    [
        (_made(more=[1, 2]), "more"),
        (_made().drop("word"), "word"),
        (_made(word=["odd", None]), "1 nulls"),
        (_made(word=["odd", "none"]), "type"),
        (_made(number=["1", "x"]), "type"),
    ],
)
def test_rows_that_an_output_does_not_allow_are_refused(made: pl.DataFrame, named: str) -> None:
    with pytest.raises(Stop) as refused:
        NUMBERS.conformed(made, IDENTITY)
    assert refused.value.reason is Reason.ENGINE_OUTPUT_INVALID
    assert named in refused.value.what
    assert refused.value.where == "numbers"


def test_every_place_counts_for_the_key_of_a_stream(store: CutStore) -> None:
    scene = Scene(IDENTITY, maker(store)._parameters, FIRST, "S1", (), maker(store).published.read)
    others = [replace(scene, place="S2"), replace(scene, segment=SECOND), replace(scene, identity=replace(IDENTITY, seed=8))]
    keys = [scene.key("a"), scene.key("b"), *(other.key("a") for other in others)]
    assert len({int(key) for key in keys}) == len(keys)
    unbound = replace(scene, segment=replace(FIRST, seed_path=("manifest_fingerprint",)))
    assert unbound.key("a") == replace(unbound, identity=replace(IDENTITY, seed=8)).key("a")


def test_the_graph_of_a_test_is_a_graph() -> None:
    assert [segment.gate_id for segment in GRAPH] == ["gate.layer1.1A.validation", "gate.layer1.1B.validation"]
