"""The report as one HTML file that needs nothing else: tables, and plots drawn inline."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from smoke_ros.evaluation.evaluate import ClassEvaluation, Evaluation
from smoke_ros.evaluation.frames import Provenance
from smoke_ros.evaluation.plots import calibration_svg, distance_svg, precision_recall_svg
from smoke_ros.evaluation.tables import (
    AVERAGE_PRECISION,
    DEPTH,
    Table,
    calibration_table,
    class_tables,
    summary_table,
)

STYLE = """
body { font-family: sans-serif; max-width: 1120px; margin: 2em auto; padding: 0 1em; color: #222; }
h2 { border-bottom: 2px solid #0072B2; padding-bottom: .2em; margin-top: 2em; }
h3 { margin-bottom: .3em; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9em; }
th, td { padding: .25em .7em; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
th { background: #f2f6f9; }
table.summary td { text-align: left; }
.warning { background: #fdecea; border-left: 4px solid #D55E00; padding: .5em 1em; }
.note { background: #fff8e5; border-left: 4px solid #E69F00; padding: .5em 1em; }
.small { color: #666; font-size: .85em; }
svg { width: 100%; height: auto; }
"""

PLOTS_INTRODUCTION = (
    "Precision and recall follow KITTI's rules at the benchmark's overlaps. Errors, recall by "
    'distance and calibration are measured on detections whose boxes in the image overlap an '
    'object of their class, however wrong their depth.'
)


def format_html(evaluation: Evaluation, provenance: Provenance) -> str:
    """Return the whole report as a self-contained HTML page."""
    body = ['<h1>Evaluation</h1>', _summary(summary_table(evaluation, provenance))]
    body += [f'<p class="warning">Warning: {escape(text)}</p>' for text in provenance.warnings]
    body += [f'<p class="note">{escape(text)}</p>' for text in evaluation.notes()]
    body.append(f'<p class="small">{escape(PLOTS_INTRODUCTION)}</p>')
    for part in evaluation.classes:
        body.append(f'<h2>{escape(part.class_name)}</h2>')
        body += class_section(evaluation, part)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<title>Evaluation: {escape(provenance.split)}</title><style>{STYLE}</style></head>\n'
        '<body>\n' + '\n'.join(body) + '\n</body></html>\n'
    )


def class_section(evaluation: Evaluation, part: ClassEvaluation) -> list[str]:
    """Return the tables and plots of one class."""
    if not part.objects and not part.detections:
        return ['<p>Neither labelled nor detected.</p>']
    plots = {AVERAGE_PRECISION: precision_recall_svg(part)}
    if part.objects:
        plots[DEPTH] = distance_svg(part)
    section = []
    for key, table in class_tables(evaluation, part).items():
        section.append(format_table(table))
        if key in plots:
            section.append(plots[key])
    return [*section, format_table(calibration_table(part)), calibration_svg(part)]


def _summary(table: Table) -> str:
    rows = ''.join(f'<tr>{_cells(row, "td")}</tr>' for row in table.rows)
    return f'<table class="summary">{rows}</table>'


def format_table(table: Table, row_class: Callable[[tuple[str, ...]], str] | None = None) -> str:
    """Return a table with its title as HTML; ``row_class`` gives a row's class, or ''."""
    rows = ''.join(
        f'{_row_tag(row_class(row) if row_class else "")}{_cells(row, "td")}</tr>'
        for row in table.rows
    )
    note = f'<p class="small">{escape(table.note)}</p>' if table.note else ''
    return (
        f'<h3>{escape(table.title)}</h3><table><tr>{_cells(table.header, "th")}</tr>{rows}</table>'
        + note
    )


def _row_tag(name: str) -> str:
    return f'<tr class="{escape(name)}">' if name else '<tr>'


def _cells(cells: tuple[str, ...], tag: str) -> str:
    return ''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)
