"""Why there is no decision of an id: the payment was refused, is not decided yet, was never sent, or nobody knows it."""

from __future__ import annotations

from collections.abc import Iterable

from assay.app.gate.receipt_search import receipts_named
from assay.app.gate.segment_rows import by_index_of, none_ruled_out
from assay.app.report.gate_lines import Refused, refused_items
from assay.app.run.directory import Run
from assay.app.run.own_command import own_command
from assay.codecs.audit_segment import SEGMENTS
from assay.codecs.quarantine import lane_letter
from assay.contracts.errors import AssayError, Retry, Stop
from assay.contracts.handles import QUARANTINE, RTDL
from assay.contracts.reasons import Reason
from assay.contracts.visible import one_line


def refuse_quarantined(run: Run, wanted: str) -> None:
    """Raises Stop(EVENT_QUARANTINED) with what the gate said when it set aside the payment, the last time it did."""
    refused = None
    for item in refused_items(run):
        refused = item if item.is_called(wanted) else refused
    if refused is not None and not _admitted(run, refused.event_id):
        raise quarantined(run, refused)


def quarantined(run: Run, refused: Refused) -> Stop:
    """The refusal that names why a payment is in quarantine."""
    what = f"{refused.event_id!r} is not decided: quarantined, because {refused.reason}: {one_line(refused.detail)}"
    remedy = f"{refused.remedy} `{own_command()} quarantine show {refused.quarantine_id} --run {run.directory}` shows it as it came."
    return Stop(Reason.EVENT_QUARANTINED, what, where=refused.where, remedy=remedy.strip())


def refuse_set_aside(letters: Iterable[bytes | None], event_id: str) -> None:
    """Raises Stop(EVENT_QUARANTINED) for a payment that a lane has set aside; `letters` are the values of the quarantine topic."""
    needle = event_id.encode("utf-8", "replace")
    for value in letters:
        if value is not None and needle in value:
            letter = lane_letter(value)
            if letter.is_of(event_id):
                what = f"{event_id!r} is not decided: quarantined by a lane, because {letter.reason}: {letter.detail}"
                raise Stop(
                    Reason.EVENT_QUARANTINED, what, where=letter.place, remedy="Correct the payment, and send it under an id of its own."
                )


def why_not(run: Run, wanted: str, event_id: str, unsearched: Retry | None, *, of_world: bool, aside: str = "") -> AssayError:
    """Retry(DECISION_PENDING) for what the gate admitted, else Stop(DECISION_NOT_FOUND), or `unsearched` where nothing could be searched.

    `unsearched` says that the bus does not answer. `of_world`: the run's world has the payment. `aside`: how many rows
    of its file are not part of the world.
    """
    if _admitted(run, event_id):
        what, ask = f"{wanted!r} is admitted, and not decided yet", "Ask again in a moment; a worker has to run."
        if unsearched is not None:
            what = f"{wanted!r} is admitted, and no audit segment has its decision; a lane may have decided or refused it since"
            ask = f"{RTDL} and {QUARANTINE} were not searched: {unsearched.what}. Start the run's Kafka and ask again."
        return Retry(Reason.DECISION_PENDING, what, where=f"event {event_id}", remedy=ask)
    if of_world:
        what, remedy = f"{wanted!r} is payment {event_id} of the run's world; the gate has not seen it", "Resume the run with --run."
        return Stop(Reason.DECISION_NOT_FOUND, what, where=f"world {run.config.manifest_fingerprint}", remedy=remedy)
    if unsearched is not None and not any(True for _ in run.store.keys(SEGMENTS)):
        return unsearched
    what = f"{wanted!r} is unknown: no decision has it as event id or decision id, and the gate has not seen it"
    searched = f"{SEGMENTS} and {RTDL}" if unsearched is None else SEGMENTS
    if aside:
        what += f"; {aside}, and the run's world has no ids of such rows"
    known = "If its row was set aside, it is in the file that --quarantine-rows named. " if aside else ""
    known += "Take an id of the payments' file, an id that was posted, or the decision_id of `assay topic cat`."
    remedy = known if unsearched is None else f"{RTDL} was not searched: {unsearched.what}. Start the run's Kafka and ask again."
    return Stop(Reason.DECISION_NOT_FOUND, what, where=searched, remedy=remedy)


def _admitted(run: Run, event_id: str) -> bool:
    told = (receipt["decision"] for out in (by_index_of(run), none_ruled_out) for receipt in receipts_named(run, event_id, out))
    return any(decision in ("ADMIT", "DUPLICATE") for decision in told)
