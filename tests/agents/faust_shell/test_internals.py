"""A contract on every part of Faust, mode and aiokafka that the shell overrides or reaches into.

The versions are pinned here: after an upgrade, read each part named below again, run the shell's tests on Kafka, then
move the pins.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import faust
import pytest
from aiokafka.consumer.consumer import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import CoordinatorGroupRebalance, GroupCoordinator
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.producer.producer import AIOKafkaProducer
from faust.app import BootStrategy
from faust.assignor.partition_assignor import PartitionAssignor
from faust.tables import TableManager
from faust.tables.base import Collection
from faust.transport.conductor import ConductorCompiler
from faust.transport.consumer import Consumer as BaseConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Producer, Transport
from faust.types.assignor import PartitionAssignorT
from mode import Service
from mode.threads import MethodQueue, MethodQueueWorker, QueueServiceThread

from assay.agents.faust_shell.apps import LaneBoot, WorkerApp, WorkerBoot
from assay.agents.faust_shell.assignor import LaneAssignor
from assay.agents.faust_shell.tables import LaneRecovery
from assay.agents.faust_shell.transport import LaneConsumer, LaneConsumerThread


@pytest.mark.parametrize(("package", "pinned"), [("faust-streaming", "0.15.3"), ("mode-streaming", "0.7.1"), ("aiokafka", "0.14.0")])
def test_the_versions_are_those_the_shell_was_read_against(package: str, pinned: str) -> None:
    assert version(package) == pinned


@pytest.mark.parametrize(
    ("part", "parameters"),
    [
        (BaseConsumer.perform_seek, "self"),
        (BaseConsumer._wait_next_records, "self timeout"),
        (BaseConsumer._commit_offsets, "self offsets start_new_transaction"),
        (BaseConsumer.force_commit, "self topics start_new_transaction"),
        (BaseConsumer.on_partitions_assigned, "self assigned generation_id"),
        (BaseConsumer._get_active_partitions, "self"),
        (Consumer._getmany, "self active_partitions timeout"),
        (Consumer._new_consumer_thread, "self"),
        (AIOKafkaConsumerThread.on_start, "self"),
        (AIOKafkaConsumerThread._ensure_consumer, "self"),
        (AIOKafkaConsumerThread.verify_event_path, "self now tp"),
        (TableManager.add, "self table"),
        (TableManager._update_channels, "self"),
        (TableManager.on_rebalance, "self assigned revoked newly_assigned generation_id"),
        (TableManager.on_partitions_revoked, "self revoked"),
        (TableManager.wait_until_recovery_completed, "self"),
        (Collection.on_start, "self"),
        (faust.App._new_transport, "self"),
        (faust.App._wait_for_table_recovery_completed, "self"),
        (faust.App.on_start, "self"),
        (faust.App.on_stop, "self"),
        (Service.add_runtime_dependency, "self service"),
        (Service.sleep, "self n"),
        (Service.wait_first, "self coros timeout"),
        (MethodQueue._process_enqueued, "self p"),
        (Service._crash, "self reason"),
        (AIOKafkaProducer.create_batch, "self"),
        (AIOKafkaProducer.send_batch, "self batch topic partition"),
        (BatchBuilder.append, "self timestamp key value headers"),
    ],
)
def test_an_overridden_part_takes_what_we_give_it(part: Callable[..., Any], parameters: str) -> None:
    assert list(inspect.signature(inspect.unwrap(part)).parameters) == parameters.split()


def test_records_are_turned_into_messages_by_these_attributes_only() -> None:
    source = inspect.getsource(Consumer._to_message)
    read = {line.split("record.")[1].split(",")[0].strip() for line in source.splitlines() if "record." in line}
    assert read == {
        "topic", "partition", "offset", "timestamp", "timestamp_type", "headers", "key", "value", "checksum",
        "serialized_key_size", "serialized_value_size",
    }  # fmt: skip


def test_the_fetcher_reads_the_waits_that_are_set_before_each_fetch() -> None:
    source = inspect.getsource(Fetcher._get_actions_per_node)
    assert {"self._fetch_max_wait_ms", "self._fetch_min_bytes", "self._records"} <= set(re.findall(r"self\.\w+", source))
    assert "self._get_actions_per_node(assignment)" in inspect.getsource(Fetcher._fetch_requests_routine)
    assert "self._prefetch_backoff" in inspect.getsource(Fetcher)
    assert "self._isolation_level," in inspect.getsource(Fetcher._get_actions_per_node)
    assert "self._isolation_level," in inspect.getsource(Fetcher._proc_fetch_request)
    assert "_fetcher" in inspect.getsource(AIOKafkaConsumer.start)


def test_assignment_reaches_the_assignor_before_the_rebalance_callbacks() -> None:
    source = inspect.getsource(GroupCoordinator._on_join_complete)
    assert source.index("assignor.on_assignment(assignment)") < source.index("listener.on_partitions_assigned(assigned)")
    assert "assignor.metadata(topics)" in inspect.getsource(CoordinatorGroupRebalance.perform_group_join)


def test_heartbeats_start_only_after_the_rebalance_callbacks() -> None:
    """Why lanes recover in a task and not in the callback: a long recovery would lose the group membership."""
    source = inspect.getsource(GroupCoordinator.ensure_active_group)
    assert source.index("await self._do_rejoin_group(subscription)") < source.index("self._start_heartbeat_task()")
    assert "self._on_join_complete(" in inspect.getsource(GroupCoordinator._do_rejoin_group)


def test_an_idle_member_leaves_the_group_only_by_the_interval_we_lift() -> None:
    assert "if prev_assignment is not None and idle_time >= self._max_poll_interval:" in inspect.getsource(
        GroupCoordinator.ensure_active_group
    )
    assert "max_poll_interval_ms=int(max_poll_interval * 1000.0)" in inspect.getsource(AIOKafkaConsumerThread._create_worker_consumer)
    assert "max_poll_interval" not in inspect.getsource(CoordinatorGroupRebalance)


def test_a_membership_that_aiokafka_has_given_up_is_told_to_who_fetches_only() -> None:
    source = inspect.getsource(GroupCoordinator.check_errors)
    assert "if self._coordination_task.done():" in source
    assert "if self._pending_exception is not None:" in source
    assert "check_errors()" in inspect.getsource(AIOKafkaConsumer.getmany)
    assert "self._coordinator.close()" in inspect.getsource(AIOKafkaConsumer.stop)
    assert "self._coordinator = None" in inspect.getsource(AIOKafkaConsumer.__init__)


def test_our_assignor_is_used_while_standby_replicas_are_set() -> None:
    source = inspect.getsource(AIOKafkaConsumerThread._create_worker_consumer)
    assert "self.app.conf.table_standby_replicas > 0" in source
    missing = [name for name in PartitionAssignorT.__abstractmethods__ if name not in dir(LaneAssignor)]
    assert missing == []
    assert issubclass(LaneAssignor, PartitionAssignor.__mro__[1])


def test_a_failed_commit_crashes_the_consumer_thread_and_tells_only_false() -> None:
    source = inspect.getsource(AIOKafkaConsumerThread._commit)
    assert source.count("await self.crash(exc)") == 3
    assert source.count("return False") == 4


def test_faust_calls_the_seek_only_where_ours_is_safe() -> None:
    """`getmany` logs and drops what the seek raises; ours crashes the worker before it raises."""
    source = inspect.getsource(BaseConsumer.getmany)
    assert "await self.perform_seek()" in source
    assert "await self.crash(error)" in inspect.getsource(LaneConsumer.perform_seek)


def test_table_recovery_is_never_reached() -> None:
    """Faust makes its recovery service on first use of `recovery`; ours uses none of the methods that do."""
    assert "recovery" not in {name for method in vars(LaneRecovery).values() for name in _names(method)}
    users = {name for name, method in vars(TableManager).items() if "recovery" in _names(method)}
    assert users - {"recovery"} <= set(vars(LaneRecovery))


def test_faust_asks_the_boot_strategy_what_an_app_starts_and_waits_for_recovery_once_it_is_started() -> None:
    assert {"enable_kafka", "enable_kafka_producer", "enable_web", "enable_sensors"} <= set(vars(BootStrategy))
    assert {*vars(WorkerBoot), *vars(LaneBoot)} & {name for name in vars(BootStrategy) if name.startswith("enable_")} == {
        "enable_kafka", "enable_kafka_producer", "enable_web", "enable_sensors",
    }  # fmt: skip
    started = inspect.getsource(faust.App.on_started)
    assert "if not await self._wait_for_table_recovery_completed():" in started
    assert "self.add_runtime_dependency(app)" in inspect.getsource(WorkerApp._wait_for_table_recovery_completed)


def test_the_consumer_waits_for_a_delivery_or_the_end_of_the_flow_and_a_delivery_waits_for_the_flow_only() -> None:
    """Why a message may be delivered without tasks while the flow of the app is active."""
    drained = inspect.getsource(BaseConsumer._drain_messages)
    assert re.sub(r"\s+", " ", drained).count("await self.wait_first( callback(message), self.suspend_flow.wait() )") == 1
    assert drained.count("wait_first") == 1
    assert "await self.sleep(0)" in drained
    delivered = inspect.getsource(ConductorCompiler.build)
    assert "await acquire_flow_control()" in delivered
    assert "acquire_flow_control: Callable = app.flow_control.acquire" in delivered


def test_the_thread_of_the_consumer_takes_calls_from_its_queue_by_the_worker_that_the_queue_names() -> None:
    assert "self.Worker(self, index=i" in inspect.getsource(MethodQueue.on_start)
    called = inspect.getsource(MethodQueueWorker._method_queue_do_work.fun)
    assert "get = method_queue._queue.get" in called
    assert "await process_enqueued(item)" in called
    assert "self._queue.put_nowait(method)" in inspect.getsource(MethodQueue._queue_put)
    assert "await self.method_queue.call(" in inspect.getsource(QueueServiceThread.call_thread)
    assert "future.cancel()" in inspect.getsource(Service._default_stop_futures)


def test_a_crash_walks_up_from_a_service_to_all_it_belongs_to_and_down_to_their_children() -> None:
    """How the crash of a lane's app reaches the worker's app and Faust's worker."""
    crash = inspect.getsource(Service.crash)
    assert "for node in self.beacon.walk():" in crash
    assert "child._crash(reason)" in crash
    assert "for node in self._children:\n            node._crash(reason)" in inspect.getsource(Service._crash)
    assert "service.beacon.reattach(self.beacon)" in inspect.getsource(Service.add_dependency)


def test_the_rest_of_an_app_needs_no_producer_that_was_started() -> None:
    """A lane's app starts none: the consumer makes one for transactions, which are off, and Faust flushes it at the end."""
    assert "if self._producer is not None:" in inspect.getsource(Producer.flush)
    assert "if self.in_transaction:" in inspect.getsource(BaseConsumer.on_init_dependencies)


def test_transport_and_thread_are_those_faust_makes() -> None:
    assert "self.Consumer" in inspect.getsource(Transport.create_consumer)
    assert issubclass(LaneConsumerThread, AIOKafkaConsumerThread)


def _names(method: Any) -> tuple[str, ...]:
    code = getattr(getattr(method, "fun", method), "__code__", None)
    return code.co_names if code is not None else ()
