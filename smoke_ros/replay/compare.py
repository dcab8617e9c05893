"""Two reports side by side: what got better, what got worse, and by how much."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smoke_ros.evaluation.tables import NOTHING, Table
from smoke_ros.replay.metrics import HIGHER, NEITHER, is_variant
from smoke_ros.replay.report_files import REPORT_JSON

#: Stands for an option that one of the reports does not have.
_ABSENT = 'not stated'

BETTER, WORSE, SAME, GONE, NEW = 'better', 'WORSE', 'same', 'GONE', 'new'

#: Parts of a report that have to agree for its figures to be comparable, and how to find them.
CONDITIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    'bags': lambda report: sorted(Path(bag).name for run in report['runs'] for bag in run['bags']),
    'topics': lambda report: sorted({topic for run in report['runs'] for topic in run['topics']}),
    'frames': lambda report: report['counts']['frames'],
    'labelled frames scored': lambda report: report['counts']['scored'],
    'options of the report': lambda report: report['config'],
    'mode': lambda report: sorted({run['mode'] for run in report['runs']}),
    'device': lambda report: sorted({run['device'] for run in report['runs']}),
    'engine': lambda report: sorted({run.get('engine', '') for run in report['runs']}),
    'options': lambda report: [run['options'] for run in report['runs']],
}


@dataclass(frozen=True)
class Change:
    """One metric in two reports."""

    name: str
    unit: str
    before: float | None
    after: float | None
    #: :data:`BETTER`, :data:`WORSE`, :data:`SAME`; :data:`GONE` and :data:`NEW` for a value that
    #: only one of the reports has; '' for a metric of which neither way is better.
    verdict: str

    @property
    def is_worse(self) -> bool:
        """Whether it got worse, or is not measured any more."""
        return self.verdict in (WORSE, GONE)


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare_reports` found."""

    #: Models of the two, in words.
    models: tuple[str, str]
    changes: tuple[Change, ...]
    #: Sentences on what differs beside the figures.
    differences: tuple[str, ...]

    @property
    def worse(self) -> tuple[Change, ...]:
        """What got worse."""
        return tuple(change for change in self.changes if change.is_worse)


def read_report(path: Path) -> dict[str, Any]:
    """Read a report.

    Parameters
    ----------
    path
        ``report.json``, or the folder that it lies in.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is not a report of a replay.
    """
    if not path.exists():
        raise FileNotFoundError(f'{path}: no such folder or report')
    file = path / REPORT_JSON if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(
            f'{file}: no such report; smoke-ros report {file.parent} makes it from a replay'
        )
    try:
        report = json.loads(file.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{file}: expected JSON, got something else ({error})') from error
    if not isinstance(report, dict) or not {'metrics', 'runs', 'counts', 'config'} <= set(report):
        raise ValueError(f'{file}: expected the report of a replay, got something else')
    return report


def compare_reports(
    before: dict[str, Any], after: dict[str, Any], tolerance: float | None = None
) -> Comparison:
    """Compare the metrics of two reports.

    Parameters
    ----------
    before, after
        As read by :func:`read_report`.
    tolerance
        A change up to this share of the first value is not called better or worse, in place of
        each metric's own share; each metric's smallest absolute change applies in any case.
    """
    names = dict.fromkeys([*before['metrics'], *after['metrics']])
    changes = [
        _change(name, before['metrics'].get(name), after['metrics'].get(name), tolerance)
        for name in names
        if not is_variant(name)
    ]
    measured = [item for item in changes if item.before is not None or item.after is not None]
    return Comparison(
        (_models(before), _models(after)), tuple(measured), tuple(_differences(before, after))
    )


def changes_table(comparison: Comparison) -> Table:
    """List all changes, what got worse first."""
    order = {WORSE: 0, GONE: 0, BETTER: 1, NEW: 2, SAME: 3, '': 3}
    rows = tuple(
        (
            change.name,
            change.unit,
            _figure(change.before),
            _figure(change.after),
            _difference(change),
            change.verdict,
        )
        for change in sorted(comparison.changes, key=lambda change: order[change.verdict])
    )
    return Table('Changes', ('metric', 'unit', 'A', 'B', 'B - A', ''), rows)


def _change(
    name: str,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    tolerance: float | None,
) -> Change:
    about: dict[str, Any] = after or before or {}
    a = before['value'] if before else None
    b = after['value'] if after else None
    return Change(name, about['unit'], a, b, _verdict(a, b, about, tolerance))


def _verdict(
    a: float | None, b: float | None, about: dict[str, Any], tolerance: float | None
) -> str:
    if about['better'] == NEITHER:
        return ''
    if a is None or b is None:
        return SAME if a is b else NEW if a is None else GONE
    share = about['slack_share'] if tolerance is None else tolerance
    if abs(b - a) <= max(about['slack'], share * abs(a)):
        return SAME
    return BETTER if (b > a) == (about['better'] == HIGHER) else WORSE


def _differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    found = {what: (find(before), find(after)) for what, find in CONDITIONS.items()}
    unlike = {what: _unlike(*pair) for what, pair in found.items() if pair[0] != pair[1]}
    return [f'{what} differ: {_short(a)} and {_short(b)}' for what, (a, b) in unlike.items()]


def _unlike(a: Any, b: Any) -> tuple[Any, Any]:
    """Reduce two values to what differs: options, of one run or of as many, to some of them."""
    if isinstance(a, dict) and isinstance(b, dict):
        names = dict.fromkeys([*a, *b])
        pairs = {name: (a.get(name, _ABSENT), b.get(name, _ABSENT)) for name in names}
        reduced = {name: _unlike(*pair) for name, pair in pairs.items() if pair[0] != pair[1]}
        return {name: x for name, (x, _) in reduced.items()}, {
            name: y for name, (_, y) in reduced.items()
        }
    are_lists = isinstance(a, list) and isinstance(b, list) and len(a) == len(b)
    if are_lists and all(isinstance(item, dict) for item in [*a, *b]):
        parts = [_unlike(x, y) for x, y in zip(a, b, strict=True) if x != y]
        return [x for x, _ in parts], [y for _, y in parts]
    return a, b


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 120 else text[:117] + '...'


def _models(report: dict[str, Any]) -> str:
    names = dict.fromkeys(
        f'{run["model"].get("name", "")} {str(run["model"].get("sha256", ""))[:12]}'.strip()
        for run in report['runs']
    )
    return ', '.join(names)


def _figure(value: float | None) -> str:
    return NOTHING if value is None else f'{value:.5g}'


def _difference(change: Change) -> str:
    if change.before is None or change.after is None:
        return NOTHING
    return f'{change.after - change.before:+.4g}'
