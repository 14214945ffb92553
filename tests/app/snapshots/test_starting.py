"""Snapshots as a start: any record with the tail behind it is the whole fold; what is damaged or of something else is refused by name."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_worlds import config
from snapshot_stores import folded, journal, lane, snapshot, store

from assay.agents.step import LaneOutput
from assay.app.snapshots.manifest import FORMAT, SnapshotManifest, SnapshotPart
from assay.app.snapshots.starting import restore, start_from_newest
from assay.app.snapshots.store import KEPT, digests_of
from assay.codecs.journal_record import JournalRecord
from assay.contracts.canonical import canonical
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

SOME, MORE = 6, 9


def bytes_of(outcomes: Sequence[LaneOutput]) -> list[Any]:
    """What was emitted, record for record, byte for byte."""
    return [[(e.handle, e.partitions.tolist(), e.keys.tolist(), e.values.tolist()) for e in outcome.emissions] for outcome in outcomes]


@cache
def whole(name: str) -> tuple[list[Any], dict[str, str]]:
    """Emissions of every record of the journal, and the state at its end."""
    one = lane(name)
    outcomes = [one.apply(value) for value in journal(name)]
    return bytes_of(outcomes), digests_of(one.state())


@pytest.mark.parametrize("name", ["rtdl", "act"])
@settings(max_examples=drawn(8), deadline=None)
@given(data=st.data())
def test_a_snapshot_at_any_record_and_the_tail_are_the_whole_journal(name: str, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(journal(name))))
    with TemporaryDirectory() as root:
        snapshot(Path(root), name, count)
        one = lane(name)
        manifest = start_from_newest(one, store(Path(root), name))
    assert manifest is not None
    assert manifest.next_offset == count
    emissions, state = whole(name)
    assert bytes_of([one.apply(value) for value in journal(name)[count:]]) == emissions[count:]
    assert digests_of(one.state()) == state


def test_a_lane_that_starts_from_a_snapshot_emits_nothing_that_was_out_and_stands_where_it_stood(tmp_path: Path) -> None:
    snapshot(tmp_path, "rtdl", SOME)
    one, before = lane(), folded("rtdl", SOME)
    start_from_newest(one, store(tmp_path))
    for value in journal("rtdl")[SOME : SOME + 2]:
        one.recover(value)
        before.recover(value)
    assert [sequence for sequence, _ in one.unemitted()] == [sequence for sequence, _ in before.unemitted()]
    assert one.position() == before.position()
    ours, theirs = (JournalRecord.from_bytes(each.claim_entry(7).value) for each in (one, before))
    assert ours == theirs


# -- damage: every way is a row; the snapshot before it is used


def part_of(root: Path, manifest: SnapshotManifest) -> Path:
    """The file of the largest part."""
    return root / max(manifest.parts, key=lambda part: part.size_bytes).key


def rewrite(root: Path, manifest: SnapshotManifest, **changed: object) -> None:
    """Another manifest under the same key, whole in itself."""
    body = {**manifest.model_dump(mode="json"), **changed}
    sealed = canonical({"manifest": body, "sha256": hashlib.sha256(canonical(body)).hexdigest()})
    (root / manifest.key).write_bytes(sealed)


def largest(change: Callable[[bytes], bytes]) -> Callable[[Path, SnapshotManifest], object]:
    """Change the bytes of the largest part."""
    return lambda root, m: part_of(root, m).write_bytes(change(part_of(root, m).read_bytes()))


def of_manifest(change: Callable[[bytes], bytes]) -> Callable[[Path, SnapshotManifest], object]:
    """Change the bytes of the manifest."""
    return lambda root, m: (root / m.key).write_bytes(change((root / m.key).read_bytes()))


def flipped(at: Callable[[int], int]) -> Callable[[bytes], bytes]:
    """One bit of the byte at `at(length)`."""

    def change(value: bytes) -> bytes:
        data = bytearray(value)
        data[at(len(value))] ^= 1
        return bytes(data)

    return change


DAMAGE: list[tuple[str, Callable[[Path, SnapshotManifest], object], Reason]] = [
    ("the first byte of a part", largest(flipped(lambda n: 0)), Reason.SNAPSHOT_DAMAGED),
    ("a byte in the middle of a part", largest(flipped(lambda n: n // 2)), Reason.SNAPSHOT_DAMAGED),
    ("the last byte of a part", largest(flipped(lambda n: n - 1)), Reason.SNAPSHOT_DAMAGED),
    ("a part cut off", largest(lambda value: value[:-1]), Reason.SNAPSHOT_DAMAGED),
    ("a part emptied", largest(lambda value: b""), Reason.SNAPSHOT_DAMAGED),
    ("a part with more bytes", largest(lambda value: value + b"0"), Reason.SNAPSHOT_DAMAGED),
    ("a part missing", lambda root, m: part_of(root, m).unlink(), Reason.SNAPSHOT_DAMAGED),
    ("two parts exchanged", lambda root, m: _exchange(root / m.parts[0].key, root / m.parts[1].key), Reason.SNAPSHOT_DAMAGED),
    ("a byte of the manifest", of_manifest(flipped(lambda n: 40)), Reason.SNAPSHOT_DAMAGED),
    ("a manifest cut off", of_manifest(lambda value: value[:-9]), Reason.SNAPSHOT_DAMAGED),
    ("an empty manifest", of_manifest(lambda value: b""), Reason.SNAPSHOT_DAMAGED),
    ("a manifest with a broken number", of_manifest(lambda value: value.replace(b'"shard":0', b'"shard":0.5')), Reason.SNAPSHOT_DAMAGED),
    ("a manifest nested without end", of_manifest(lambda value: b"[" * 5_000), Reason.SNAPSHOT_DAMAGED),
    ("a part under a key that no file has", lambda root, m: rewrite(root, m, parts=[renamed(p) for p in m.parts]), Reason.SNAPSHOT_DAMAGED),
    ("a manifest that is a list", of_manifest(lambda value: b"[]"), Reason.SNAPSHOT_DAMAGED),
    ("the manifest of another sequence", lambda root, m: rewrite(root, m, sequence=m.sequence + 1), Reason.SNAPSHOT_DAMAGED),
    ("an older format", lambda root, m: rewrite(root, m, format=1), Reason.SNAPSHOT_UNFIT),
    ("a newer format", lambda root, m: rewrite(root, m, format=FORMAT + 1), Reason.SNAPSHOT_UNFIT),
    ("another policy", lambda root, m: rewrite(root, m, run_config_digest="77" * 32), Reason.SNAPSHOT_UNFIT),
    ("a step without its part", lambda root, m: rewrite(root, m, parts=[p.model_dump() for p in m.parts[1:]]), Reason.STATE_UNREADABLE),
]


def renamed(part: SnapshotPart) -> dict[str, object]:
    """The part with a key that is longer than a file's name may be."""
    return {**part.model_dump(), "key": "x" * 5_000}


