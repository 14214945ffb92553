"""What `assay policy activate` does on a run that stands on disk."""

from __future__ import annotations

import typer

from assay.app.cli.sr_ops import publisher_of
from assay.app.policy.documents import Policy
from assay.app.run.directory import Run
from assay.app.run.frozen import refuse_changed
from assay.app.runner.activation import activate
from assay.app.runner.activation_request import Asked, from_us_of
from assay.app.runner.answers import Activation
from assay.app.runner.of_run import runner_of
from assay.app.screen import say
from assay.contracts.errors import Quarantine
from assay.contracts.visible import one_line


def activate_on(run: Run, policy: Policy, actor: str, reason: str, from_time: str, authority: str, *, dry_run: bool) -> Activation:
    """Make a policy that of a run. Raises as `activate`, and for a `from_time` that is no instant or not for this run."""
    refuse_changed(run)
    try:
        from_us = from_us_of(run.config, from_time)
    except Quarantine as error:
        raise typer.BadParameter(f"--from {from_time}: {error.what}") from None
    asked = Asked(policy.features, policy.rules, actor, reason, from_us)
    return activate(runner_of(run, publisher_of(run), authority), asked, dry_run=dry_run)


def tell(answer: Activation) -> None:
    """Print what changes."""
    before, after = ({name: one_line(text) for name, text in named.items()} for named in (answer.before, answer.after))
    say(f"{after['policy_id']} revision {after['revision']}, number {answer.policy_seq} of the run: {answer.message}")
    if before != after:
        say(f"  follows {before['policy_id']} revision {before['revision']}")
    for line in answer.changes:
        say(f"  {line}")
