"""``smoke-ros compare A B``: two reports of replays side by side."""

from __future__ import annotations

import argparse
from html import escape
from pathlib import Path

from smoke_ros.evaluation.report_html import STYLE, format_table
from smoke_ros.evaluation.report_text import format_text_table
from smoke_ros.files import write_text_atomically
from smoke_ros.replay.compare import Comparison, changes_table, compare_reports, read_report

DESCRIPTION = """\
Put two reports side by side and name what got worse from A to B. Each metric has a smallest
change, and a smallest share of its value, below which it counts as the same (docs/replay.md)."""

EXAMPLE = """\
example:
  smoke-ros compare out/main out/branch --html changes.html --fail-on-worse"""

#: Exit code of --fail-on-worse where something got worse.
EXIT_WORSE = 1

ROW_STYLE = """
tr.WORSE, tr.GONE { background: #fdecea; }
tr.WORSE td:last-child, tr.GONE td:last-child { color: #b34700; font-weight: 600; }
tr.better td:last-child { color: #00795a; font-weight: 600; }
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument('before', type=Path, metavar='A', help='a report.json, or its folder')
    parser.add_argument('after', type=Path, metavar='B', help='the same, to hold against A')
    parser.add_argument('--html', type=Path, metavar='FILE', help='write the table as a page')
    parser.add_argument(
        '--tolerance', type=float, metavar='PERCENT',
        help='change that is neither better nor worse, in percent of A (default: each metric has '
        'its own)',
    )  # fmt: skip
    parser.add_argument(
        '--fail-on-worse', action='store_true', help='exit with 1 if something got worse'
    )


def run(args: argparse.Namespace) -> int:
    """Compare, print, write what was asked for; return the exit code."""
    if args.tolerance is not None and not args.tolerance >= 0.0:
        raise ValueError(f'--tolerance must be at least 0, got {args.tolerance}')
    tolerance = None if args.tolerance is None else args.tolerance / 100.0
    before, after = read_report(args.before), read_report(args.after)
    comparison = compare_reports(before, after, tolerance)
    print(f'A: {args.before} ({comparison.models[0]})')
    print(f'B: {args.after} ({comparison.models[1]})')
    for difference in comparison.differences:
        print(f'note: {difference}')
    print('\n' + format_text_table(changes_table(comparison)))
    print('\n' + _conclusion(comparison))
    if args.html:
        write_text_atomically(args.html, _page(comparison, str(args.before), str(args.after)))
    return EXIT_WORSE if args.fail_on_worse and comparison.worse else 0


def _conclusion(comparison: Comparison) -> str:
    worse = [change.name for change in comparison.worse]
    return f'worse: {", ".join(worse)}' if worse else 'nothing got worse'


def _page(comparison: Comparison, before: str, after: str) -> str:
    table = format_table(changes_table(comparison), _row_class)
    names = f'A: {before} ({comparison.models[0]})', f'B: {after} ({comparison.models[1]})'
    notes = ''.join(f'<p class="note">{escape(text)}</p>' for text in comparison.differences)
    kind = 'warning' if comparison.worse else 'note'
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Two replays</title>'
        f'<style>{STYLE}{ROW_STYLE}</style></head>\n<body><h1>Two replays</h1>'
        f'<p>{escape(names[0])}<br>{escape(names[1])}</p>{notes}'
        f'<p class="{kind}">{escape(_conclusion(comparison))}</p>{table}'
        '</body></html>\n'
    )


def _row_class(row: tuple[str, ...]) -> str:
    """Return the verdict on a metric, which is in the last cell: see :data:`ROW_STYLE`."""
    return row[-1]
