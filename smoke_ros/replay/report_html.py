"""The report of a replay as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from smoke_ros.evaluation.evaluate import Evaluation
from smoke_ros.evaluation.report_html import PLOTS_INTRODUCTION, class_section, format_table
from smoke_ros.evaluation.report_html import STYLE as TABLE_STYLE
from smoke_ros.evaluation.tables import Table
from smoke_ros.replay import report_player, report_plots, report_tables
from smoke_ros.replay.measure import Measuring, ReplayMeasurements
from smoke_ros.replay.metrics import Metric
from smoke_ros.replay.requirements import Verdict
from smoke_ros.replay.streams import Replay

STYLE = """
body { font-family: system-ui, sans-serif; line-height: 1.45; }
h1 { margin-bottom: .1em; }
.wide { overflow-x: auto; }
.cards { display: flex; flex-wrap: wrap; gap: 12px; margin: 1.2em 0; }
.card { flex: 1 1 9em; background: #f2f6f9; border-radius: 8px; padding: .7em 1em; }
.card b { display: block; font-size: 1.45em; font-variant-numeric: tabular-nums; }
.verdict { border-radius: 8px; padding: .7em 1em; color: white; font-weight: 600; }
.passed { background: #00795a; }
.missed { background: #b34700; }
.requirements td, .requirements th { text-align: left; }
.requirements td:first-child { font-weight: 600; }
td:first-child, .requirements td:nth-child(2) { white-space: nowrap; }
"""


def format_html(
    replay: Replay,
    measured: ReplayMeasurements,
    metrics: Sequence[Metric],
    verdicts: Sequence[Verdict],
    notes: Sequence[str],
    how: Measuring,
) -> str:
    """Return the whole report as a self-contained HTML page."""
    bags = list(dict.fromkeys(Path(bag).name for run in replay.runs for bag in run.bags))
    title = f'Replay of {bags[0] if len(bags) == 1 else f"{len(bags)} bags"}'
    body = [f'<h1>{escape(title)}</h1>', _verdict(verdicts)]
    body.append(_cards(report_tables.cards(metrics, measured.whole.counts)))
    problems = [*replay.unread, *(p for run in replay.runs for p in run.problems)]
    body += [f'<p class="warning">{escape(problem)}</p>' for problem in problems]
    body += [f'<p class="note">{escape(note)}</p>' for note in notes]
    body.append(report_player.format_player(replay.pictured, how.report.pictures))
    body += ['<h2>What ran</h2>', _plain_table(report_tables.run_table(replay), 'summary')]
    body += _timing(replay, measured)
    body += _detections(replay, measured, how)
    if measured.whole.evaluation is not None:
        body += _accuracy(measured.whole.evaluation)
    return _page(title, body)


def _page(title: str, body: Sequence[str]) -> str:
    style = TABLE_STYLE + STYLE + report_player.STYLE
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<title>{escape(title)}</title><style>{style}</style></head>\n<body>\n'
        + '\n'.join(body)
        + f'\n<script>{report_player.SCRIPT}</script>\n</body></html>\n'
    )


def _verdict(verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return ''
    missed = sum(not verdict.met for verdict in verdicts)
    text = (
        f'{missed} of {len(verdicts)} requirements not met' if missed else 'all requirements met'
    )
    table = _plain_table(report_tables.requirements_table(verdicts), 'requirements')
    return f'<p class="verdict {"missed" if missed else "passed"}">{text}</p>{table}'


def _cards(cards: Sequence[tuple[str, str]]) -> str:
    inside = ''.join(
        f'<div class="card"><b>{escape(value)}</b>{escape(name)}</div>' for name, value in cards
    )
    return f'<div class="cards">{inside}</div>'


def _timing(replay: Replay, measured: ReplayMeasurements) -> list[str]:
    whole = measured.whole
    section = ['<h2>Time</h2>', _wide(report_tables.times_table(whole))]
    if whole.counts.frames:
        section.append(report_plots.times_svg(replay.streams, live=whole.latency.count > 0))
    # Of several runs the times overlap: their loads are shown one by one.
    section += [report_plots.load_svg(run.load) for run in replay.runs if run.load]
    reasons = report_tables.reasons_table(replay)
    return [*section, _wide(reasons)] if reasons.rows else section


def _detections(replay: Replay, measured: ReplayMeasurements, how: Measuring) -> list[str]:
    whole, threshold = measured.whole, how.evaluation.score_threshold
    section = ['<h2>Detections</h2>', _wide(report_tables.counts_table(whole.counts, threshold))]
    if whole.counts.frames:
        section.append(
            report_plots.detections_svg(
                replay.streams,
                replay.class_names,
                threshold,
                [part.steadiness for part in measured.streams],
            )
        )
        section.append(report_plots.distance_svg(whole.counts, whole.steadiness))
    section.append(_wide(report_tables.steadiness_table(whole.steadiness)))
    if len(measured.streams) > 1:
        section.append(_wide(report_tables.streams_table(replay, measured)))
    return [*section, _wide(report_tables.segments_table(measured))]


def _accuracy(evaluation: Evaluation) -> list[str]:
    section = ['<h2>Accuracy</h2>']
    section += [f'<p class="note">{escape(note)}</p>' for note in evaluation.notes()]
    section.append(f'<p class="small">{escape(PLOTS_INTRODUCTION)}</p>')
    for part in evaluation.classes:
        if part.objects or part.detections:
            section.append(f'<h2>{escape(part.class_name)}</h2>')
            section += [
                f'<div class="wide">{item}</div>' for item in class_section(evaluation, part)
            ]
    return section


def _wide(table: Table) -> str:
    return f'<div class="wide">{format_table(table)}</div>'


def _plain_table(table: Table, kind: str) -> str:
    rows = ''.join(
        '<tr>' + ''.join(f'<td>{escape(cell)}</td>' for cell in row) + '</tr>'
        for row in table.rows
    )
    return f'<table class="{kind}">{rows}</table>'
