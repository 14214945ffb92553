"""The control bus on Kinesis: a stream of one shard per topic, JSON in its wrapper. The lanes do not read it (decision 0027).

Keys, endpoint and region come from boto3's usual variables and files; none of them is printed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from assay.app.control_bus.port import BEGIN, ControlMessage, FirstOnes, Published, unwrapped, wrapped
from assay.contracts.errors import AssayError, Retry, Stop
from assay.contracts.reasons import Reason

_DENIED: Final = frozenset({"403", "AccessDeniedException", "UnrecognizedClientException", "InvalidClientTokenId", "ExpiredTokenException"})


class KinesisControlBus:
    """Readers take the first record of a message's id, by sequence number. A position is a sequence number."""

    def __init__(self, stream: str, topic: str, client: Any, now_us: Callable[[], int]) -> None:
        self._stream, self._topic, self._client, self._now_us = stream, topic, client, now_us
        self._read_to, self._written_to, self._seen = "", "", FirstOnes()
        # a writer names the record before its own, and a reader goes on where it was: one at a time
        self._writing, self._reading = threading.Lock(), threading.Lock()

    def publish(self, message: ControlMessage) -> None:
        """As `ControlBus.publish`. Raises Stop(TOPIC_UNKNOWN, ACCESS_DENIED), Retry(BROKER_UNREACHABLE), as `read` does."""
        data = wrapped(self._topic, message, self._now_us())
        with self._writing, self._calls():
            behind = {"SequenceNumberForOrdering": self._written_to} if self._written_to else {}
            answer = self._client.put_record(StreamName=self._stream, Data=data, PartitionKey=message.partition_key, **behind)
            self._written_to = answer["SequenceNumber"]

    def read(self, position: str = BEGIN) -> Iterator[Published]:
        """As `ControlBus.read`. Raises Stop(TOPIC_MISMATCH) for a stream of more than one shard too."""
        with self._reading:
            for record in self._new_records():
                self._read_to = record["SequenceNumber"]
                self._seen.take(unwrapped(record["Data"], self._read_to, f"{self._stream} {self._read_to}"))
        return self._seen.behind(position)

    def _new_records(self) -> Iterator[dict[str, Any]]:
        with self._calls():
            kind = {"ShardIteratorType": "TRIM_HORIZON"}
            if self._read_to:
                kind = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": self._read_to}
            at = self._client.get_shard_iterator(StreamName=self._stream, ShardId=self._shard(), **kind)["ShardIterator"]
        while at:
            with self._calls():
                answer = self._client.get_records(ShardIterator=at)
            yield from answer["Records"]
            at = answer.get("NextShardIterator") if answer["Records"] or answer.get("MillisBehindLatest", 0) else None

    def _shard(self) -> str:
        shards = self._client.list_shards(StreamName=self._stream)["Shards"]
        if len(shards) != 1:
            what = f"{self._stream} has {len(shards)} shards: the order of control messages needs one"
            raise Stop(Reason.TOPIC_MISMATCH, what, where=self._stream, remedy="Make a stream of one shard for the control bus.")
        return str(shards[0]["ShardId"])

    @contextmanager
    def _calls(self) -> Iterator[None]:
        """Calls to Kinesis. Its errors become ours, and no credential is in their text."""
        try:
            yield
        except ClientError as error:
            raise self._told(error) from None
        except (NoCredentialsError, PartialCredentialsError):
            remedy = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
            raise Stop(Reason.ACCESS_DENIED, "there is no key for Kinesis", where=self._stream, remedy=remedy) from None
        except BotoCoreError as error:
            raise self._silent(f"Kinesis does not answer ({type(error).__name__})") from None

    def _told(self, error: ClientError) -> AssayError:
        found, answer = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
        codes = {str(found.get("Code", "")), str(answer.get("HTTPStatusCode", ""))}
        if "ResourceNotFoundException" in codes:
            return Stop(Reason.TOPIC_UNKNOWN, "there is no such stream", where=self._stream, remedy="Correct its name, or make it.")
        if codes & _DENIED:
            remedy = "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what the key may do with this stream."
            return Stop(Reason.ACCESS_DENIED, "Kinesis refuses the key", where=self._stream, remedy=remedy)
        return self._silent(f"Kinesis answers {found.get('Code', 'nothing')}")

    def _silent(self, what: str) -> Retry:
        remedy = "Check the endpoint and the region, and run the same command again; it goes on."
        return Retry(Reason.BROKER_UNREACHABLE, what, where=self._stream, remedy=remedy)


def kinesis_client(endpoint: str = "", region: str = "") -> Any:
    """A client by boto3's usual variables, where no endpoint and region are given. Raises Stop(SETTING_INVALID)."""
    config = Config(retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=5, read_timeout=30)
    try:
        return boto3.session.Session().client("kinesis", config=config, endpoint_url=endpoint or None, region_name=region or None)
    except (BotoCoreError, ValueError) as error:
        what = f"the settings of Kinesis cannot be used ({type(error).__name__})"
        raise Stop(Reason.SETTING_INVALID, what, where="AWS_*", remedy="Set AWS_REGION, or the region of the control bus.") from None
