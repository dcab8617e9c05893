"""From the folder of a run to its report, and to whether it met what was required."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from smoke_ros.evaluation.run_info import RunInfo, leakage_warnings
from smoke_ros.files import write_text_atomically
from smoke_ros.replay.measure import Measurement, Measuring, measure_replay
from smoke_ros.replay.metrics import list_metrics
from smoke_ros.replay.report_files import JUNIT_XML, REPORT_HTML, REPORT_JSON
from smoke_ros.replay.report_html import format_html
from smoke_ros.replay.report_json import as_json
from smoke_ros.replay.requirements import Requirement, Verdict, judge, junit_xml
from smoke_ros.replay.streams import Replay, read_replay


def write_report(
    folder: Path, requirements: Sequence[Requirement] = (), how: Measuring | None = None
) -> list[Verdict]:
    """Write ``report.html`` and ``report.json``, and with requirements ``junit.xml``.

    Parameters
    ----------
    folder
        Of a run, or with folders of runs in it.
    requirements
        To be compared with the whole.
    how
        Thresholds and bins; the default if None.

    Returns
    -------
    A verdict on each requirement.

    Raises
    ------
    FileNotFoundError
        If there is no run.
    ValueError
        If a file of it is damaged, or a requirement names an unknown metric.
    """
    how = how or Measuring()
    replay = read_replay(folder)
    measured = measure_replay(replay, how)
    metrics = list_metrics(measured.whole, replay.runs, how.evaluation, replay.unread)
    verdicts = judge(requirements, metrics)
    parts = (replay, measured, metrics, verdicts, _notes(replay, measured.whole), how)
    text = json.dumps(as_json(*parts), indent=1, allow_nan=False)
    write_text_atomically(folder / REPORT_JSON, text + '\n')
    write_text_atomically(folder / REPORT_HTML, format_html(*parts))
    if requirements:
        write_text_atomically(folder / JUNIT_XML, _junit(replay, verdicts))
    else:  # an earlier report's verdict is not this one's
        (folder / JUNIT_XML).unlink(missing_ok=True)
    return verdicts


def _notes(replay: Replay, whole: Measurement) -> list[str]:
    """Say in sentences what a reader of the figures has to know."""
    notes = []
    models = {str(run.model.get('sha256') or run.model.get('name')) for run in replay.runs}
    if len(models) > 1:
        notes.append('These runs are of different models: figures of all together mean little.')
    cut_off = sum(not run.ended for run in replay.runs)
    if cut_off:
        notes.append(f'{cut_off} of {len(replay.runs)} runs did not come to their end.')
    if replay.left_out:
        notes.append(
            f'{replay.left_out} other runs lie in the folder and do not count: they are not of '
            'the last replay into it.'
        )
    counts = whole.counts
    if not counts.processed:
        notes.append('No frame was processed.')
    if whole.evaluation is None:
        notes.append(
            f'{counts.why_no_truth.capitalize()}, so accuracy is not known: steadiness shows '
            'where detections contradict each other.'
        )
    elif counts.scored < counts.frames:
        notes.append(
            f'{counts.scored} of {counts.frames} frames were processed and have ground truth; '
            'accuracy is that of these.'
        )
    if whole.evaluation is not None:
        for run in {str(run.model.get('name')): run for run in replay.runs}.values():
            trained_on = str(run.model.get('trained_on', ''))
            notes += leakage_warnings(RunInfo(str(run.model.get('name')), '', trained_on), [])
    return notes


def _junit(replay: Replay, verdicts: Sequence[Verdict]) -> str:
    run = replay.runs[0]
    properties = {
        'model': str(run.model.get('name', '')),
        'sha256': str(run.model.get('sha256', '')),
        'device': run.device,
        'bags': ', '.join(bag for item in replay.runs for bag in item.bags),
    }
    return junit_xml(verdicts, 'smoke-ros replay', properties)
