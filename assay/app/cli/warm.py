"""`assay warm`: compile every kernel for this processor, so that no process compiles when it starts."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from assay.app.cli.plain_app import plain_app
from assay.app.pace import pace_of
from assay.app.progress import ProgressLine, ticking
from assay.app.screen import Screen, say, say_json
from assay.app.settings import load_settings
from assay.app.warm.kernels import kernels, warm

app = plain_app("Compile every kernel for this processor (NUMBA_CPU_NAME=generic: for any).")


@app.command()
def run(
    *,
    world: Annotated[bool, typer.Option("--world", help="the kernels of the data engine, which makes worlds, instead")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """Send a small world through all lanes in memory and replay it; with --world, make a small bank and throw it away.

    Example: assay warm
    """
    started = time.perf_counter()
    with ProgressLine("kernels", len(kernels()), Screen(stderr=True), time.monotonic, pace=pace_of(load_settings())) as line:

        def look() -> None:
            found = kernels().values()
            line.show(sum(1 for kernel in found if kernel.signatures), total=len(found))

        with ticking(look):
            compiled = _warm_engine() if world else warm()
    if as_json:
        say_json({"kernels": compiled, "wall_s": round(time.perf_counter() - started, 3)})
        return
    done = "small bank made" if world else "small world decided and replayed"
    say(f"{compiled} kernels ready, {done}, {time.perf_counter() - started:.1f} s")


def _warm_engine() -> int:
    from assay.app.world.warm import warm_engine  # loads the engine

    before = {name for name, kernel in kernels().items() if kernel.signatures}
    warm_engine()
    return len({name for name, kernel in kernels().items() if kernel.signatures} - before)


def main(arguments: list[str]) -> int:
    """Run `assay warm`."""
    return app(arguments, prog_name="assay warm", standalone_mode=False) or 0
