"""evaluate_bag.launch.py, run by the real launch; what it starts is recorded."""

import json

import pytest
from test_launch_files import ROOT, installed, stop  # noqa: F401, a fixture

pytestmark = pytest.mark.ros_install


def test_the_command_gets_the_arguments(installed):  # noqa: F811
    call = installed.add_recorder('lib/smoke_ros/smoke-ros')
    output = installed.run(
        'evaluate_bag.launch.py', 'bag:=/data/drive', 'out:=/tmp/run', 'rate:=2',
        'truth_topic:=/labels', 'require:=car/3d/moderate>=10 latency_p99_ms<=100',
        'options:=--storage sqlite3',
    )  # fmt: skip
    assert call.exists(), output
    assert json.loads(call.read_text())['arguments'] == [
        'replay', '/data/drive', '--live', '--out', '/tmp/run', '--rate', '2',
        '--truth-topic', '/labels', '--require', 'car/3d/moderate>=10', '--require',
        'latency_p99_ms<=100', '--storage', 'sqlite3',
    ]  # fmt: skip


@pytest.mark.parametrize('code', [0, 1])
def test_the_exit_code_tells_whether_requirements_were_met(installed, code):  # noqa: F811
    installed.add_program('lib/smoke_ros/smoke-ros', f'#!/bin/sh\nexit {code}\n')
    process = installed.start('evaluate_bag.launch.py', 'bag:=/data/drive')
    try:
        output, _ = process.communicate(timeout=60)
    finally:
        stop(process)
    assert (process.returncode != 0) == (code != 0), output


def test_every_argument_has_a_description():
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    path = str(ROOT / 'launch' / 'evaluate_bag.launch.py')
    arguments = get_launch_description_from_python_launch_file(path).get_launch_arguments()
    assert 'bag' in {item.name for item in arguments}
    for argument in arguments:
        assert argument.description not in ('', 'no description given'), argument.name
