"""The table of engines: which rows there are, and how they read."""

import json

import pytest
import torch

pytest.importorskip('rclpy')
pytest.importorskip('vision_msgs')

from benchmarks import __main__ as bench
from benchmarks.__main__ import as_json
from benchmarks.engines import HEADER, Case, Row, list_cases
from benchmarks.timing import Timing

CPU = torch.device('cpu')
CASE = Case('eager', 'float32', 2, 'cpu', 3, 1)


def test_the_baseline_comes_first_and_choices_narrow_it():
    cases = list_cases(CPU, 3)
    assert (cases[0].engine, cases[0].precision, cases[0].batch) == ('eager', 'float32', 1)
    assert {case.engine for case in cases} == {'eager', 'compiled', 'onnx'}
    some = list_cases(CPU, 3, batches=[5], engines=['onnx'])
    assert [(case.engine, case.batch) for case in some] == [('onnx', 5)]
    assert {case.engine for case in list_cases(torch.device('cuda'), 3)} >= {'cuda_graph'}


def test_a_row_has_rate_and_distance_from_the_floor():
    row = Row(CASE, '', Timing('n', (400.0, 500.0, 450.0)), Timing('w', (600.0,)), 300.0, 512.4)
    assert row.markdown() == (
        '| eager | float32 | 2 | 450.0 | 500.0 | 4.44 | 1.50 | 600.0 | 512 |'
    )
    assert row.markdown().count('|') == HEADER.splitlines()[0].count('|')


def test_what_is_not_here_says_so_in_its_row():
    row = Row(CASE, missing='no such thing')
    assert '| no such thing |' in row.markdown()
    assert row.markdown().count('|') == HEADER.splitlines()[0].count('|')


def test_a_record_that_cannot_be_written_is_refused_before_anything_is_measured(
    tmp_path, monkeypatch
):
    monkeypatch.setattr('sys.argv', ['benchmarks', '--json', str(tmp_path)])
    monkeypatch.setattr(bench.Detector, 'from_model', lambda *_: pytest.fail('measures already'))
    with pytest.raises(IsADirectoryError, match='expected the name of a file'):
        bench.main()


def test_the_record_holds_every_time():
    row = Row(CASE, '', Timing('n', (4.0, 5.0)), Timing('w', (6.0,)), 3.0, 5.0)
    record = json.loads(as_json({}, 1.0, [Timing('decode', (1.0,))], [row]))
    assert record['times_ms'] == {'decode': [1.0]}
    (engine,) = record['engines']
    assert engine['times_ms'] == {'network': [4.0, 5.0], 'image_to_boxes': [6.0]}
    assert (engine['engine'], engine['floor_ms']) == ('eager', 3.0)
