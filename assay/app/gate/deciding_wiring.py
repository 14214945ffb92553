"""The parts of `deciding` wired for one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from assay.app.bus.tail import TopicTail
from assay.app.bus.topic_reader import reader_of
from assay.app.gate.answer_index import AnswerIndex, Placed
from assay.app.gate.answer_log import AnswerLog
from assay.app.gate.deciding import Deciding
from assay.app.gate.decisions import Decisions
from assay.app.gate.decisions_to_come import DecisionsToCome
from assay.app.gate.publisher import BusPublisher
from assay.app.gate.reason_words import ReasonWords
from assay.app.run.directory import Run
from assay.contracts.errors import AssayError
from assay.contracts.event_classes import TRAFFIC
from assay.contracts.handles import ANSWERS, RTDL
from assay.contracts.ids import dedupe_key
from assay.contracts.topics import topic


def deciding_of(
    run: Run,
    decisions: Decisions,
    clock: Callable[[], int],
    report: Callable[[AssayError], object],
    properties: Mapping[str, str] | None = None,
    *,
    shared: bool = False,
) -> Deciding | None:
    """What answers posters who wait; None in a run that is not ordered by arrival. `report` is told what the answers' thread meets.

    `shared`: other processes of the gate answer, too.
    """
    if run.config.ordering != "arrival":
        return None
    publisher = BusPublisher(run.bootstrap, {ANSWERS: topic(ANSWERS).name(run.namespace)}, properties)

    def behind(first: Mapping[int, int]) -> Iterator[Placed]:
        reader = reader_of(run.bootstrap, ANSWERS, run.namespace, properties)
        bounds = {partition: (max(begin, first.get(partition, 0)), end) for partition, (begin, end) in reader.bounds().items()}
        for record in reader.records(bounds):
            if record.key is not None and record.value is not None:
                key = dedupe_key(run.platform_run_id, TRAFFIC, record.key.decode())
                yield Placed(key, record.partition, record.offset, record.value)

    written = AnswerIndex(run.sql_of_gate, run.platform_run_id, behind)
    log = AnswerLog(publisher, written, run.platform_run_id, report, shared=shared)
    index = AnswerIndex(run.sql_of_gate, run.platform_run_id)
    coming = DecisionsToCome(TopicTail(run.bootstrap, RTDL, run.namespace, properties, at_end=True).batches)
    return Deciding(coming, log, index, decisions, ReasonWords(run), run.config.pins, clock)
