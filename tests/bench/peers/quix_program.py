"""Workload W on Quix Streams: one stateful function, state in its RocksDB store with a changelog, a checkpoint every few seconds.

`python -m bench.peers.quix_program BOOTSTRAP GROUP INPUT OUTPUT DIRECTORY`, in the virtual environment of quix.py.

Tuned by: packed bytes through `get_bytes` and `set_bytes` instead of JSON values, one function instead of a chain, bytes in and out without
Quix's own serializers, all five states under one message key (a `group_by` per entity would send every event five times more), client
buffers as large as the other rivals'. A checkpoint logs a changed key once; its interval is Quix's own default.
"""

from __future__ import annotations

import sys

from bench.peers.key_windows import decide
from quixstreams import Application
from quixstreams.models import Deserializer, SerializationContext, Serializer

COMMIT_INTERVAL_S = 5.0


class OneKey(Deserializer):  # type: ignore[misc]  # Quix ships no types for it
    """State lies under the key of a message. Five keys are looked up for each, so all messages of the partition share one."""

    def __call__(self, value: bytes, ctx: SerializationContext) -> bytes:
        return b"w"


class AnswerBytes(Serializer):  # type: ignore[misc]  # as above
    """The second of (account, answer)."""

    def __call__(self, value: tuple[bytes, bytes], ctx: SerializationContext) -> bytes:
        return value[1]


def main(bootstrap: str, group: str, source: str, target: str, directory: str) -> None:
    """Run until stopped."""
    app = Application(
        bootstrap, consumer_group=group, auto_offset_reset="earliest", state_dir=directory, loglevel="WARNING",
        commit_interval=COMMIT_INTERVAL_S,
        producer_extra_config={"acks": "all", "linger.ms": 20, "batch.size": 1 << 18},
        consumer_extra_config={"max.partition.fetch.bytes": 4 << 20},
    )  # fmt: skip
    payments = app.topic(source, value_deserializer="bytes", key_deserializer=OneKey())
    answers = app.topic(target, value_serializer=AnswerBytes(), key_serializer="bytes")
    stream = app.dataframe(payments).apply(lambda value, state: decide(value, state.get_bytes, state.set_bytes), stateful=True)
    stream.to_topic(answers, key=lambda pair: pair[0])
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:6])
