"""The gate: what a replay must reach, as ``METRIC OP NUMBER``, and the verdict for CI."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from smoke_ros.config.evaluation import EvaluationConfig
from smoke_ros.replay.metrics import Metric, metric_names

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    '>=': operator.ge, '<=': operator.le, '==': operator.eq, '>': operator.gt, '<': operator.lt,
}  # fmt: skip

_NUMBER = r'[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?'
_GRAMMAR = re.compile(rf'\s*([^\s<>=]+)\s*(>=|<=|==|>|<)\s*({_NUMBER})\s*')

#: What XML 1.0 cannot hold, escaped or not.
_NOT_XML = re.compile('[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]')


@dataclass(frozen=True)
class Requirement:
    """A bound that a metric must keep."""

    metric: str
    operator: str
    bound: float

    def __str__(self) -> str:
        return f'{self.metric}{self.operator}{self.bound:.15g}'


@dataclass(frozen=True)
class Verdict:
    """A requirement, checked against a replay."""

    requirement: Requirement
    metric: Metric

    @property
    def met(self) -> bool:
        """Whether there is a value and it keeps the bound."""
        required = self.requirement
        value = self.metric.value
        return value is not None and OPERATORS[required.operator](value, required.bound)

    @property
    def sentence(self) -> str:
        """Say what was found and what was required."""
        required = f'required {self.requirement.operator} {self.requirement.bound:.15g}'
        metric = self.metric
        if metric.value is None:
            return f'{metric.name} has no value: {metric.why_missing}; {required}'
        meaning = f' ({metric.meaning})' if metric.meaning else ''
        unit = f' {metric.unit}' if metric.unit else ''
        return f'{metric.name}{meaning} is {self._figure(metric.value)}{unit}, {required}'

    def _figure(self, value: float) -> str:
        """Return the value in six digits, or in more where these would tell another verdict."""
        figure = f'{value:.6g}'
        meets = OPERATORS[self.requirement.operator](float(figure), self.requirement.bound)
        return figure if meets == self.met else f'{value:.15g}'


def parse_requirement(text: str, config: EvaluationConfig | None = None) -> Requirement:
    """Read a requirement such as ``car/3d/moderate>=10``.

    Parameters
    ----------
    text
        A metric, one of ``>= <= > < ==`` and a number; spaces between them are allowed.
    config
        Of the evaluation, whose classes are in names of metrics; KITTI's if None.

    Raises
    ------
    ValueError
        If it is not that, or there is no such metric; the message lists those there are.
    """
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise ValueError(
            f'a requirement must be METRIC OP NUMBER with OP one of {" ".join(OPERATORS)}, such '
            f'as latency_p99_ms<=100, got {text!r}'
        )
    name, sign, bound = match.groups()
    known = metric_names(config or EvaluationConfig())
    if name not in known:
        raise ValueError(f'unknown metric {name!r}{_suggestion(name, known)}; {_listed(known)}')
    return Requirement(name, sign, float(bound))


def judge(requirements: Iterable[Requirement], metrics: Sequence[Metric]) -> list[Verdict]:
    """Hold requirements against the metrics of a replay.

    Raises
    ------
    ValueError
        If the replay was evaluated with other classes than the requirement was read with.
    """
    by_name = {metric.name: metric for metric in metrics}
    missing = [item.metric for item in requirements if item.metric not in by_name]
    if missing:
        raise ValueError(f'unknown metric {missing[0]!r}; {_listed(list(by_name))}')
    return [Verdict(requirement, by_name[requirement.metric]) for requirement in requirements]


def junit_xml(verdicts: Sequence[Verdict], suite: str, properties: dict[str, str]) -> str:
    """Return a JUnit document with one test case for each requirement.

    Parameters
    ----------
    verdicts
        Met or not.
    suite
        Name of the test suite.
    properties
        What ran.
    """
    failures = sum(not verdict.met for verdict in verdicts)
    counts = {
        'tests': str(len(verdicts)), 'failures': str(failures), 'errors': '0', 'skipped': '0',
        'time': '0',
    }  # fmt: skip
    root = ElementTree.Element('testsuites', counts)
    element = ElementTree.SubElement(root, 'testsuite', {'name': _clean(suite), **counts})
    listed = ElementTree.SubElement(element, 'properties')
    for name, value in properties.items():
        ElementTree.SubElement(listed, 'property', {'name': name, 'value': _clean(value)})
    for verdict in verdicts:
        case = ElementTree.SubElement(
            element, 'testcase',
            {'classname': 'smoke_ros.replay', 'name': str(verdict.requirement), 'time': '0'},
        )  # fmt: skip
        sentence = _clean(verdict.sentence)
        if verdict.met:
            ElementTree.SubElement(case, 'system-out').text = sentence
        else:
            kind = 'missing' if verdict.metric.value is None else 'not met'
            failure = ElementTree.SubElement(case, 'failure', {'message': sentence, 'type': kind})
            failure.text = sentence
    ElementTree.indent(root)
    return ElementTree.tostring(root, 'unicode', xml_declaration=False) + '\n'


def _clean(text: str) -> str:
    return _NOT_XML.sub('?', text)


def _suggestion(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=3)
    return f' (did you mean {" or ".join(near)}?)' if near else ''


def _listed(known: list[str]) -> str:
    """List metrics, those of classes once for all classes."""
    plain = [name for name in known if '/' not in name]
    of_class = [name.partition('/') for name in known if '/' in name and ':' not in name]
    classes = list(dict.fromkeys(name for name, _, _ in of_class))
    rest = list(dict.fromkeys(rest for _, _, rest in of_class if not rest.endswith('/r11')))
    return (
        f'known are {", ".join(plain)}, and of each class ({", ".join(classes)}) '
        f'CLASS/{", CLASS/".join(rest)}; /r11 behind an AP for 11 recalls in place of 40, kitti: '
        "before it for the overlaps of KITTI's first program (kitti:car/3d/moderate) in place of "
        "the benchmark's"
    )
