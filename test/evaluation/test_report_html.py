import dataclasses
import itertools
import re

import pytest

from smoke_ros.config.evaluation import EvaluationConfig
from smoke_ros.evaluation import evaluate_frames, report_html
from smoke_ros.evaluation.report_html import class_section, format_table
from smoke_ros.evaluation.tables import Table, class_tables

TABLE = Table('A & B', ('name', 'count'), (('x < y', '1'), ('z', '2')), 'a > b')


@pytest.fixture
def evaluation(make_object):
    truth, found = [make_object(z=10.0)], [make_object(z=10.5, score=0.5)]
    return evaluate_frames([truth], [found], EvaluationConfig())


def test_objects_without_a_3d_box_have_a_row_but_no_errors(make_object):
    flat = make_object(location=(-1000.0,) * 3, dimensions=(-1.0,) * 3, rotation_y=-10.0)
    found = [make_object(score=0.9)]
    for truth in ([[make_object(z=5.0)], [flat]], [[flat], [flat]]):
        evaluation = evaluate_frames(truth, [found, found])
        section = class_section(evaluation, evaluation.classes[0])
        table = class_tables(evaluation, evaluation.classes[0])['depth']
        row = next(row for row in table.rows if row[0] == 'not given')
        assert row[2:] == (row[1], '100.0%', *('-',) * 7)
        plot = section[section.index(format_table(table)) + 1]
        assert 'not given</text>' in plot
        assert ('no depth to compare' in plot) == (truth[0] == [flat])


def test_names_are_no_markup_in_plots(make_object):
    names = ('$x_{1', 'a$b$c')
    objects = [[make_object(class_name=name) for name in names]]
    found = [[make_object(class_name=name, score=0.5) for name in names]]
    config = EvaluationConfig(classes=names, overlaps=(0.5, 0.5), devkit_overlaps=(0.5, 0.5))
    evaluation = evaluate_frames(objects, found, config)
    for part in evaluation.classes:
        assert f'>{part.class_name}</text>' in ''.join(class_section(evaluation, part))


def test_a_table():
    assert format_table(TABLE) == (
        '<h3>A &amp; B</h3><table><tr><th>name</th><th>count</th></tr>'
        '<tr><td>x &lt; y</td><td>1</td></tr><tr><td>z</td><td>2</td></tr></table>'
        '<p class="small">a &gt; b</p>'
    )


def test_rows_get_the_class_that_a_function_gives_them():
    text = format_table(TABLE, lambda row: {'1': 'one "and" only', '2': ''}[row[-1]])
    assert '<tr class="one &quot;and&quot; only"><td>x &lt; y</td>' in text
    assert '<tr><td>z</td>' in text and '<tr><th>' in text


def test_plots_stay_beside_their_tables_whatever_these_are_called(evaluation, monkeypatch):
    part = evaluation.classes[0]
    keys = list(class_tables(evaluation, part))

    def renamed(*arguments):
        tables = class_tables(*arguments)
        return {key: dataclasses.replace(tables[key], title=f'title of {key}') for key in keys}

    monkeypatch.setattr(report_html, 'class_tables', renamed)
    section = class_section(evaluation, part)
    behind = {}
    for table, plot in itertools.pairwise(section):
        if plot.startswith('<svg'):
            behind[re.match('<h3>(.*?)</h3>', table)[1]] = plot
    assert list(behind) == [
        'title of average_precision', 'title of depth', 'Calibration of score',
    ]  # fmt: skip
    assert 'precision (AOS: similarity)' in behind['title of average_precision']
    assert 'depth error (m)' in behind['title of depth']
    assert len(section) == len(keys) + 1 + len(behind)
