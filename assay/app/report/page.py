"""The report of a run as one HTML file that needs nothing else: no script, no font, no address to load from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources

from assay.app.report.summary import OutcomeRow, RunSummary, Series
from assay.contracts import instants
from assay.contracts.outcomes import OUTCOMES

NOT_PROVEN = '<span class="missing">not proven</span>'
REASONS_SHOWN = 12
_STATES = {True: ("proven", "✓ proven"), False: ("refuted", "✗ refuted"), None: ("unknown", "? not proven")}


def page(summary: RunSummary) -> str:
    """The whole document."""
    style = resources.files("assay.app.report").joinpath("style.css").read_text("utf-8")
    body = "\n".join(
        [
            _header(summary),
            _verdicts(summary),
            _tiles(summary),
            f'<div class="pair">{_outcomes(summary)}{_quality(summary)}</div>',
            _reasons(summary),
            f'<div class="pair">{_throughput(summary)}{_stages(summary)}</div>',
            f'<div class="pair">{_parts(summary)}{_quarantine(summary)}</div>',
            _processes(summary),
            _identity(summary),
        ]
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(summary.run_id)}</title><style>{style}</style></head>\n<body><main>\n{body}\n</main></body></html>\n"
    )


def _header(summary: RunSummary) -> str:
    run = summary.run
    claim = f"world {summary.world} · claim level {summary.claim_text or 'not proven'}"
    when = f"{run.started_utc[:19].replace('T', ' ')} to {run.finished_utc[11:19]} UTC · {run.machine}" if run else "no run evidence"
    return f"<header><h1>{escape(summary.run_id)}</h1><p>{escape(claim)}<br>{escape(when)}</p></header>"


def _verdicts(summary: RunSummary) -> str:
    cards = []
    for what, proven, figures in summary.verdicts:
        kind, word = _STATES[proven]
        cards.append(f'<div class="verdict {kind}"><i>{word}</i><b>{escape(what)}</b><p>{escape(figures)}</p></div>')
    found = [*(summary.replay.differences if summary.replay else ()), *(summary.audit.problems if summary.audit else ())]
    listed = "".join(f"<li><code>{escape(line)}</code></li>" for line in found[:100])
    return f'<div class="verdicts">{"".join(cards)}</div>' + (_section("Found", f"<ul>{listed}</ul>") if listed else "")


def _tiles(summary: RunSummary) -> str:
    refused = None if summary.run is None else summary.run.refused_triggers
    latency = (summary.run.latency_ms or {}) if summary.run else {}
    duplicates = summary.run.duplicates if summary.run else None
    admitted = summary.run.admitted_triggers if summary.run else None
    tiles = [
        ("sealed payments", _n(summary.sealed_rows)) if admitted is None else ("admitted payments", _n(admitted)),
        ("refused", _n(refused)),
        ("eligible", _n(summary.eligible)),
        ("decisions", _n(summary.decisions)),
        ("audits", _n(summary.audits)),
        *([("duplicates dropped", _n(duplicates))] if duplicates is not None else []),
        *((f"latency {name}", f"≤ {value:,.0f} ms") for name, value in latency.items()),
    ]
    boxes = "".join(f"<div><b>{value}</b><span>{escape(name)}</span></div>" for name, value in tiles)
    return f'<section class="tiles">{boxes}</section>'


def _outcomes(summary: RunSummary) -> str:
    if not summary.outcomes:
        return _section("Outcomes", NOT_PROVEN)
    note = ""
    if summary.frauds is not None and summary.missed_frauds is not None:
        stopped = summary.frauds - summary.missed_frauds
        share = f", {stopped / summary.frauds:.1%}" if summary.frauds else ""
        note = f'<p class="note">{stopped:,} of {summary.frauds:,} frauds met more than ALLOW{share}.</p>'
    counts = _counts("outcome", summary.outcomes, summary.decisions or 0)
    return _section("Outcomes", counts + note, f"of {_n(summary.decisions)} decisions")


def _reasons(summary: RunSummary) -> str:
    if not summary.reasons:
        return _section("Reasons", NOT_PROVEN if summary.decisions is None else "No rule fired.")
    total = summary.decisions or 0
    shown = _counts("reason", summary.reasons[:REASONS_SHOWN], total)
    rest = summary.reasons[REASONS_SHOWN:]
    more = f"<details><summary>{len(rest)} more</summary>{_counts('reason', rest, total)}</details>" if rest else ""
    return _section("Reasons", shown + more, "a decision may have several")


def _counts(title: str, rows: Sequence[OutcomeRow], total: int, counted: str = "payments") -> str:
    known = any(row.frauds is not None for row in rows)
    longest = max(row.count for row in rows) or 1
    lines = []
    for row in rows:
        colour = f"background:var(--{row.name});" if row.name in OUTCOMES else ""
        bar = f'<div><div style="{colour}width:{100 * row.count / longest:.2f}%"></div></div>' if row.count else "<div></div>"
        truth = [f"{row.frauds:,}", "-" if row.precision is None else f"{row.precision:.1%}"] if row.frauds is not None else []
        cells = [f"{row.count:,}", f"{row.count / total:.2%}" if total else "-", *truth]
        numbers = "".join(f'<td class="n c{at}">{cell}</td>' for at, cell in enumerate(cells))
        lines.append(f'<tr><td class="name">{_breakable(row.name)}</td><td class="bar">{bar}</td>{numbers}</tr>')
    heads = [counted, "share", *(("fraud", "fraud rate") if known else ())]
    return _table(f'<th>{title}</th><th class="bar"></th>' + _heads(heads), lines)


def _quality(summary: RunSummary) -> str:
    if not summary.quality:
        return _section("Quality against delayed truth", NOT_PROVEN)
    lines = []
    for row in summary.quality:
        q = row.quality
        figures = (NOT_PROVEN if value is None else f"{value:.3f}" for value in (q.auc, q.average_precision, q.card_precision))
        cells = (f"{q.rows:,}", f"{q.frauds:,}", *figures)
        lines.append(_line(_breakable(row.name), cells))
    heads = _heads(("payments", "frauds", "AUC", "AP", "CP@100"))
    entity = escape(summary.quality[0].entity)
    note = (
        '<p class="note">AUC: chance that a fraud outranks a legitimate payment. AP: average precision. CP@100: of the 100 most '
        f"suspicious {entity}s of a day, the share that is compromised. A test week "
        f"follows 7 days of training and 7 of label delay; {entity}s "
        "known to be compromised are left out.</p>"
    )
    return _section("Quality against delayed truth", _table(f"<th></th>{heads}", lines) + note)


def _throughput(summary: RunSummary) -> str:
    series = summary.throughput
    if series is None or len(series.counts) < 2:
        return _section("Throughput", NOT_PROVEN if series is None else f"{series.counts[0]:,} decisions in one instant")
    took = series.width_s * len(series.counts)
    axis = f'<div class="axis"><span>{escape(instants.text(series.start_us)[11:19])}</span><span>{took:,.1f} s</span></div>'
    mean = sum(series.counts) / took
    return _section("Throughput", _area(series) + axis, f"decisions over wall time, {mean:,.0f} per second")


def _area(series: Series) -> str:
    top = max(series.counts) or 1
    step = 600 / len(series.counts)
    heights = [98 - 94 * count / top for count in series.counts]
    points = " ".join(f"L{at * step:.1f} {y:.1f} L{(at + 1) * step:.1f} {y:.1f}" for at, y in enumerate(heights))
    opening = '<svg viewBox="0 0 600 100" preserveAspectRatio="none" role="img" aria-label="decisions over time">'
    return f'{opening}<path d="M0 99 {points} L600 99 Z"/></svg>'


def _stages(summary: RunSummary) -> str:
    if summary.run is None:
        return _section("Stages", NOT_PROVEN)
    lines = []
    for stage in summary.run.stages:
        rate = f"{stage.rows / stage.wall_s:,.0f}" if stage.rows and stage.wall_s else ""
        cells = (f"{stage.wall_s:,.1f}", "" if stage.rows is None else f"{stage.rows:,}", rate)
        lines.append(_line(escape(stage.name), cells))
    heads = _heads(("seconds", "rows", "per second"))
    note = f'<p class="note">Latency: {escape(summary.latency_what)}.</p>'
    return _section("Stages", _table(f"<th>stage</th>{heads}", lines) + note)


def _parts(summary: RunSummary) -> str:
    if summary.run is None or not summary.run.parts:
        return _section("Real parts", NOT_PROVEN)
    cells = [(part.role, part.claim, escape(f"{part.name} {part.version}")) for part in summary.run.parts]
    lines = [f"<tr><td>{role}</td><td>{claim}</td><td>{what}</td></tr>" for role, claim, what in cells]
    note = (
        '<p class="note">No hardening is claimed for a part at smoke. parity: the server used in production. '
        "managed: run by a provider.</p>"
    )
    return _section(
        "Real parts", _table("<th>part</th><th>claim</th><th>what ran</th>", lines) + note, f"the weakest names the run: {summary.claim}"
    )


def _quarantine(summary: RunSummary) -> str:
    if summary.run is None:
        return _section("Quarantine", NOT_PROVEN)
    counts = sorted(summary.run.quarantined.items(), key=lambda item: (-item[1], item[0]))
    if not counts:
        return _section("Quarantine", "Nothing was set aside.")
    rows = [OutcomeRow(reason, count, None) for reason, count in counts]
    total = sum(row.count for row in rows)
    return _section("Quarantine", _counts("reason", rows, total, "records"), f"{total:,} records set aside")


def _processes(summary: RunSummary) -> str:
    if summary.run is None or not summary.run.processes:
        return _section("Processes", NOT_PROVEN)
    lines = []
    for process in summary.run.processes:
        numbers = "".join(f'<td class="n">{"" if value is None else value}</td>' for value in (process.pid, process.port))
        files = "".join(f"<td><code>{escape(path)}</code></td>" for path in (process.log, process.data))
        lines.append(f"<tr><td>{escape(process.name)}</td>{numbers}{files}</tr>")
    return _section("Processes", _table('<th>process</th><th class="n">pid</th><th class="n">port</th><th>log</th><th>data</th>', lines))


def _identity(summary: RunSummary) -> str:
    rows = dict(summary.identity)
    if summary.replay:
        rows["decision_digest"] = summary.replay.decision_digest
    if summary.audit:
        rows["audit_head"] = summary.audit.head
    listed = "".join(f"<dt>{escape(name)}</dt><dd><code>{escape(value)}</code></dd>" for name, value in rows.items())
    return _section("Identity", f"<dl>{listed}</dl>")


def _section(title: str, body: str, small: str = "") -> str:
    aside = f"<small>{small}</small>" if small else ""
    return f"<section><h2>{title}{aside}</h2>{body}</section>"


def _table(heads: str, lines: Iterable[str]) -> str:
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _line(first: str, numbers: Iterable[str]) -> str:
    """A table row: a first cell and numbers to the right of it."""
    return f"<tr><td>{first}</td>" + "".join(f'<td class="n">{cell}</td>' for cell in numbers) + "</tr>"


def _heads(names: Iterable[str]) -> str:
    return "".join(f'<th class="n {"c1" if name == "share" else ""}">{name}</th>' for name in names)


def _breakable(name: str) -> str:
    """A name that may break after an underscore and nowhere inside a date."""
    return escape(name).replace("_", "_<wbr>").replace("-", "&#8209;")


def _n(value: int | None) -> str:
    return NOT_PROVEN if value is None else f"{value:,}"
