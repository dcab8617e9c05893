"""The launch files, run by the real launch; what they start is recorded, or the node itself."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.ros_install

ROOT = Path(__file__).parents[2]

#: Runs a launch file as `ros2 launch` does: LAUNCH_FILE [NAME:=VALUE ...].
RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource
arguments = [argument.split(':=') for argument in sys.argv[2:]]
service = LaunchService()
source = AnyLaunchDescriptionSource(sys.argv[1])
include = IncludeLaunchDescription(source, launch_arguments=arguments)
service.include_launch_description(LaunchDescription([include]))
sys.exit(service.run())
"""

#: Writes down how it was called, parameter files included, and ends.
RECORD = """#!{python}
import json, sys
from pathlib import Path
files = [sys.argv[n + 1] for n, word in enumerate(sys.argv) if word == '--params-file']
call = {{'arguments': sys.argv[1:], 'files': [Path(file).read_text() for file in files]}}
Path({call!r}).write_text(json.dumps(call))
"""

#: The node, with a stand-in for the network.
FAKE_NODE = """#!{python}
import sys
sys.path.insert(0, {folder!r})
from fake_detector import FakeDetector
from smoke_ros.ros.node import main
sys.exit(main(sys.argv, lambda *_, **__: FakeDetector()))
"""


class Installed:
    """An ament prefix with this checkout's launch files and configuration in it."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.share = prefix / 'share' / 'smoke_ros'
        self.add_package('smoke_ros')
        for folder in ('launch', 'config'):
            (self.share / folder).symlink_to(ROOT / folder)

    def add_package(self, name: str) -> None:
        marker = self.prefix / 'share' / 'ament_index' / 'resource_index' / 'packages' / name
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
        (self.prefix / 'share' / name).mkdir(parents=True)

    def add_recorder(self, relative: str) -> Path:
        """Put a program there that writes down how it is called; return where to."""
        call = self.prefix / f'{Path(relative).name}.json'
        self.add_program(relative, RECORD.format(python=sys.executable, call=str(call)))
        return call

    def add_fake_node(self) -> None:
        text = FAKE_NODE.format(python=sys.executable, folder=str(ROOT / 'test' / 'ros'))
        self.add_program('lib/smoke_ros/smoke_node', text)

    def add_program(self, relative: str, text: str) -> None:
        path = self.prefix / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def start(self, name: str, *arguments: str) -> subprocess.Popen:
        command = [sys.executable, '-c', RUN, str(self.share / 'launch' / name), *arguments]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip

    def run(self, name: str, *arguments: str) -> str:
        process = self.start(name, *arguments)
        try:
            return process.communicate(timeout=60)[0]
        finally:
            stop(process)


def stop(process: subprocess.Popen) -> None:
    """End what was started with a launch, if anything of it still runs."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def installed(tmp_path, monkeypatch, ros_domain):
    prefix = tmp_path / 'prefix'
    old = os.environ.get('AMENT_PREFIX_PATH', '')
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'{prefix}{os.pathsep}{old}')
    monkeypatch.setenv('PATH', f'{prefix / "bin"}{os.pathsep}{os.environ["PATH"]}')
    monkeypatch.setenv('PYTHONPATH', f'{ROOT}{os.pathsep}{os.environ.get("PYTHONPATH", "")}')
    return Installed(prefix)


class ParameterLoader(yaml.SafeLoader):
    """Reads as rcl does: it takes what launch_ros writes as a tuple of Python's for a list."""


ParameterLoader.add_constructor(
    'tag:yaml.org,2002:python/tuple', yaml.SafeLoader.construct_yaml_seq
)


def parameters_of(call):
    """Return the parameters that the node would have: of several files the last one counts."""
    parameters = {}
    for text in call['files']:
        for section in yaml.load(text, ParameterLoader).values():
            parameters.update(section['ros__parameters'])
    return parameters


def node_call(installed, *arguments):
    call = installed.add_recorder('lib/smoke_ros/smoke_node')
    output = installed.run('smoke.launch.py', *arguments)
    assert call.exists(), output
    return json.loads(call.read_text())


