"""The command as it is called: exit codes, what it prints, and the files that it writes."""

import json
import logging
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest

from smoke_ros import cli
from smoke_ros.data.kitti import write_objects
from smoke_ros.evaluation import RunInfo, write_run_info


def evaluate(*arguments):
    return cli.main(['evaluate', *map(str, arguments)])


@pytest.fixture
def folders(tmp_path, make_object):
    """Forty-one frames, each with a car that is found, and one with a false one."""
    labels, results = tmp_path / 'label_2', tmp_path / 'results'
    for number in range(41):
        found = [make_object(z=10.5 + number, score=0.5)]
        if not number:
            found.append(make_object(x=10.0, score=0.4))
        write_objects(labels / f'{number:06d}.txt', [make_object(z=10.0 + number)])
        write_objects(results / f'{number:06d}.txt', found)
    return labels, results


def test_the_reference_through_the_command(shared_dir, tmp_path, capsys):
    folder = shared_dir / 'reference' / 'kitti_eval'
    report = tmp_path / 'report.json'
    assert evaluate(folder / 'label_2', folder / 'detections', '--json', report) == 0
    got = json.loads(report.read_text())['kitti']
    expected = json.loads((folder / 'expected.json').read_text())
    assert got.keys() == expected.keys()
    for key, figures in expected.items():
        assert got[key] == pytest.approx(figures, abs=2e-4), key
    assert 'AP of Cyclist is not meaningful (18 easy)' in capsys.readouterr().out


def test_what_is_always_printed(folders, capsys):
    assert evaluate(*folders) == 0
    text = capsys.readouterr().out
    assert re.search(r'protocol +KITTI object detection', text)
    assert re.search(r'split +all labelled frames', text)
    assert re.search(r'frames +41\n', text)
    assert re.search(r'objects +41 \(41 Car, 0 Pedestrian, 0 Cyclist\)', text)
    assert re.search(r'false boxes +0\.024 a frame', text)
    assert re.search(r'10 to 20 m +10 +10 +100\.0%', text)
    assert 'no Cyclist is labelled' in text
    assert 'neither labelled nor detected' in text


def test_the_json_report(folders, tmp_path):
    write_run_info(folders[1], RunInfo('mine', 'ab', 'all of it', ('000000',)))
    path = tmp_path / 'out' / 'report.json'
    assert evaluate(*folders, '--json', path) == 0
    report = json.loads(path.read_text())
    assert report['kitti']['car/2d/easy'] == {'AP_R11': 100.0, 'AP_R40': 100.0}
    assert report['kitti_benchmark'].keys() == report['kitti'].keys()
    assert (report['frames'], report['objects'], report['detections']) == (41, 41, 42)
    assert report['model']['training_frames'] == ['000000']
    assert report['warnings'][0].startswith('1 of the 41 frames have names')
    car = report['classes']['Car']
    assert car['depth']['bias_m'] == pytest.approx(0.5)
    assert car['recall_by_distance'][1] == {
        'of': '10 to 20 m', 'objects': 10, 'found': 10, 'recall': 1.0,
    }  # fmt: skip
    assert car['kitti'][0]['objects'] == 41
    assert [point['allowed_per_frame'] for point in car['working_points']] == [0.1, 0.25, 0.5, 1]
    assert car['working_points'][0]['clear_recall']['recall'] == 1.0
    assert len(car['kitti'][0]['curve']) == 41
    assert car['calibration'][5]['precision'] == 1.0


def test_the_html_report_stands_alone(folders, tmp_path):
    path = tmp_path / 'report.html'
    assert evaluate(*folders, '--html', path) == 0
    text = path.read_text()
    assert text.startswith('<!DOCTYPE html>')
    plots = re.findall(r'<svg.*?</svg>', text, re.DOTALL)
    assert len(plots) == 3
    for plot in plots:
        ElementTree.fromstring(plot)
    for words in ('precision (AOS: similarity)', 'depth error (m)', 'share right'):
        assert words in text
    assert not Links(text).outside


