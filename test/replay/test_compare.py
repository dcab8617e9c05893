"""What counts as worse, by hand."""

import copy
import json

import pytest

from smoke_ros.cli import main
from smoke_ros.replay.compare import compare_reports, read_report


def report(**values):
    """A report with one metric for each argument: (value, better)."""
    metrics = {
        name: {
            'value': value, 'unit': 'ms', 'better': better, 'slack': 1.0, 'slack_share': 0.1,
            'meaning': '', 'why_missing': '',
        }
        for name, (value, better) in values.items()
    }  # fmt: skip
    run = {
        'bags': ['x/drive'], 'topics': ['/image'], 'mode': 'live', 'device': 'cpu',
        'options': {}, 'model': {'name': 'tiny', 'sha256': 'ab'},
    }  # fmt: skip
    counts = {'frames': 10, 'scored': 0}
    return {'metrics': metrics, 'runs': [run], 'counts': counts, 'config': {}}


def verdict(before, after, better='lower', tolerance=None):
    a, b = report(m=(before, better)), report(m=(after, better))
    return [change.verdict for change in compare_reports(a, b, tolerance).changes]


@pytest.mark.parametrize(
    ('before', 'after', 'better', 'expected'),
    [
        (100.0, 110.0, 'lower', 'same'),  # within a tenth
        (100.0, 110.5, 'lower', 'WORSE'),
        (100.0, 89.5, 'lower', 'better'),
        (2.0, 3.0, 'lower', 'same'),  # within the smallest change
        (2.0, 3.1, 'lower', 'WORSE'),
        (50.0, 40.0, 'higher', 'WORSE'),
        (50.0, 60.0, 'higher', 'better'),
        (50.0, 90.0, '', ''),
        (50.0, None, 'lower', 'GONE'),
        (None, 50.0, 'lower', 'new'),
        (0.0, 0.0, 'lower', 'same'),
    ],
)
def test_verdict(before, after, better, expected):
    assert verdict(before, after, better) == [expected]


def test_tolerance_takes_the_place_of_each_share():
    assert verdict(100.0, 105.0, tolerance=0.02) == ['WORSE']
    assert verdict(100.0, 140.0, tolerance=0.5) == ['same']
    assert verdict(2.0, 2.9, tolerance=0.0) == ['same']  # the smallest change stays


def test_what_neither_report_has_is_left_out():
    assert verdict(None, None) == []


def test_conventions_of_the_same_figure_are_left_out():
    names = {'car/3d/easy': (9.0, 'higher'), 'kitti:car/3d/easy': (9.0, 'higher')}
    found = compare_reports(report(**names), report(**names))
    assert [change.name for change in found.changes] == ['car/3d/easy']


def test_differing_conditions_are_said():
    a, b = report(), copy.deepcopy(report())
    b['runs'][0].update(device='cuda:0', bags=['y/drive'], engine='eager, float32')
    b['counts']['frames'] = 9
    assert compare_reports(a, b).differences == (
        'frames differ: 10 and 9', 'device differ: ["cpu"] and ["cuda:0"]',
        'engine differ: [""] and ["eager, float32"]',
    )  # fmt: skip


def test_of_options_those_that_differ_are_said():
    options = {f'option_{i}': i for i in range(40)}
    a, b = report(), report()
    a['runs'][0]['options'] = {**options, 'focal_correction': 'depth'}
    b['runs'][0]['options'] = {**options, 'focal_correction': 'image', 'engine': None}
    a['config'] = {'report': options, 'evaluation': {**options, 'score_threshold': 0.25}}
    b['config'] = {'report': options, 'evaluation': {**options, 'score_threshold': 0.5}}
    assert compare_reports(a, b).differences == (
        'options of the report differ: {"evaluation": {"score_threshold": 0.25}} and '
        '{"evaluation": {"score_threshold": 0.5}}',
        'options differ: [{"focal_correction": "depth", "engine": "not stated"}] and '
        '[{"focal_correction": "image", "engine": null}]',
    )


@pytest.fixture
def write(tmp_path):
    def write(name, **values):
        folder = tmp_path / name
        folder.mkdir()
        (folder / 'report.json').write_text(json.dumps(report(**values)))
        return folder

    return write


def test_command_names_what_got_worse(write, tmp_path, capsys):
    a = write('a', jitter_ms=(5.0, 'lower'), frames_processed=(9.0, 'higher'), x=(1.0, ''))
    b = write('b', jitter_ms=(50.0, 'lower'), frames_processed=(19.0, 'higher'), x=(2.0, ''))
    html = tmp_path / 'changes.html'
    arguments = ['compare', str(a), str(b / 'report.json'), '--html', str(html)]
    assert main(arguments) == 0
    assert main([*arguments, '--fail-on-worse']) == 1
    printed = capsys.readouterr().out
    assert 'worse: jitter_ms\n' in printed
    assert printed.index('jitter_ms') < printed.index('frames_processed')
    page = html.read_text()
    assert '<tr class="WORSE"><td>jitter_ms</td>' in page
    assert '<tr class="better"><td>frames_processed</td>' in page
    assert '<tr><td>x</td>' in page
    assert page.count('<tr') == page.count('</tr>') == 4


def test_command_without_worse(write, capsys):
    a = write('a', jitter_ms=(5.0, 'lower'))
    assert main(['compare', str(a), str(a), '--fail-on-worse']) == 0
    assert 'nothing got worse' in capsys.readouterr().out


def test_what_is_no_report_is_named(tmp_path, capsys):
    with pytest.raises(FileNotFoundError, match='smoke-ros report'):
        read_report(tmp_path)
    (tmp_path / 'report.json').write_text('{}')
    with pytest.raises(ValueError, match='expected the report of a replay'):
        read_report(tmp_path)
    assert main(['compare', str(tmp_path), str(tmp_path), '--tolerance', '-1']) == 2
    assert '--tolerance must be at least 0' in capsys.readouterr().err