def test_without_arguments_the_parameters_are_the_files(installed):
    call = node_call(installed)
    config = yaml.safe_load((ROOT / 'config' / 'smoke.yaml').read_text())
    assert parameters_of(call) == config['/**']['ros__parameters']
    assert {'__node:=smoke_node', '__ns:=/', 'image:=image'} <= set(call['arguments'])


def test_arguments_go_before_the_file(installed, tmp_path):
    (tmp_path / 'mine.yaml').write_text('/**: {ros__parameters: {model: a, score_threshold: 0.5}}')
    call = node_call(
        installed, f'params_file:={tmp_path / "mine.yaml"}', 'model:=123', 'device:=cuda:1',
        'engine:=eager', 'camera_info_url:=file:///camera.yaml', 'use_sim_time:=true',
        'image:=/front/image_rect', 'camera_info:=/front/camera_info',
        'namespace:=front', 'name:=eye', 'log_level:=debug',
    )  # fmt: skip
    assert parameters_of(call) == {
        'model': '123',  # a string as it has to be, though it looks like a number
        'score_threshold': 0.5,
        'device': 'cuda:1',
        'engine': 'eager',
        'camera_info_url': 'file:///camera.yaml',
        'use_sim_time': True,
    }
    assert {
        'image:=/front/image_rect', 'camera_info:=/front/camera_info', '__node:=eye',
        '__ns:=/front', '--log-level', 'debug',
    } <= set(call['arguments'])  # fmt: skip


def test_several_cameras(installed, tmp_path):
    (tmp_path / 'mine.yaml').write_text('/**: {ros__parameters: {model: random}}')
    call = node_call(
        installed, f'params_file:={tmp_path / "mine.yaml"}', 'cameras:=front,left',
        'image:=/rig/{camera}/image_rect',
    )  # fmt: skip
    assert parameters_of(call)['cameras'] == ['front', 'left']
    assert {
        'front/image:=/rig/front/image_rect', 'left/image:=/rig/left/image_rect',
        'front/camera_info:=front/camera_info', 'left/camera_info:=left/camera_info',
    } <= set(call['arguments'])  # fmt: skip


@pytest.mark.parametrize(
    ('section', 'namespace'),
    [('/**', ''), ('smoke_node', ''), ('/**/smoke_node', ''), ('/**/smoke_node', 'rig'),
     ('/rig/smoke_node', 'rig'), ('/*/smoke_node', '/rig')],
)  # fmt: skip
def test_several_cameras_that_the_file_of_parameters_names(
    installed, tmp_path, section, namespace
):
    (tmp_path / 'mine.yaml').write_text(
        'other_node: {ros__parameters: {cameras: [wrong]}}\n'
        'rear: {smoke_node: {ros__parameters: {cameras: [wrong]}}}\n'
        f'{section}: {{ros__parameters: {{cameras: [front, left]}}}}\n'
    )
    call = node_call(
        installed, f'params_file:={tmp_path / "mine.yaml"}', 'image:=/rig/{camera}/image_rect',
        f'namespace:={namespace}',
    )  # fmt: skip
    assert {
        'front/image:=/rig/front/image_rect', 'left/camera_info:=left/camera_info',
    } <= set(call['arguments'])  # fmt: skip


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('smoke_node: {ros__parameters: {model: a}}', 'expected parameters of /rig/smoke_node'),
        ('model: a', 'expected parameters of /rig/smoke_node, or of /** for every node, got none'),
        (None, 'No such file or directory'),
    ],
)
def test_a_file_that_the_node_would_pass_over_is_refused(installed, tmp_path, text, words):
    call = installed.add_recorder('lib/smoke_ros/smoke_node')
    if text is not None:
        (tmp_path / 'mine.yaml').write_text(text)
    arguments = (f'params_file:={tmp_path / "mine.yaml"}', 'namespace:=rig')
    assert words in installed.run('smoke.launch.py', *arguments)
    assert not call.exists()