class Links(HTMLParser):
    """Collects what a page would load from elsewhere."""

    def __init__(self, text):
        super().__init__()
        self.outside = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ('src', 'href', 'xlink:href') and not (value or '').startswith('#'):
                self.outside.append((tag, value))


def test_names_of_classes_and_folders_are_escaped(tmp_path, make_object):
    labels, results = tmp_path / 'a<b', tmp_path / 'results'
    write_objects(labels / '1.txt', [make_object('<b>')])
    write_objects(results / '1.txt', [make_object('<b>', score=0.5)])
    path = tmp_path / 'report.html'
    assert evaluate(labels, results, '--class', '<b>=0.5', '--html', path) == 0
    text = path.read_text()
    assert 'a&lt;b' in text
    assert '<b>' not in text


def test_a_class_list_of_ones_own(folders, capsys):
    assert evaluate(*folders, '--class', 'Car=0.4', '--class', 'Truck=0.6') == 0
    text = capsys.readouterr().out
    assert '=== Truck ===' in text
    assert '=== Cyclist ===' not in text
    assert re.search(r'3D +0\.40', text)
    assert not re.search(r'3D +0\.50', text)


def test_options_from_a_file(folders, tmp_path, capsys):
    config = tmp_path / 'evaluation.yaml'
    config.write_text('score_threshold: 0.45\ndistance_bin_m: 30\n')
    assert evaluate(*folders, '--config', config) == 0
    text = capsys.readouterr().out
    assert re.search(r'false boxes +0\.000 a frame', text)
    assert '0 to 30 m' in text


def test_a_malformed_label_names_file_line_and_field(folders, capsys):
    path = folders[0] / '000003.txt'
    good = path.read_text()
    path.write_text(good + good.replace(' 13.0000 ', ' far '))
    assert evaluate(*folders) == 2
    captured = capsys.readouterr()
    assert captured.out == ''
    assert captured.err.count('\n') == 1
    assert f"{path}:2: field z must be a number, got 'far'" in captured.err


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--split', 'none.txt'], 'none.txt'),
        (['--score-threshold', '2'], 'score_threshold must be 0 to 1, got 2'),
        (['--class', 'Car=1.5'], 'overlaps of Car must be between 0 and 1'),
        (['--config', 'none.yaml'], 'none.yaml'),
    ],
)
def test_bad_arguments_are_one_sentence_and_exit_code_2(folders, capsys, arguments, message):
    assert evaluate(*folders, *arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith('smoke-ros evaluate: ') and message in captured.err
    assert captured.err.count('\n') == 1


def test_with_debug_messages_an_error_keeps_its_traceback(folders, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(FileNotFoundError, match=r'none\.txt'):
        evaluate(*folders, '--split', 'none.txt')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('- a\n', 'expected options with values'),
        ('a: [', 'expected YAML'),
        ('a: 1', 'unknown opt'),
    ],
)
def test_a_config_file_with_something_wrong(folders, tmp_path, capsys, text, message):
    config = tmp_path / 'evaluation.yaml'
    config.write_text(text)
    assert evaluate(*folders, '--config', config) == 2
    assert message in capsys.readouterr().err


def test_a_class_without_an_overlap_is_a_usage_error(folders, capsys):
    with pytest.raises(SystemExit) as refused:
        evaluate(*folders, '--class', 'Car')
    assert refused.value.code == 2
    assert "expected NAME=OVERLAP such as Car=0.7, got 'Car'" in capsys.readouterr().err


def test_a_report_that_cannot_be_written(folders, tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    assert evaluate(*folders, '--json', tmp_path / 'file' / 'report.json') == 2
    error = capsys.readouterr().err
    assert error.startswith('smoke-ros evaluate: cannot write the report: ')
    assert str(tmp_path / 'file') in error
