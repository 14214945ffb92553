"""Objects of a bucket by S3. Of several conditional writers the server lets one win: nothing here makes up for a server that does not.

Keys, endpoint and region come from boto3's usual variables and files (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, …); none of them is
printed. What is acknowledged is durable: that is the server's promise.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from assay.app.stores.objects import ObjectChanged, ObjectExists
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

#: bytes of a part of a large object; S3 takes no smaller ones than 5 MiB but for the last
PART_BYTES: Final = 8 * 2**20
#: keys that one call lists at most
PAGE_KEYS: Final = 1_000
#: the writer's mark in an object's metadata: a write whose answer was lost is known again
_MARK: Final = "assay-write"
#: not every answer 404: a web page of another server, or an unknown key, says nothing about an object
_GONE = frozenset({"NoSuchKey", "NoSuchUpload"})
_REFUTED = frozenset({"412", "PreconditionFailed"})
_AT_ONCE = frozenset({"409", "ConditionalRequestConflict", "OperationAborted"})
_DENIED = frozenset({"401", "403", "InvalidAccessKeyId", "ExpiredToken", "XAdminUserNotFound"})
#: tries of a conditional write that the server says another one disturbed
_TRIES = 8
#: how often a body is asked for that breaks off
_BODIES = 3


class S3Store:
    """Objects below a prefix of a bucket. Threads may share it."""

    def __init__(self, bucket: str, prefix: str, client: Any, page_keys: int = PAGE_KEYS) -> None:
        self.bucket, self.prefix = bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._client, self._page_keys = client, page_keys

    def create(self, key: str, data: bytes) -> None:
        """Write once. Raises ObjectExists, Retry(STORE_SILENT), Stop(ACCESS_DENIED, FILE_REFUSED), as all others may."""
        if not self._put(key, data, {"IfNoneMatch": "*"}):
            raise ObjectExists(key)

    def create_from(self, key: str, blocks: Iterable[bytes | memoryview]) -> None:
        """Write once what `blocks` gives, in parts; an upload that is not completed shows no object."""
        parts = _parts(blocks)
        first = next(parts, b"")
        second = next(parts, None)
        if second is None:
            self.create(key, first)
            return
        with self._calls(key):
            upload: str = self._client.create_multipart_upload(**self._at(key))["UploadId"]
        try:
            sent = []
            for number, part in enumerate(_chain(first, second, parts), start=1):
                with self._calls(key):
                    answer = self._client.upload_part(**self._at(key), UploadId=upload, PartNumber=number, Body=part)
                sent.append({"ETag": answer["ETag"], "PartNumber": number})
            self._complete(key, upload, sent)
        except BaseException:
            with suppress(ClientError, BotoCoreError):  # what raised is told; `remove_below` finds what stays
                self._client.abort_multipart_upload(**self._at(key), UploadId=upload)
            raise

    def replace(self, key: str, data: bytes) -> None:
        """Write or overwrite. An answer that a condition does not hold is the fault of a server: there was none."""
        if not self._put(key, data, {}):
            raise _silent("the object store refuses a write as if it had a condition", self._name(key))

    def swap(self, key: str, data: bytes, expected: bytes | None) -> None:
        """Replace the object if it is the expected one. Raises ObjectChanged."""
        if expected is None:
            if not self._put(key, data, {"IfNoneMatch": "*"}):
                raise ObjectChanged(key)
            return
        try:
            held, tag = self._got(key)
        except FileNotFoundError:
            raise ObjectChanged(key) from None
        if held != expected or not self._put(key, data, {"IfMatch": tag}):
            raise ObjectChanged(key)

    def read(self, key: str) -> bytes:
        """The whole object. Raises FileNotFoundError."""
        return self._got(key)[0]

    def view(self, key: str) -> memoryview:
        """The whole object."""
        return memoryview(self.read(key))

    def size(self, key: str) -> int:
        """Bytes of an object. Raises FileNotFoundError."""
        return int(self._about(key)["ContentLength"])

    def size_below(self, folder: str) -> int:
        """Bytes of all objects below a folder, as the server lists them."""
        return sum(int(found["Size"]) for found in self._listed(folder))

    def described(self) -> tuple[str, str]:
        """Claim level and name: the address, and the server as it calls itself."""
        with self._calls(""):
            headers = self._client.head_bucket(Bucket=self.bucket)["ResponseMetadata"]["HTTPHeaders"]
        address = str(self._client.meta.endpoint_url).partition("://")[2]
        return "parity", f"S3 at {address} ({headers.get('server', 'a server without a name')})"

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys below a folder in ascending order, a page at a time."""
        for found in self._listed(prefix):
            yield str(found["Key"]).removeprefix(self.prefix)

    def _listed(self, prefix: str) -> Iterator[dict[str, Any]]:
        with self._calls(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self._folder(prefix), PaginationConfig={"PageSize": self._page_keys}
            )
            for page in pages:
                yield from page.get("Contents", ())

    def make_durable(self, prefix: str) -> None:
        """Nothing to do: an object that is seen is durable."""

    def remove(self, key: str) -> None:
        """Remove an object that may be gone already."""
        with suppress(FileNotFoundError), self._calls(key):
            self._client.delete_object(**self._at(key))

    def remove_below(self, folder: str) -> None:
        """Remove every object below a folder, and uploads that were cut off."""
        for key in list(self.keys(folder)):
            self.remove(key)
        with self._calls(folder):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=self._folder(folder))
            for upload in [upload for page in pages for upload in page.get("Uploads", ())]:
                self._client.abort_multipart_upload(Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"])

    def _got(self, key: str) -> tuple[bytes, str]:
        with self._reads(key):
            for left in reversed(range(_BODIES)):
                answer = self._client.get_object(**self._at(key))
                try:
                    return answer["Body"].read(), answer["ETag"]
                except BotoCoreError:  # the client itself asks again for an answer, and not for a body that broke off
                    if not left:
                        raise
        raise AssertionError("unreachable")

    def _about(self, key: str) -> dict[str, Any]:
        """An object without its bytes: the answer to HEAD would not tell a missing object from a wrong address."""
        with self._reads(key):
            answer: dict[str, Any] = self._client.get_object(**self._at(key))
            answer["Body"].close()
            return answer

    def _put(self, key: str, data: bytes, condition: dict[str, str]) -> bool:
        """Whether the write took place: its condition held, or the client had repeated it and its first try was done already."""
        mark = secrets.token_hex(8)
        for _ in range(_TRIES):
            try:
                with self._calls(key):
                    self._client.put_object(**self._at(key), Body=data, Metadata={_MARK: mark}, **condition)
            except _Disturbed:
                continue
            except (_Refuted, FileNotFoundError) as refuted:
                return isinstance(refuted, _Refuted) and self._is_ours(key, mark)
            return True
        raise _silent("other writers disturbed every try", self._name(key))

    def _is_ours(self, key: str, mark: str) -> bool:
        try:
            return bool(self._about(key)["Metadata"].get(_MARK) == mark)
        except FileNotFoundError:
            return False

    def _complete(self, key: str, upload: str, parts: list[dict[str, Any]]) -> None:
        try:
            with self._calls(key):
                self._client.complete_multipart_upload(**self._at(key), UploadId=upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
        except _Refuted:
            raise ObjectExists(key) from None
        except _Disturbed:
            raise _silent("another writer disturbed a large object", self._name(key)) from None

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": f"{self.prefix}{key}"}

    def _folder(self, prefix: str) -> str:
        return f"{self.prefix}{prefix.rstrip('/')}/" if prefix.strip("/") else self.prefix

    def _name(self, key: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}{key}"

    @contextmanager
    def _reads(self, key: str) -> Iterator[None]:
        """Calls without a condition: an answer that one does not hold, or that another write disturbed, is the fault of a server."""
        try:
            with self._calls(key):
                yield
        except (_Refuted, _Disturbed):
            raise _silent("the object store refuses a read as if it were a conditional write", self._name(key)) from None

    @contextmanager
    def _calls(self, key: str) -> Iterator[None]:
        """Calls to the server. Its errors become ours, and no credential is in their text."""
        where = self._name(key)
        try:
            yield
        except ClientError as error:
            raise _told(error, where) from None
        except (NoCredentialsError, PartialCredentialsError):
            remedy = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
            raise Stop(Reason.ACCESS_DENIED, "there is no key for the object store", where=where, remedy=remedy) from None
        except BotoCoreError as error:
            raise _silent(f"the object store does not answer ({type(error).__name__})", where) from None


class _Refuted(Exception):
    """The condition of a write does not hold."""


class _Disturbed(Exception):
    """Another write of the same object took place at once; this one can be tried again."""


def client_of(*, tries: int = 4, within_s: float = 60) -> Any:
    """A client by boto3's usual variables. `tries`: how often a call that fails on the way is made, each for `within_s` at most.

    Raises Stop(SETTING_INVALID).
    """
    retries = {"mode": "standard", "total_max_attempts": tries}
    config = Config(retries=retries, connect_timeout=5, read_timeout=within_s, max_pool_connections=32)
    try:
        return boto3.session.Session().client("s3", config=config)  # the default session keeps the keys that it found first
    except (BotoCoreError, ValueError) as error:
        remedy = "Set AWS_REGION, or AWS_ENDPOINT_URL to the address of your object store."
        what = f"the object store's settings cannot be used ({type(error).__name__})"
        raise Stop(Reason.SETTING_INVALID, what, where="AWS_*", remedy=remedy) from None


def _told(error: ClientError, where: str) -> Exception:
    """What an answer of the server means."""
    found, answer = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    codes = {str(found.get("Code", "")), str(answer.get("HTTPStatusCode", ""))}
    if "NoSuchBucket" in codes:
        return Stop(Reason.FILE_REFUSED, "there is no such bucket", where=where, remedy="Correct its name, or make it.")
    if codes & _REFUTED:
        return _Refuted()
    if codes & _AT_ONCE:
        return _Disturbed()
    if codes & _DENIED:
        remedy = "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what the key may do in this bucket."
        return Stop(Reason.ACCESS_DENIED, "the object store refuses the key", where=where, remedy=remedy)
    if codes & _GONE:
        return FileNotFoundError(errno.ENOENT, "there is no such object", where)
    return _silent(f"the object store answers {found.get('Code', 'nothing')}", where)


def _silent(what: str, where: str) -> Retry:
    return Retry(Reason.STORE_SILENT, what, where=where, remedy="Check AWS_ENDPOINT_URL, and run the same command again; it goes on.")


def _parts(blocks: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """The blocks, cut into parts of one size; the last is shorter."""
    held = bytearray()
    for block in blocks:
        held += block
        while len(held) > PART_BYTES:
            yield bytes(held[:PART_BYTES])
            del held[:PART_BYTES]
    yield bytes(held)


def _chain(first: bytes, second: bytes, more: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield second
    yield from more
