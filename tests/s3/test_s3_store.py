"""The S3 store on a real server keeps the laws of object stores; one whose conditions are ignored is refused by them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, IncompleteReadError
from object_laws import KEY, LARGE, LAWS, Law, blocks

from assay.app.stores.objects import ObjectChanged, ObjectExists
from assay.app.stores.places import store_of
from assay.app.stores.s3 import S3Store, client_of
from assay.contracts.errors import AssayError, Retry
from assay.contracts.reasons import Reason


@pytest.fixture
def client(s3: str) -> Any:
    """A client of the server of tests."""
    return client_of()


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_s3_store_keeps(law: Law, s3: str, client: Any) -> None:
    prefix = secrets.token_hex(4)
    law(lambda: S3Store(s3, prefix, client, page_keys=2))
    uploads = client.list_multipart_uploads(Bucket=s3, Prefix=prefix).get("Uploads", [])
    assert uploads == [], "an upload was left"


class Through:
    """A client whose calls pass a function first: the rest is the real one's."""

    def __init__(self, client: Any, before: Callable[[str, dict[str, Any]], None], after: Callable[[str], None] = lambda _: None) -> None:
        self._client, self._before, self._after = client, before, after

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        if name not in {"put_object", "complete_multipart_upload"}:
            return real

        def call(**arguments: Any) -> Any:
            self._before(name, arguments)
            answer = real(**arguments)
            self._after(name)
            return answer

        return call


def without_conditions(_: str, arguments: dict[str, Any]) -> None:
    """As of a server that takes conditions and ignores them."""
    for condition in ("IfMatch", "IfNoneMatch"):
        arguments.pop(condition, None)


@pytest.mark.parametrize("law", [law for law in LAWS if "once" in law.__name__], ids=lambda law: law.__name__)
def test_a_server_that_ignores_conditions_is_refused_by(law: Law, s3: str, client: Any) -> None:
    prefix = secrets.token_hex(4)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        law(lambda: S3Store(s3, prefix, Through(client, without_conditions)))


def answer_of(code: str, status: int) -> Exception:
    """An answer of a server, as boto3 raises it."""
    about: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    refused: Exception = ClientError(about, "PutObject")
    return refused


def raising_once(answer: Exception) -> Callable[..., None]:
    """Raises an answer at the first call."""
    answers = [answer]

    def raise_it(*_: object) -> None:
        if answers:
            raise answers.pop()

    return raise_it


def test_a_write_that_the_server_calls_disturbed_is_tried_again(s3: str, client: Any) -> None:
    store = S3Store(s3, secrets.token_hex(4), Through(client, raising_once(answer_of("ConditionalRequestConflict", 409))))
    store.create(KEY, b"1")
    assert store.read(KEY) == b"1"


def test_a_write_that_is_always_disturbed_may_be_tried_later(s3: str, client: Any) -> None:
    def disturb(*_: object) -> None:
        raise answer_of("ConditionalRequestConflict", 409)

    store = S3Store(s3, secrets.token_hex(4), Through(client, disturb))
    for size in (1, LARGE):
        with pytest.raises(Retry) as refused:
            store.create_from(KEY, blocks(size))
        assert refused.value.reason is Reason.STORE_SILENT


def test_a_write_whose_answer_was_lost_is_known_again_by_its_mark(s3: str, client: Any) -> None:
    """The client sends it again, and meets what it wrote itself."""
    lost = raising_once(answer_of("PreconditionFailed", 412))
    store = S3Store(s3, secrets.token_hex(4), Through(client, lambda *_: None, lost))
    store.create(KEY, b"1")
    other = S3Store(s3, store.prefix, Through(client, raising_once(answer_of("PreconditionFailed", 412))))
    with pytest.raises(ObjectExists):
        other.create(KEY, b"1")
    with pytest.raises(ObjectChanged):
        S3Store(s3, store.prefix, Through(client, raising_once(answer_of("PreconditionFailed", 412)))).swap(KEY, b"2", b"1")


def test_a_write_without_a_condition_that_is_refused_for_one_was_not_done_and_is_told(s3: str, client: Any) -> None:
    store = S3Store(s3, secrets.token_hex(4), Through(client, raising_once(answer_of("PreconditionFailed", 412))))
    with pytest.raises(Retry) as refused:
        store.replace(KEY, b"1")
    assert refused.value.reason is Reason.STORE_SILENT
    store.replace(KEY, b"2")
    assert store.read(KEY) == b"2"


class TornBody:
    """A body that breaks off as long as there are faults left."""

    def __init__(self, body: Any, faults: list[Exception]) -> None:
        self._body, self._faults = body, faults

    def read(self) -> bytes:
        whole: bytes = self._body.read()
        if self._faults:
            raise self._faults.pop()
        return whole


class Tearing:
    """A client whose next bodies break off."""

    def __init__(self, client: Any, times: int) -> None:
        self._client, self._faults = client, [IncompleteReadError(actual_bytes=1, expected_bytes=2)] * times

    def get_object(self, **arguments: Any) -> Any:
        answer = self._client.get_object(**arguments)
        return {**answer, "Body": TornBody(answer["Body"], self._faults)}


def test_a_body_that_breaks_off_is_asked_for_again_twice(s3: str, client: Any) -> None:
    prefix = secrets.token_hex(4)
    S3Store(s3, prefix, client).create(KEY, b"whole")
    assert S3Store(s3, prefix, Tearing(client, 2)).read(KEY) == b"whole"
    store = S3Store(s3, prefix, Tearing(client, 3))
    with pytest.raises(Retry) as refused:
        store.read(KEY)
    assert refused.value.reason is Reason.STORE_SILENT
    assert store.read(KEY) == b"whole"


def test_uploads_that_were_cut_off_are_removed_with_their_folder(s3: str, client: Any) -> None:
    store = S3Store(s3, secrets.token_hex(4), client)
    for key in ("a/b", "other/c"):
        client.create_multipart_upload(Bucket=s3, Key=f"{store.prefix}{key}")
    store.remove_below("a")
    assert [one["Key"] for one in client.list_multipart_uploads(Bucket=s3, Prefix=store.prefix)["Uploads"]] == [f"{store.prefix}other/c"]


@pytest.mark.parametrize(
    ("variables", "bucket", "reason"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, "", Reason.ACCESS_DENIED),
        ({"AWS_ACCESS_KEY_ID": "unknown-key"}, "", Reason.ACCESS_DENIED),
        ({}, "no-such-bucket", Reason.FILE_REFUSED),
    ],
)
def test_what_the_server_refuses_is_told_without_keys(
    s3: str, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], bucket: str, reason: Reason
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    store = store_of(f"s3://{bucket or s3}/tiny")
    for call in (lambda: store.read(KEY), lambda: store.create(KEY, b"1"), lambda: list(store.keys(""))):
        with pytest.raises(AssayError) as refused:
            call()
        assert refused.value.reason is reason
        assert "wrong" not in str(refused.value) and "unknown-key" not in str(refused.value)
