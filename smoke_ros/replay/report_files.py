"""The files that a report consists of, and whether they are there."""

from __future__ import annotations

from pathlib import Path

REPORT_HTML, REPORT_JSON, JUNIT_XML = 'report.html', 'report.json', 'junit.xml'


def has_report(folder: Path) -> bool:
    """Return whether there is a report in a folder."""
    return (folder / REPORT_JSON).is_file()


def remove_report(folder: Path) -> None:
    """Remove a report of runs that are no more, for none to take its verdict for today's."""
    for name in (REPORT_HTML, REPORT_JSON, JUNIT_XML):
        (folder / name).unlink(missing_ok=True)
