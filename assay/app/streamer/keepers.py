"""Where the cursors of a run are kept: the run's store, or PostgreSQL, as the settings say."""

from __future__ import annotations

from assay.app.run.directory import Run, RunConfig
from assay.app.settings import Settings
from assay.app.streamer.checkpoint import Checkpoint, Keeper, lanes_kept
from assay.app.streamer.lanes import ALONE, Lane, refuse_other_count
from assay.app.streamer.sql_checkpoint import Cursors, SqlCheckpoint, sql_lanes_kept
from assay.contracts.ids import checkpoint_scope

#: in the scope of what all lanes of a run share
_NO_LANE = Lane(0, 0)


class Keepers:
    """The keepers of a process that sends sequences of one run over one pack. `folder` tells the process from others of the run."""

    def __init__(self, run: Run, pack_id: str, settings: Settings, folder: str = "wsp") -> None:
        self._run, self._pack_id, self._folder = run, pack_id, folder
        self._cursors = Cursors(run.streamer_dsn or run.dsn) if settings.checkpoints == "postgres" else None

    def of(self, name: str, lane: Lane = ALONE) -> Keeper:
        """The keeper of a sequence, in a lane."""
        scope, run_id = scope_of(self._run.config, self._pack_id, lane), self._run.config.scenario_run_id
        if self._cursors is not None:
            return SqlCheckpoint(self._cursors, f"{self._folder}/{name}", scope)
        of_lane = "" if lane.lanes == 1 else f".{lane.number}-of-{lane.lanes}"
        return Checkpoint(self._run.store, f"{run_id}/{name}{of_lane}", scope, self._folder)

    def begin(self, lanes: int) -> None:
        """Keep the number of lanes of the run where it is the first to be said. No lane goes on from the positions of another number.

        Raises Stop(STREAM_LANE_INVALID) where another one was kept, and what a `Keeper` raises.
        """
        if self._cursors is not None:
            scope = scope_of(self._run.config, self._pack_id, _NO_LANE)
            kept = sql_lanes_kept(self._cursors, f"{self._folder}/lanes", scope, lanes)
        else:
            kept = lanes_kept(self._run.store, self._run.config.scenario_run_id, lanes, self._folder)
        refuse_other_count(lanes, kept)

    def close(self) -> None:
        """Let go of the database."""
        if self._cursors is not None:
            self._cursors.close()


def scope_of(config: RunConfig, pack_id: str, lane: Lane = ALONE) -> str:
    """The scope of the checkpoints of a run over one pack: another run, pack or configuration does not go on from them."""
    return checkpoint_scope(pack_id, config.platform_run_id, config.scenario_run_id, lane.lanes, lane.number, config.digest.hex())