def _exchange(one: Path, other: Path) -> None:
    held = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(held)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SnapshotManifest]:
    """A directory with two snapshots, and the newer."""
    root = tmp_path_factory.mktemp("two")
    snapshot(root, "rtdl", SOME)
    return root, snapshot(root, "rtdl", MORE)


@pytest.mark.parametrize(("damage", "reason"), [pytest.param(d, r, id=name) for name, d, r in DAMAGE])
def test_a_snapshot_that_cannot_be_used_is_refused_by_name_and_the_one_before_it_is_used(
    damage: Callable[[Path, SnapshotManifest], object], reason: Reason, two: tuple[Path, SnapshotManifest], tmp_path: Path
) -> None:
    root, newest = two
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    damage(tmp_path, newest)
    said: list[str] = []
    one = lane()
    used = start_from_newest(one, store(tmp_path), said.append)
    assert used is not None
    assert used.next_offset == SOME
    assert digests_of(one.state()) == digests_of(folded("rtdl", SOME).state())
    assert [f"{reason.value}:" in line and newest.key in line for line in said] == [True]


def test_without_a_whole_snapshot_the_lane_starts_from_nothing(tmp_path: Path) -> None:
    for count in (SOME, MORE):
        part_of(tmp_path, snapshot(tmp_path, "rtdl", count)).unlink()
    one = lane()
    assert start_from_newest(one, store(tmp_path), lambda line: None) is None
    assert digests_of(one.state()) == digests_of(lane().state())


