"""Machine code before anything waits for it: a worker that compiles while payments come looks like one that has stopped."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from assay.app.demo.stages import Stages
from assay.app.replay.fresh_process import run_fresh
from assay.app.settings import inherited
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def compile_kernels(stages: Stages) -> None:
    """Compile what is not compiled yet: for this processor, which decides, and for any, which replays. Says so only if it has to.

    Raises Stop(RUN_INCOMPLETE) if that fails.
    """
    from assay.app.warm.kernels import cold  # loads all kernels

    if not cold():
        return
    with stages.stage("compile kernels, once", starts=True), ThreadPoolExecutor(2) as pool:
        ended = [pool.submit(_here), pool.submit(run_fresh, ["warm"], subprocess.DEVNULL)]
        failed = [one.result() for one in ended if one.result()]
    if failed:
        raise Stop(Reason.RUN_INCOMPLETE, f"kernels were not compiled: exit code {failed[0]}", remedy="`assay warm` says why.")


def _here() -> int:
    return subprocess.run([sys.executable, "-m", "assay", "warm"], env=inherited(), stdout=subprocess.DEVNULL, check=False).returncode
