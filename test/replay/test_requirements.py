"""The grammar of requirements, the verdict, and the file for CI."""

from xml.etree import ElementTree

import pytest

from smoke_ros.config.evaluation import EvaluationConfig
from smoke_ros.replay.metrics import Metric
from smoke_ros.replay.requirements import (
    Requirement,
    judge,
    junit_xml,
    parse_requirement,
)


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('car/3d/moderate>=10', Requirement('car/3d/moderate', '>=', 10.0)),
        (' latency_p99_ms <= 1.5e2 ', Requirement('latency_p99_ms', '<=', 150.0)),
        ('kitti:car/bev/hard/r11>.5', Requirement('kitti:car/bev/hard/r11', '>', 0.5)),
        ('frames_dropped==0', Requirement('frames_dropped', '==', 0.0)),
        ('pedestrian/depth_median_m<2', Requirement('pedestrian/depth_median_m', '<', 2.0)),
    ],
)
def test_requirement_is_read(text, expected):
    assert parse_requirement(text) == expected


@pytest.mark.parametrize(
    'text',
    ['', 'jitter_ms', 'jitter_ms<=', '<=3', 'jitter_ms=3', 'jitter_ms=>3', 'jitter_ms<=3ms',
     'jitter_ms<=nan', 'jitter_ms<=3<=4', 'jitter_ms!=3', 'jitter ms<=3'],
)  # fmt: skip
def test_other_grammar_is_refused(text):
    with pytest.raises(ValueError, match='METRIC OP NUMBER'):
        parse_requirement(text)


def test_unknown_metric_lists_the_known():
    with pytest.raises(ValueError, match='unknown metric') as error:
        parse_requirement('car/3d/middling>=1')
    message = str(error.value)
    assert 'did you mean' in message
    for part in ('latency_p99_ms', 'CLASS/3d/moderate', 'car, pedestrian, cyclist', 'kitti:'):
        assert part in message


def test_classes_of_the_evaluation_are_known():
    config = EvaluationConfig(classes=('Truck',), overlaps=(0.7,), devkit_overlaps=(0.5,))
    assert parse_requirement('truck/3d/easy>1', config).metric == 'truck/3d/easy'
    with pytest.raises(ValueError, match='unknown metric'):
        parse_requirement('car/3d/easy>1', config)


METRICS = [
    Metric('jitter_ms', 3.0, 'ms', 'lower', meaning='mean change of latency'),
    Metric('car/3d/easy', None, '%', 'higher', why_missing='there is no ground truth'),
]


@pytest.mark.parametrize(
    ('sign', 'bound', 'met'),
    [('<=', 3, True), ('<', 3, False), ('>=', 3, True), ('>', 3, False), ('>', 2.9, True),
     ('==', 3, True), ('==', 3.1, False)],
)  # fmt: skip
def test_bound_is_kept_or_not(sign, bound, met):
    (verdict,) = judge([Requirement('jitter_ms', sign, bound)], METRICS)
    assert verdict.met is met
    assert verdict.sentence == (
        f'jitter_ms (mean change of latency) is 3 ms, required {sign} {bound}'
    )


@pytest.mark.parametrize(
    ('value', 'text', 'sentence'),
    [
        (200 / 3, 'jitter_ms>=66.6667', 'is 66.6666666666667 ms, required >= 66.6667'),
        (1234566.0, 'jitter_ms>=1234567', 'is 1234566 ms, required >= 1234567'),
        (200 / 3, 'jitter_ms>=60', 'is 66.6667 ms, required >= 60'),
    ],
)
def test_figures_have_the_digits_that_the_verdict_takes(value, text, sentence):
    (verdict,) = judge([parse_requirement(text)], [Metric('jitter_ms', value, 'ms', 'lower')])
    assert verdict.sentence == f'jitter_ms {sentence}'
    assert str(verdict.requirement) == text


def test_missing_value_is_not_met_and_says_why():
    (verdict,) = judge([Requirement('car/3d/easy', '>=', 0.0)], METRICS)
    assert not verdict.met
    assert 'has no value: there is no ground truth' in verdict.sentence


def test_junit_has_a_case_for_each_requirement():
    verdicts = judge(
        [
            Requirement('jitter_ms', '<=', 5.0),
            Requirement('jitter_ms', '<=', 1.0),
            Requirement('car/3d/easy', '>=', 1.0),
        ],
        METRICS,
    )
    root = ElementTree.fromstring(junit_xml(verdicts, 'drive <1>', {'model': 'tiny & \x00small'}))
    (suite,) = root
    assert (suite.tag, suite.get('name')) == ('testsuite', 'drive <1>')
    assert (suite.get('tests'), suite.get('failures'), suite.get('errors')) == ('3', '2', '0')
    assert suite.find('properties/property').get('value') == 'tiny & ?small'
    cases = suite.findall('testcase')
    assert [case.get('name') for case in cases] == [
        'jitter_ms<=5', 'jitter_ms<=1', 'car/3d/easy>=1',
    ]  # fmt: skip
    failures = [case.find('failure') for case in cases]
    assert failures[0] is None
    assert failures[1].get('message') == verdicts[1].sentence
    assert [failure.get('type') for failure in failures[1:]] == ['not met', 'missing']
