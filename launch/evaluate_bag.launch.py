"""Play a bag into the node at its own pace, and report on what a vehicle would get from it.

::

    ros2 launch smoke_ros evaluate_bag.launch.py bag:=drive out:=runs/drive

It runs ``smoke-ros replay --live``, which starts the node itself, in a ROS domain of its own. The
exit code is not 0 where a requirement is not met.
"""

import shlex

from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.substitutions import ExecutableInPackage

from launch import LaunchContext, LaunchDescription

#: Arguments that become options of the same name; those that are empty are left out.
OPTIONS = ('out', 'rate', 'model', 'device', 'params_file', 'topics', 'truth_topic', 'calib')


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; what they start is decided when they are known."""
    return LaunchDescription([*_arguments(), OpaqueFunction(function=_replay)])


def _arguments() -> list[DeclareLaunchArgument]:
    return [
        DeclareLaunchArgument('bag', description='bag with images, and camera infos beside them'),
        DeclareLaunchArgument(
            'out', default_value='evaluation', description='folder for the report and all else'
        ),
        DeclareLaunchArgument(
            'rate', default_value='', description='how fast to play; empty: as it was recorded'
        ),
        DeclareLaunchArgument(
            'model', default_value='',
            description='name of a model in models/registry.yaml, or path of a weights file; '
            'empty: as in params_file, else the default',
        ),
        DeclareLaunchArgument(
            'device', default_value='',
            description='what the network runs on: auto, cpu, cuda or cuda:N; '
            'empty: as in params_file, else auto',
        ),
        DeclareLaunchArgument(
            'params_file', default_value='',
            description='YAML file with more parameters of the node; empty: none',
        ),
        DeclareLaunchArgument(
            'topics', default_value='',
            description='image topic; empty: the one with a camera_info beside it',
        ),
        DeclareLaunchArgument(
            'truth_topic', default_value='',
            description='Detection3DArray with the ground truth; empty: ground_truth beside the '
            'images, if there is one',
        ),
        DeclareLaunchArgument(
            'calib', default_value='',
            description="calibration YAML in place of the bag's camera infos; empty: none",
        ),
        DeclareLaunchArgument(
            'require', default_value='',
            description="requirements with spaces between, such as 'latency_p99_ms<=100'",
        ),
        DeclareLaunchArgument(
            'options', default_value='',
            description='more options of smoke-ros replay, as on a command line',
        ),
    ]  # fmt: skip


def _replay(context: LaunchContext) -> list[ExecuteProcess | RegisterEventHandler]:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    options = []
    for name in OPTIONS:
        if value(name):
            options += [f'--{name.replace("_", "-")}', value(name)]
    for requirement in value('require').split():
        options += ['--require', requirement]
    replay = ExecuteProcess(
        cmd=[
            ExecutableInPackage(package='smoke_ros', executable='smoke-ros'),
            'replay', value('bag'), '--live', *options, *shlex.split(value('options')),
        ],
        output='screen',
    )  # fmt: skip
    return [
        replay,
        RegisterEventHandler(OnProcessExit(target_action=replay, on_exit=_pass_on_the_code)),
    ]


def _pass_on_the_code(event: ProcessExited, context: LaunchContext) -> None:
    """Raise where the replay failed: otherwise launch ends with 0 whatever its processes say."""
    if event.returncode and not context.is_shutdown:
        raise RuntimeError(f'smoke-ros replay has ended with exit code {event.returncode}')
