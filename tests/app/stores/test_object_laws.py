"""The directory store keeps the laws of object stores, and a store whose conditional writes lose a race does not pass them."""

from __future__ import annotations

import threading
from pathlib import Path

import object_laws
import pytest
from object_laws import LAWS, Law

from assay.app.stores.objects import DirectoryStore
from assay.app.stores.places import below, store_of
from assay.app.stores.s3 import S3Store, client_of
from assay.contracts.errors import AssayError
from assay.contracts.exit_codes import AGAIN, FILE
from assay.contracts.reasons import Reason


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_directory_store_keeps(law: Law, tmp_path: Path) -> None:
    law(lambda: DirectoryStore(tmp_path / "store"))


class LooksFirst(DirectoryStore):
    """A store that asks whether an object is there, and then writes. Writers meet between the two, so each of them writes."""

    def __init__(self, root: Path, asked: threading.Barrier) -> None:
        super().__init__(root)
        self.asked = asked

    def create(self, key: str, data: bytes) -> None:
        if (self.root / key).exists():
            super().create(key, data)
        self._write(key, data)

    def swap(self, key: str, data: bytes, expected: bytes | None) -> None:
        if ((self.root / key).read_bytes() if (self.root / key).exists() else None) != expected:
            super().swap(key, data, expected)
        self._write(key, data)

    def _write(self, key: str, data: bytes) -> None:
        if threading.current_thread() is not threading.main_thread():  # which prepares the race
            self.asked.wait(30)
        self.replace(key, data)


@pytest.mark.parametrize(
    "law",
    [
        object_laws.of_writers_at_once_one_creates,
        object_laws.of_writers_at_once_that_expect_one_object_one_swaps,
        object_laws.of_writers_at_once_that_expect_no_object_one_swaps,
    ],
    ids=lambda law: law.__name__,
)
def test_a_store_that_loses_races_is_refused_by(law: Law, tmp_path: Path) -> None:
    asked = threading.Barrier(object_laws.WRITERS)
    with pytest.raises(AssertionError, match=f"{object_laws.WRITERS} writers won"):
        law(lambda: LooksFirst(tmp_path / "store", asked))


def test_a_place_is_a_folder_or_a_bucket_with_a_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    folder, bucket = store_of(str(tmp_path)), store_of("s3://bank-worlds/tiny/7/")
    assert isinstance(folder, DirectoryStore) and folder.root == tmp_path
    assert isinstance(bucket, S3Store) and (bucket.bucket, bucket.prefix) == ("bank-worlds", "tiny/7/")
    assert below("s3://bank-worlds/tiny/", "7") == "s3://bank-worlds/tiny/7"
    for wrong in ("s3://", "s3:///tiny", "s3://B/tiny", "s3://a b/tiny"):
        with pytest.raises(AssayError) as refused:
            store_of(wrong)
        assert (refused.value.reason, refused.value.exit_code) == (Reason.FILE_REFUSED, FILE)


def test_a_store_that_does_not_answer_may_be_tried_again_and_no_key_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "known-to-nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden-from-all")
    with pytest.raises(AssayError) as refused:
        S3Store("bucket", "", client_of(tries=1)).read("key")
    assert (refused.value.reason, refused.value.exit_code) == (Reason.STORE_SILENT, AGAIN)
    assert "nobody" not in str(refused.value) and "hidden" not in str(refused.value)


def test_settings_of_a_store_that_cannot_be_used_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "no address")
    with pytest.raises(AssayError) as refused:
        client_of()
    assert refused.value.reason is Reason.SETTING_INVALID
