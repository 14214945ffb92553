"""What must hold of each lane: the journal covers its input once, nothing is ahead of it, and it gives what is on the topics."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from assay.agents.step import Machine
from assay.app.simulation.log import ModelLog
from assay.app.simulation.simulated_lane import SimulatedLane
from assay.app.simulation.simulator import Simulator
from assay.codecs.single_object import unpack
from assay.contracts.errors import AssayError
from assay.contracts.handles import CHANGELOG_FEATURES
from oracles.journaled import Journaled, journaled
from oracles.sentences import some
from oracles.snapshot_checks import SnapshotsJudged


def lane_violations(simulator: Simulator) -> list[str]:
    """What is wrong with journals, commits, outputs and effects of all lanes."""
    found: list[str] = []
    wanted: dict[str, set[bytes]] = defaultdict(set)
    for lane in simulator.lanes.values():
        machine = lane.make()
        snapshots = SnapshotsJudged(simulator, lane, machine)
        try:
            records = journaled(simulator, lane, machine, snapshots.folded)
        except (ValueError, AssayError) as error:
            return [*found, f"the journal of {lane.name}: {error}"]
        for handle, value in (output for record in records for output in record.outputs):
            wanted[handle].add(value)
        found += snapshots.at_rest()
        found += _offsets_once(simulator, lane, records)
        found += _in_order(simulator, lane, records)
        found += _not_repeated(simulator, lane, records)
        found += _read_models(simulator.log, machine)
    return [*found, *_outputs(simulator, wanted)]


def _offsets_once(simulator: Simulator, lane: SimulatedLane, records: Sequence[Journaled]) -> Iterator[str]:
    covered: Counter[tuple[str, int, int]] = Counter()
    for handle, partition, first, last in (entry for record in records for entry in record.ranges):
        covered.update((handle, partition, offset) for offset in range(first, last + 1))
    wanted = {(*place, offset) for place in lane.tps for offset in range(simulator.log.end(place))}
    yield from some(f"{lane.name} has left out {{}}", wanted - covered.keys())
    yield from some(f"{lane.name} has journaled {{}}, which is not there", covered.keys() - wanted)
    yield from some(f"{lane.name} has journaled twice {{}}", [place for place, times in covered.items() if times > 1])


# -- journal record → effects and outputs → commit, each when the one before it is durable


def _in_order(simulator: Simulator, lane: SimulatedLane, records: Sequence[Journaled]) -> Iterator[str]:
    first = {handle: _arrivals(simulator.log, handle) for handle in {output[0] for record in records for output in record.outputs}}
    nowhere = simulator.log.count
    for record in records:
        for handle, value in record.outputs:
            if first[handle].get(value, nowhere) < record.durable_at:
                yield f"{lane.name} has sent to {handle} what its journal record at {record.offset} gives, before that was there"
                return
        if any(simulator.asked.get(key, nowhere) < record.durable_at for key in record.effects):
            yield f"{lane.name} has asked for the effects of its journal record at {record.offset} before that was there"
            return
    out_at = _out_at(records, first, nowhere)
    for record in records:
        if record.out_through >= 0 and out_at[record.out_through] > record.durable_at:
            yield f"{lane.name} has journaled at {record.offset} that outputs up to {record.out_through} are out before they were"
            return
    yield from _commits_behind(simulator, lane, records, out_at)


def _arrivals(log: ModelLog, handle: str) -> Mapping[bytes, int]:
    """When each value of a topic was there for the first time."""
    found: dict[bytes, int] = {}
    for place in log.tps():
        if place[0] == handle:
            for record, at in zip(log.read(place, 0, log.end(place)), log.arrivals(place), strict=True):
                found[record.value] = min(at, found.get(record.value, at))
    return found


def _out_at(records: Sequence[Journaled], first: Mapping[str, Mapping[bytes, int]], nowhere: int) -> list[int]:
    """For each record when all outputs of it and of those before it were there; answers belong to what was asked."""
    out, latest = [0] * len(records), 0
    for number, record in enumerate(records):
        latest = max([latest, *(first[handle].get(value, nowhere) + 1 for handle, value in record.outputs)])
        out[number] = latest
        if record.answers and number:
            out[number - 1] = latest
    return out


def _commits_behind(simulator: Simulator, lane: SimulatedLane, records: Sequence[Journaled], out_at: Sequence[int]) -> Iterator[str]:
    held = {
        (handle, partition, offset): number
        for number, record in enumerate(records)
        for handle, partition, first, last in record.ranges
        for offset in range(first, last + 1)
    }
    seen: dict[tuple[str, int], int] = defaultdict(int)
    for commit in simulator.commits:
        for place, end in commit.offsets.items() if commit.lane == lane.name else ():
            numbers = [held.get((*place, offset)) for offset in range(seen[place], end)]
            seen[place] = max(end, seen[place])
            if any(number is None or records[number].durable_at > commit.at for number in numbers):
                yield f"{lane.name} has committed {place} up to {end}, ahead of its journal"
                return
            if any(out_at[number] > commit.at for number in numbers if number is not None):
                yield f"{lane.name} has committed {place} up to {end}, ahead of its outputs"
                return


# -- outputs: all that the journals give, and nothing else: nothing new by a writer that had lost its lane


def _outputs(simulator: Simulator, given: Mapping[str, set[bytes]]) -> Iterator[str]:
    lanes = simulator.lanes.values()
    fed = {handle for lane in lanes for handle, _ in [*lane.tps, *([lane.journal] if lane.journal else [])]}
    poison: dict[str, set[bytes]] = defaultdict(set)
    for found in simulator.poison.planted:
        poison[found.tp[0]].add(simulator.log.read(found.tp, found.offset, 1)[0].value)
    for handle in sorted({handle for handle, _ in simulator.log.tps()} - fed | given.keys()):
        there, wanted = set(simulator.log.values(handle)) - {b""}, given.get(handle, set())
        if missing := wanted - there:
            yield f"{len(missing)} records of {handle} that a journal gives are not there"
        if new := there - wanted - poison[handle]:
            yield f"{len(new)} records of {handle} are given by no journal record that counts"


def _not_repeated(simulator: Simulator, lane: SimulatedLane, records: Sequence[Journaled]) -> Iterator[str]:
    """A process says again what the one before it may not have sent; where there was but one, nothing is there twice."""
    if simulator.owners[lane.name] > 1:
        return
    for handle in sorted({handle for record in records for handle, _ in record.outputs}):
        mine = {value for record in records for of, value in record.outputs if of == handle}
        times = Counter(value for value in simulator.log.values(handle) if value in mine)
        if again := sum(1 for count in times.values() if count > 1):
            yield f"{again} records of {handle} are there twice, though {lane.name} was never restarted"


def _read_models(log: ModelLog, machine: Machine) -> Iterator[str]:
    """At rest the row of a key with the newest stamp is what the lane knows of it; one it has forgotten was taken back.

    What a writer that had lost the lane still sent may be behind either: rows are told apart by their stamps.
    """
    newest: dict[str, dict[str, Any]] = {}
    taken_back = set()
    for tp in log.tps() if machine.table("features") else ():
        for record in log.read(tp, 0, log.end(tp)) if tp[0] == CHANGELOG_FEATURES else ():
            key = record.key.decode()
            if not record.value:
                taken_back.add(key)
                continue
            row = unpack(record.value)[1]
            before = newest.setdefault(key, row)
            if (row["epoch"], row["sequence"]) > (before["epoch"], before["sequence"]):
                newest[key] = row
    stale = []
    for key, row in newest.items():
        known = machine.table("features").row(key)
        windows = {window.pop("name"): window for window in map(dict, row["windows"])}
        forgotten = known is None or not known["payment_count"]  # only context facts have named it since
        if key not in taken_back if forgotten else (known["payment_count"], known["windows"]) != (row["event_count"], windows):
            stale.append(key)
    yield from some("changed rows were never sent: {}", stale)
