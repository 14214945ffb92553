"""The answer of a backtest on a terminal: what moved where, which reasons moved it, and the first payments to look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.text import Text

from assay.app.backtest.answer import REFUSED, Answer, Cell, ChangedPayment, ReasonChange
from assay.app.report.amounts import major, unit
from assay.app.report.fitted_table import fitted
from assay.contracts.outcomes import OUTCOMES
from assay.contracts.visible import one_line

REASONS_SHOWN = 15


def show(answer: Answer, console: Console) -> None:
    """Print an answer."""
    for line in _head(answer):
        _say(console, line)
    if answer.payments:
        _say(console, "", "payments by outcome: rows as the run decided, columns as the policy would")
        console.print(_matrix(answer, console.width))
    moved = [cell for cell in answer.cells if cell.before != cell.after]
    if moved:
        _say(console, "", "what changes, and what it is worth")
        console.print(_moved(moved, answer.exponents, console.width))
    fired = [reason for reason in answer.reasons if reason.gone or reason.new]
    if fired:
        _say(console, "", "reasons that fire on other payments (alone: no other reason fired)")
        console.print(_reasons(fired[:REASONS_SHOWN], console.width))
        if len(fired) > REASONS_SHOWN:
            _say(console, f"{len(fired) - REASONS_SHOWN} more with --json")
    if answer.first:
        _say(console, "", f"the first {len(answer.first):,} of {answer.changed:,} changed payments (all of them: --ids FILE)")
        for changed in answer.first:
            _say(console, *_changed(changed, answer.exponents))


def _head(answer: Answer) -> Iterator[str]:
    yield f"backtest of run {answer.run_id}"
    for side, policy in (("from", answer.before), ("to", answer.after)):
        yield f"  {side:<5} {policy.name}: features {policy.features}, rules {policy.rules}"
    yield f"  fraud: {answer.truth}"
    for name, origin in answer.columns.items():
        yield f"  {name.removeprefix('entity.')} is not in the journal and was read from {origin}"
    for side, said in (("from", "the run refused"), ("to", "the policy would refuse")):
        refused = ", ".join(f"{reason} {count:,}" for reason, count in sorted(answer.refused[side].items()))
        if refused:
            yield f"  {said}: {refused}"
    if answer.unnamed:
        yield f"  {answer.unnamed:,} payments name no entity of the policy: its gate would refuse them"
    same = " The policy is the run's own." if answer.same_documents else ""
    changed = f"{answer.changed:,} of {answer.payments:,} payments change their outcome"
    yield f"{changed}; {answer.rescored:,} more change only score or reasons.{same}"


def _matrix(answer: Answer, width: int) -> object:
    counts: defaultdict[tuple[str, str], int] = defaultdict(int)
    for cell in answer.cells:
        counts[cell.before, cell.after] += cell.payments
    names = [str(name) for name in (*OUTCOMES, REFUSED)]
    froms = [name for name in names if any(counts[name, to] for to in names)]
    tos = [name for name in names if any(counts[one, name] for one in names)]
    return fitted(("", *tos), [(name, *(f"{counts[name, to]:,}" for to in tos)) for name in froms], width)


def _moved(cells: Sequence[Cell], exponents: Mapping[str, int], width: int) -> object:
    rows = [(f"{c.before} → {c.after}", f"{c.payments:,}", _count(c.frauds), money(c.amount_minor, c.currency, exponents)) for c in cells]
    return fitted(("outcome", "payments", "frauds", "amount"), rows, width)


def _reasons(reasons: Sequence[ReasonChange], width: int) -> object:
    rows = [
        (
            r.code,
            f"{r.before:,} → {r.after:,}",
            f"{r.alone_before:,} → {r.alone_after:,}",
            f"{_count(r.frauds_before)} → {_count(r.frauds_after)}",
        )
        for r in reasons
    ]
    return fitted(("reason", "fired", "alone", "on frauds"), rows, width, may_go=(2,))


def _changed(one: ChangedPayment, exponents: Mapping[str, int]) -> Iterator[str]:
    yield f"  {one.event_id}" if one.source_id is None else f"  {one_line(one.source_id)} in the file"
    scores = " → ".join("none" if score is None else str(score) for score in (one.score_before, one.score_after))
    fired = [*(f"-{code}" for code in one.reasons_gone), *(f"+{code}" for code in one.reasons_new)]
    said = (
        f"{one.before} → {one.after}",
        f"score {scores}",
        money(one.amount_minor, one.currency, exponents),
        *(["fraud"] if one.fraud else []),
        *fired,
    )
    yield f"    {' · '.join(said)}"


def _count(frauds: int | None) -> str:
    return "?" if frauds is None else f"{frauds:,}"


def money(amount_minor: int, currency: str, exponents: Mapping[str, int]) -> str:
    """`1,203.20 EUR`; in minor units for a currency whose exponent is not known."""
    exponent = exponents.get(currency)
    return f"{major(amount_minor, exponent)} {unit(currency, exponent)}"


def _say(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(Text(line), soft_wrap=True, highlight=False)
