"""The decisions of set-up: kind of environment, due steps, constraints beside a ROS."""

from pathlib import Path

import environment_plan as plan
import pytest
from environment_plan import ROS, STEPS, WHEELS, SetupError, State

ROOT = Path(__file__).resolve().parents[2]


def fail():
    raise AssertionError('looked for ROS modules although no ROS is sourced')


@pytest.mark.parametrize('prefixes', [None, '', ':'])
def test_without_a_sourced_ros_the_wheels_are_chosen(prefixes):
    environ = {} if prefixes is None else {'AMENT_PREFIX_PATH': prefixes}
    assert plan.choose_kind(environ, fail) == WHEELS


def test_an_environment_of_our_own_is_not_taken_for_a_ros(tmp_path):
    (tmp_path / 'pyvenv.cfg').touch()
    environ = {'AMENT_PREFIX_PATH': str(tmp_path), 'ROS_DISTRO': 'jazzy'}
    assert plan.choose_kind(environ, fail) == WHEELS


def test_a_sourced_ros_is_used(tmp_path):
    environ = {'AMENT_PREFIX_PATH': str(tmp_path), 'ROS_DISTRO': 'jazzy'}
    assert plan.choose_kind(environ, list) == ROS


def test_a_ros_that_this_python_cannot_import_is_an_error(tmp_path):
    environ = {'AMENT_PREFIX_PATH': str(tmp_path), 'ROS_DISTRO': 'jazzy'}
    with pytest.raises(SetupError, match=r'expected a Python that imports rclpy.*PYTHON='):
        plan.choose_kind(environ, lambda: ['rclpy', 'vision_msgs'])


def test_a_ros_without_a_message_package_is_an_error_that_names_the_apt_package(tmp_path):
    environ = {'AMENT_PREFIX_PATH': str(tmp_path), 'ROS_DISTRO': 'jazzy'}
    with pytest.raises(SetupError, match=r'apt install ros-jazzy-vision-msgs"'):
        plan.choose_kind(environ, lambda: ['vision_msgs'])


def test_a_ros_of_unknown_name_is_not_made_a_package_name(tmp_path):
    with pytest.raises(SetupError, match=r'sourced ROS to have vision_msgs.*rosdep') as raised:
        plan.choose_kind({'AMENT_PREFIX_PATH': str(tmp_path)}, lambda: ['vision_msgs'])
    assert 'apt install ros-<distribution>-vision-msgs"' in str(raised.value)


def test_nothing_is_due_when_every_key_is_the_same():
    keys = {step: step for step in STEPS}
    assert plan.first_due(State(dict(keys)), keys) is None


@pytest.mark.parametrize('step', STEPS)
def test_a_step_with_another_key_is_the_first_that_is_due(step):
    keys = {name: name for name in STEPS}
    assert plan.first_due(State({**keys, step: 'older'}), keys) == step
    assert plan.first_due(State({k: v for k, v in keys.items() if k != step}), keys) == step


@pytest.mark.parametrize(
    ('running', 'due'),
    [
        ('environment', 'environment'),
        ('packages', 'environment'),
        ('underlay', 'underlay'),
        ('project', 'project'),
    ],
)
def test_an_interrupted_installation_starts_over_and_other_steps_are_repeated(running, due):
    keys = {name: name for name in STEPS}
    assert plan.first_due(State(dict(keys), running=running), keys) == due


def test_keys_follow_what_each_step_depends_on():
    keys = plan.step_keys(ROOT, WHEELS, '3.11')
    assert set(keys) == set(STEPS)
    assert keys == plan.step_keys(ROOT, WHEELS, '3.11')
    other_python = plan.step_keys(ROOT, WHEELS, '3.12')
    assert {step for step in STEPS if keys[step] != other_python[step]} == {'environment'}
    with_ros = plan.step_keys(ROOT, ROS, '3.11')
    assert keys['environment'] != with_ros['environment']
    assert keys['packages'] != with_ros['packages']


def test_fingerprint_sees_content_names_and_facts(tmp_path):
    file, same, other = (tmp_path / name for name in ('a', 'b', 'c'))
    file.write_text('1')
    same.write_text('1')
    other.write_text('2')
    prints = [
        plan.fingerprint([file]),
        plan.fingerprint([same]),
        plan.fingerprint([file, other]),
        plan.fingerprint([file], 'ros'),
    ]
    assert len(set(prints)) == 4
    file.write_text('3')
    assert plan.fingerprint([file]) not in prints


def test_state_survives_its_file_and_a_broken_file_is_none(tmp_path):
    path = tmp_path / 'state.json'
    assert State.load(path) is None
    state = State({'environment': 'a'}, running='packages')
    state.save(path)
    assert State.load(path) == state
    for text in ('', '{"finished": {"environ', '[]', '{}'):
        path.write_text(text)
        assert State.load(path) is None


def test_beside_a_ros_nothing_of_the_system_is_replaced():
    system = {'numpy': '1.26.4', 'pyyaml': '6.0.1', 'pillow': '99.0', 'setuptools': '68.1.2'}
    lines = ['# comment', 'numpy==2.2.6', 'PyYAML==6.0.3', 'pillow==13.0.0', 'torch==2.13.0']
    lines += ['setuptools==84.2.1; python_version >= "3.11"', '']
    assert plan.spare_the_system(lines, system) == [
        'pyyaml<=6.0.3',  # the system's own is enough, and a newer one is not sought
        'torch<=2.13.0',
        'setuptools<=84.2.1; python_version >= "3.11"',
        'numpy==1.26.4',  # held: compiled ROS code shares it
    ]


def test_beside_an_older_numpy_nothing_has_to_be_as_new_as_its_pin():
    # The pinned ml-dtypes wants numpy 2, which no ROS up to Jazzy has: it has to be older.
    lines = (ROOT / 'requirements' / 'constraints.txt').read_text().splitlines()
    spared = plan.spare_the_system(lines, {'numpy': '1.26.4'})
    assert [line for line in spared if '==' in line.partition(';')[0]] == ['numpy==1.26.4']
    assert any(line.startswith('ml-dtypes<=') for line in spared)


@pytest.mark.parametrize(
    ('older', 'newer'), [('1.9', '1.10'), ('68.1.2', '84.2.1'), ('6.0', '6.0.1')]
)
def test_versions_are_compared_by_number(older, newer):
    assert plan.is_older(older, newer)
    assert not plan.is_older(newer, older)
    assert not plan.is_older(newer, newer)
