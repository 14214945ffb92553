"""One round of `assay bench stream` in a process of its own: the outputs of a sorted bank go to a gate. It prints what it took."""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import time
from pathlib import Path

from assay.app.pack.sealed_pack import SealedPack, open_pack
from assay.app.run.directory import RunConfig
from assay.app.screen import say_json
from assay.app.stores.objects import DirectoryStore
from assay.app.streamer.checkpoint import Checkpoint
from assay.app.streamer.facts import RunFacts, Source
from assay.app.streamer.gate_client import GateClient
from assay.app.streamer.outputs import OutputsStreamer, Plan
from assay.app.streamer.retry import RetryPolicy
from assay.app.streamer.run_outputs import outputs_of
from assay.app.streamer.world_streamer import StreamOptions
from assay.contracts.ids import scenario_run_id
from assay.contracts.traffic_modes import FRAUD

PLATFORM_RUN = "platform_20260101T000000Z"


def facts_of_pack(pack: SealedPack, root: str, outputs: list[str]) -> tuple[RunConfig, RunFacts]:
    """Configuration and facts of a run over a pack, as READY would name them."""
    key = pack.identity.world_key
    sources = {}
    for output_id in outputs:
        parts = pack.parts(pack.output(output_id))
        files = [(part.path, part.rows, part.sha256) for part in parts]
        sources[output_id] = Source(output_id, parts[0].path, sum(part.rows for part in parts), files)
    config = RunConfig(
        platform_run_id=PLATFORM_RUN,
        scenario_run_id=scenario_run_id(PLATFORM_RUN),
        **{name: key[name] for name in ("manifest_fingerprint", "parameter_hash", "scenario_id", "seed")},
        run_id=pack.identity.run_id,
        features={},
        policy={},
        traffic=FRAUD.name.value,
    )
    identity = pack.identity
    return config, RunFacts(config.pins, identity.run_id, identity.pack_id, root, identity.release, sources, config.ordering, 0, 0)


async def stream(bank: Path, url: str, outputs: list[str], options: StreamOptions, room: Path) -> dict[str, float]:
    """Stream all rows; events, wall and CPU seconds from the first call on."""
    store = DirectoryStore(bank)
    config, facts = facts_of_pack(open_pack(store), str(bank), outputs)
    streams = outputs_of(config, facts, store, lambda _: store)
    stop, kept = asyncio.Event(), DirectoryStore(room)
    gate = GateClient(url, "key", config.pins, RetryPolicy(), random.SystemRandom().random, stop)
    used, began_s = _cpu_s(), time.perf_counter()
    try:
        streamed = await OutputsStreamer(streams, gate, lambda name, _: Checkpoint(kept, name, "bench"), Plan(options), stop).run()
    finally:
        await gate.close()
    return {"events": streamed.position, "wall_s": time.perf_counter() - began_s, "cpu_s": _cpu_s() - used}


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Read the arguments, stream, print JSON."""
    parser = argparse.ArgumentParser()
    for name in ("bank", "url", "outputs", "room"):
        parser.add_argument(name)
    parser.add_argument("batch", type=int)
    parser.add_argument("in_flight", type=int)
    given = parser.parse_args()
    options = StreamOptions(given.batch, given.in_flight)
    figures = asyncio.run(stream(Path(given.bank), given.url, given.outputs.split(","), options, Path(given.room)))
    say_json(figures, indent=None)


if __name__ == "__main__":
    main()
