"""The report for a terminal."""

from __future__ import annotations

from smoke_ros.evaluation.evaluate import Evaluation
from smoke_ros.evaluation.frames import Provenance
from smoke_ros.evaluation.tables import Table, class_tables, summary_table


def format_text(evaluation: Evaluation, provenance: Provenance) -> str:
    """Return the whole report as lines of text."""
    parts = [format_text_table(summary_table(evaluation, provenance), header=False)]
    parts += [f'warning: {warning}' for warning in provenance.warnings]
    parts += [f'note: {note}' for note in evaluation.notes()]
    for part in evaluation.classes:
        parts.append(f'\n=== {part.class_name} ===')
        if part.objects or part.detections:
            tables = class_tables(evaluation, part).values()
            parts += [f'\n{table.title}\n{format_text_table(table)}' for table in tables]
        else:
            parts.append('neither labelled nor detected')
    return '\n'.join(parts) + '\n'


def format_text_table(table: Table, *, header: bool = True) -> str:
    """Return a table in columns, without its title."""
    lines = [table.header, *table.rows] if header else list(table.rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    # The first column holds names, all others figures.
    aligned = [
        '  '.join(
            cell.ljust(width) if i == 0 or not header else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    if header:
        aligned.insert(1, '  '.join('-' * width for width in widths))
    if table.note:
        aligned.append(table.note)
    return '\n'.join(f'  {line}' for line in aligned) if header else '\n'.join(aligned)