def test_state_under_another_feature_document_is_refused(tmp_path: Path) -> None:
    """The run's digest says so first; here the parts themselves have to."""
    manifest = snapshot(tmp_path, "rtdl", SOME)
    features = config().features | {"revision": "other"}
    other = lane(features=features)
    rewrite(tmp_path, manifest, run_config_digest=other.identity.run_config_digest.hex())
    (again,) = store(tmp_path).found()
    assert again.manifest is not None
    with pytest.raises(Stop) as refused:
        restore(other, store(tmp_path), again.manifest)
    assert refused.value.reason is Reason.STATE_OF_ANOTHER_PLAN
    assert digests_of(other.state()) == digests_of(lane(features=features).state()), "a refused snapshot changed the lane"


def test_state_that_other_code_wrote_is_taken_when_it_fits_and_leads_to_an_upgrade(tmp_path: Path) -> None:
    snapshot(tmp_path, "rtdl", SOME)
    other = lane(code=b"\2" * 32)
    assert start_from_newest(other, store(tmp_path)) is not None
    other.unemitted()
    assert JournalRecord.from_bytes(other.claim_entry(7).value).kind == "UPGRADE"


# -- drafts and cleaning


def test_a_draft_is_never_used(tmp_path: Path) -> None:
    one = folded("rtdl", SOME)
    draft = store(tmp_path).draft(one.applied.sequence)
    for part, state in one.state().items():
        draft.write(part, state)
    assert store(tmp_path).found() == []
    assert start_from_newest(lane(), store(tmp_path)) is None


def test_of_two_snapshots_of_one_record_the_first_stays(tmp_path: Path) -> None:
    first = snapshot(tmp_path, "rtdl", SOME)
    one = folded("rtdl", SOME)
    draft = store(tmp_path).draft(one.applied.sequence)
    for part, state in one.state().items():
        draft.write(part, state)
    assert not draft.publish(first.model_copy(update={"parts": tuple(draft.parts)}))
    assert [found.manifest for found in store(tmp_path).found()] == [first]


def test_cleaning_keeps_the_newest_and_the_oldest_and_removes_older_drafts(tmp_path: Path) -> None:
    counts = range(SOME, SOME + KEPT + 3)
    store(tmp_path).draft(0)
    made = [snapshot(tmp_path, "rtdl", count) for count in counts]
    unfinished = store(tmp_path).draft(made[-1].sequence + 1)
    store(tmp_path).clean()
    assert [found.manifest for found in store(tmp_path).found()] == [*reversed(made[-KEPT:]), made[0]]
    folders = {path.parent.name for path in tmp_path.rglob("*") if path.name == "draft.state"}
    assert len(folders) == KEPT + 2, "those kept, and the draft that is newer than all"
    unfinished.discard()


def test_a_draft_whose_parts_were_cleaned_away_is_not_published(tmp_path: Path) -> None:
    one = folded("rtdl", SOME)
    draft = store(tmp_path).draft(one.applied.sequence)
    for part, state in one.state().items():
        draft.write(part, state)
    manifest = snapshot(tmp_path, "rtdl", MORE)
    store(tmp_path).clean()
    assert not draft.publish(manifest.model_copy(update={"sequence": one.applied.sequence, "parts": tuple(draft.parts)}))