def test_cameras_in_the_file_that_are_no_list_are_left_to_the_node(installed, tmp_path):
    (tmp_path / 'mine.yaml').write_text('/**: {ros__parameters: {cameras: front}}')
    call = node_call(installed, f'params_file:={tmp_path / "mine.yaml"}')
    assert parameters_of(call) == {'cameras': 'front'}  # of which it says what is wrong
    assert 'image:=image' in call['arguments']


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (
            ['image:=/rig/{camera}/image_rect'],
            "image has {camera} in it, got '/rig/{camera}/image_rect': name the cameras too",
        ),
        (
            ['cameras:=front,left', 'camera_info:=/camera_info', 'image:={camera}/image'],
            'camera_info must have {camera} in it, which stands for the name of each camera, or '
            "not begin with a slash, where cameras are named, got '/camera_info'",
        ),
    ],
)
def test_topics_that_do_not_fit_the_cameras_are_refused(installed, arguments, words):
    call = installed.add_recorder('lib/smoke_ros/smoke_node')
    assert words in installed.run('smoke.launch.py', *arguments)
    assert not call.exists()


@pytest.mark.parametrize('argument', ['rviz:=perhaps', 'use_sim_time:=1', 'log_level:=loud'])
def test_a_wrong_value_is_refused(installed, argument):
    call = installed.add_recorder('lib/smoke_ros/smoke_node')
    name, _, value = argument.partition(':=')
    assert f'Argument "{name}" provided value "{value}" is' in installed.run(
        'smoke.launch.py', argument
    )
    assert not call.exists()


def test_rviz_gets_the_nodes_topics(installed):
    installed.add_package('rviz2')
    installed.add_recorder('lib/smoke_ros/smoke_node')
    call = installed.add_recorder('lib/rviz2/rviz2')
    output = installed.run(
        'smoke.launch.py', 'rviz:=true', 'namespace:=front', 'name:=eye', 'image:=image_rect',
        'fixed_frame:=front_camera',
    )  # fmt: skip
    assert call.exists(), output
    arguments = json.loads(call.read_text())['arguments']
    assert arguments[:4] == [
        '-d', str(installed.share / 'config' / 'smoke.rviz'), '-f', 'front_camera',
    ]  # fmt: skip
    assert {
        '/smoke_node/markers:=/front/eye/markers',
        '/smoke_node/debug_image:=/front/eye/debug_image',
        '/image:=/front/image_rect',
        '/smoke_node/ground_truth_markers:=/front/ground_truth_markers',
    } <= set(arguments)


def test_rviz_is_not_given_compressed_images_as_raw_ones(installed):
    installed.add_package('rviz2')
    installed.add_recorder('lib/smoke_ros/smoke_node')
    call = installed.add_recorder('lib/rviz2/rviz2')
    output = installed.run('smoke.launch.py', 'rviz:=true', 'image:=/front/image_rect/compressed')
    assert call.exists(), output
    arguments = json.loads(call.read_text())['arguments']
    assert '/smoke_node/ground_truth_markers:=/front/ground_truth_markers' in arguments
    assert not [each for each in arguments if each.startswith('/image:=')]


def test_every_argument_has_a_description():
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    for name in ('smoke.launch.py', 'demo.launch.py'):
        path = str(ROOT / 'launch' / name)
        description = get_launch_description_from_python_launch_file(path)
        arguments = description.get_launch_arguments()
        assert {'model', 'device', 'params_file', 'image'} <= {item.name for item in arguments}
        for argument in arguments:
            assert argument.description not in ('', 'no description given'), argument.name


def test_the_node_starts_and_ctrl_c_stops_it(installed):
    installed.add_fake_node()
    process = installed.start('smoke.launch.py', 'image:=/front/image_rect')
    try:
        started = any('active: waiting for images on /front/i' in line for line in process.stdout)
        assert started
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        rest, _ = process.communicate(timeout=30)
        assert process.returncode == 0, rest
        assert 'smoke_node-1]: process has finished cleanly' in rest
    finally:
        stop(process)


def test_the_demo_plays_the_bag_when_the_node_is_ready_and_ends_with_it(installed):
    installed.add_fake_node()
    call = installed.add_recorder('bin/ros2')
    output = installed.run(
        'demo.launch.py', 'bag:=/data/drive', 'rviz:=false', 'rate:=0.5', 'namespace:=front'
    )
    assert call.exists(), output
    expected = ['bag', 'play', '/data/drive', '--rate', '0.5', '--clock']
    assert json.loads(call.read_text())['arguments'] == expected
    assert 'active: waiting for images on /camera_2/image_rect' in output
    assert output.index('active: waiting') < output.index('ros2-2')
    assert 'Caught exception' not in output and 'finished cleanly' in output
