"""A run's id is its own: the form has room for seconds, so what is made under an id claims it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from assay.app.bus.topics import claim_namespace
from assay.app.demo.new_run import claim_topics, live_config, new_directory
from assay.app.policy.documents import load_policy
from assay.app.settings import Settings, load_settings
from assay.app.substrate import Server
from assay.contracts.errors import Stop
from assay.contracts.pins import PLATFORM_RUN_ID
from assay.contracts.reasons import Reason

T = TypeVar("T")
NOW_US = 1_767_225_599_500_000  # half a second before 2026
AT_ONCE = 8


def at_once(call: Callable[[], T]) -> list[T]:
    """What each of several threads gets that begin together."""
    ready = threading.Barrier(AT_ONCE)
    got: list[T] = []

    def one() -> None:
        ready.wait(30)
        got.append(call())

    threads = [threading.Thread(target=one) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return got


def test_runs_begun_in_one_second_have_ids_and_directories_of_their_own(tmp_path: Path) -> None:
    names = sorted(at_once(lambda: new_directory(tmp_path / "runs", NOW_US).name))
    assert names[:2] == ["platform_20251231T235959Z", "platform_20260101T000000Z"], "the second, then the next"
    assert len(set(names)) == AT_ONCE
    assert all(PLATFORM_RUN_ID.fullmatch(name) for name in names), "the form of the contracts"


@pytest.mark.tier2
def test_of_runs_begun_at_once_on_one_kafka_one_has_the_namespace(kafka: Server, namespace: str) -> None:
    assert sorted(at_once(lambda: claim_namespace(kafka.address, namespace))) == [False] * (AT_ONCE - 1) + [True]


@pytest.mark.tier2
def test_a_second_run_of_one_id_on_a_kafka_is_refused_and_the_first_goes_on(kafka: Server, tmp_path: Path, settings: Settings) -> None:
    given = settings.model_copy(update={"bus": kafka.address, "namespace": ""})
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    config = live_config(new_directory(tmp_path / "runs", NOW_US).name, load_policy("handbook"))
    claim_topics(first, config, given, kafka.address, {})
    with pytest.raises(Stop, match=f"another run on this Kafka is {config.platform_run_id}") as refused:
        claim_topics(second, config, given, kafka.address, {})
    assert refused.value.reason is Reason.RUN_ID_TAKEN
    with pytest.raises(Stop):  # a refusal leaves nothing that would let it pass the next time
        claim_topics(second, config, given, kafka.address, {})
    claim_topics(first, config, given, kafka.address, {})  # interrupted before it was wired
    (first / "run.json").touch()
    claim_topics(first, config, given, kafka.address, {})


def test_a_kafka_of_its_own_or_a_given_namespace_needs_no_claim(tmp_path: Path) -> None:
    config = live_config("platform_20260101T000000Z", load_policy("handbook"))
    for given in ({"bus": ""}, {"bus": "127.0.0.1:9", "namespace": "mine."}):
        claim_topics(tmp_path, config, load_settings(**given), "127.0.0.1:9", {})
