"""A file that cannot be read is refused with its name, whatever its bytes do to the reader."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_worlds import NOW_US, ROWS, mapping, write

from assay.app.oracle.importer import import_world
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("absent.csv", None, Reason.INPUT_FILE_MISSING),
        ("damaged.parquet", b"PAR1 not really", Reason.INPUT_FILE_UNREADABLE),
        ("other.xlsx", b"", Reason.INPUT_FILE_UNREADABLE),
        ("empty.csv", b"", Reason.INPUT_EMPTY),
        ("twice.csv", b"id,at,amount,who,shop,kind,channel,fraud,why,who\n1,2,3,4,5,6,7,8,9,10\n", Reason.INPUT_FILE_UNREADABLE),
        ("ragged.csv", b"id,at,amount,who,shop,kind,channel,fraud,why\n1,2,3,4,5,6,7,8,9,10,11\n", Reason.INPUT_FILE_UNREADABLE),
        ("unclosed.csv", b'id,at,amount,who,shop,kind,channel,fraud,"why\n1,2,3,4,5,6,7,8,9\n', Reason.INPUT_FILE_UNREADABLE),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, content: bytes | None, reason: Reason) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(Quarantine) as refusal:
        import_world(tmp_path / name, mapping(), DirectoryStore(tmp_path / "store"), NOW_US)
    assert refusal.value.reason == reason
    assert name in refusal.value.where


def test_parquet_bytes_that_make_the_reader_panic_are_refused(tmp_path: Path) -> None:
    """The first column's pages say how many values they hold; some of these bytes end polars in a panic, which is no Exception."""
    file = write(tmp_path / "in.parquet", ROWS)
    whole = file.read_bytes()
    for at in (92, 94, 95):
        file.write_bytes(whole[:at] + b"\xff" + whole[at + 1 :])
        with pytest.raises(Quarantine) as refusal:
            import_world(file, mapping(), DirectoryStore(tmp_path / "store"), NOW_US)
        assert refusal.value.reason is Reason.INPUT_FILE_UNREADABLE
