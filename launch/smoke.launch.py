r"""Start the node that detects objects in a camera's images, and RViz where that is wanted.

::

    ros2 launch smoke_ros smoke.launch.py image:=/camera/image_rect \
        camera_info:=/camera/camera_info model:=my_weights.pth rviz:=true

The node's parameters come from a YAML file. An argument that stands for one of them, where it is
given, goes before the file.
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription
from smoke_ros.ros.parameter_files import read_parameters

#: Arguments that set the parameter of the same name.
PARAMETERS = ('model', 'device', 'engine', 'precision', 'camera_info_url', 'image_transport')

#: The topics of config/smoke.rviz. What comes from the node is named by the node's own name.
RVIZ_NODE = '/smoke_node'
RVIZ_OUTPUTS = ('markers', 'debug_image')
RVIZ_IMAGE = '/image'
#: Of a bag, beside its images, as smoke-ros kitti2bag writes it; the node does not publish it.
RVIZ_TRUTH = '/smoke_node/ground_truth_markers'


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; what they start is decided when they are known."""
    return LaunchDescription([*_arguments(), OpaqueFunction(function=_actions)])


def _arguments() -> list[DeclareLaunchArgument]:
    in_share = [FindPackageShare('smoke_ros'), 'config']
    yes_or_no = ['true', 'false']
    return [
        DeclareLaunchArgument(
            'params_file', default_value=PathJoinSubstitution([*in_share, 'smoke.yaml']),
            description='YAML file with the parameters of the node',
        ),
        DeclareLaunchArgument(
            'model', default_value='',
            description='name of a model in models/registry.yaml, or path of a weights file; '
            'empty: as in params_file',
        ),
        DeclareLaunchArgument(
            'device', default_value='',
            description='what the network runs on: auto, cpu, cuda or cuda:N; '
            'empty: as in params_file',
        ),
        DeclareLaunchArgument(
            'engine', default_value='',
            description='what runs the network: auto, eager, compiled, cuda_graph, onnx or '
            'tensorrt; empty: as in params_file',
        ),
        DeclareLaunchArgument(
            'precision', default_value='',
            description='of the convolutions: auto, float32, bfloat16 or float16; '
            'empty: as in params_file',
        ),
        DeclareLaunchArgument(
            'camera_info_url', default_value='',
            description='calibration YAML to use in place of the camera_info topic: a path, '
            'file://... or package://package/path; empty: as in params_file',
        ),
        DeclareLaunchArgument(
            'cameras', default_value='',
            description='names of several cameras, such as front,left; empty: one, or as in '
            'params_file',
        ),
        DeclareLaunchArgument(
            'image', default_value='image',
            description='topic with the images of the camera; with cameras, {camera} in it stands '
            "for each one's name, and one without is relative, below that name",
        ),
        DeclareLaunchArgument(
            'image_transport', default_value='', choices=['', 'raw', 'compressed'],
            description='whether the images are Image or CompressedImage; empty: as in '
            'params_file',
        ),
        DeclareLaunchArgument(
            'camera_info', default_value='camera_info',
            description='topic with the CameraInfo that belongs to the images, as image',
        ),
        DeclareLaunchArgument(
            'namespace', default_value='', description='namespace of the node and its topics'
        ),
        DeclareLaunchArgument(
            'name', default_value='smoke_node', description='name of the node'
        ),
        DeclareLaunchArgument(
            'use_sim_time', default_value='', choices=['', *yes_or_no],
            description='whether time comes from /clock; empty: as in params_file',
        ),
        DeclareLaunchArgument(
            'log_level', default_value='info',
            choices=['debug', 'info', 'warn', 'error', 'fatal'],
            description='least severity that the node logs',
        ),
        DeclareLaunchArgument(
            'rviz', default_value='false', choices=yes_or_no, description='whether to start RViz'
        ),
        DeclareLaunchArgument(
            'rviz_config', default_value=PathJoinSubstitution([*in_share, 'smoke.rviz']),
            description='configuration of RViz',
        ),
        DeclareLaunchArgument(
            'fixed_frame', default_value='',
            description="frame that RViz shows all in; the images' own frame_id needs no tf; "
            'empty: as in rviz_config',
        ),
    ]  # fmt: skip


def _actions(context: LaunchContext) -> list[Node]:
    given = {
        name: LaunchConfiguration(name).perform(context)
        for name in (
            *PARAMETERS, 'params_file', 'cameras', 'image', 'camera_info', 'namespace', 'name',
            'use_sim_time', 'log_level', 'rviz', 'rviz_config', 'fixed_frame',
        )
    }  # fmt: skip
    in_file = _cameras_in_file(given)
    # Topics depend on the cameras, wherever they are named.
    given['cameras'] = given['cameras'] or ','.join(in_file)
    actions = [_smoke_node(given)]
    if given['rviz'] == 'true':
        actions.append(_rviz(given))
    return actions


def _smoke_node(given: dict[str, str]) -> Node:
    return Node(
        package='smoke_ros',
        executable='smoke_node',
        name=given['name'],
        namespace=given['namespace'],
        parameters=[given['params_file'], _given_parameters(given)],
        remappings=_inputs(given),
        arguments=['--ros-args', '--log-level', given['log_level']],
        output='screen',
    )


def _inputs(given: dict[str, str]) -> list[tuple[str, str]]:
    """Return which topics the node's inputs are."""
    topics = ('image', 'camera_info')
    cameras = _cameras(given)
    _refuse_unfit_topics({topic: given[topic] for topic in topics}, cameras)
    if not cameras:
        return [(topic, given[topic]) for topic in topics]
    return [(f'{camera}/{t}', _of_camera(given[t], camera)) for camera in cameras for t in topics]


def _refuse_unfit_topics(topics: dict[str, str], cameras: list[str]) -> None:
    """Raise ValueError for what makes no topic's name: rcl would not say which argument it was."""
    for name, topic in topics.items():
        if '{camera}' in topic and not cameras:
            raise ValueError(
                f"{name} has {{camera}} in it, got '{topic}': name the cameras too, such as "
                'cameras:=front,left'
            )
        if topic.startswith('/') and '{camera}' not in topic and cameras:
            raise ValueError(
                f'{name} must have {{camera}} in it, which stands for the name of each camera, or '
                f"not begin with a slash, where cameras are named, got '{topic}'"
            )


def _cameras(given: dict[str, str]) -> list[str]:
    return [name.strip() for name in given['cameras'].split(',') if name.strip()]


def _cameras_in_file(given: dict[str, str]) -> list[str]:
    """Return the cameras that params_file names for the node, which it must have a section for."""
    node = _absolute(given['name'], given['namespace'])
    cameras = read_parameters(Path(given['params_file']), node).get('cameras')
    # The node says what is wrong with other values.
    return list(map(str, cameras)) if isinstance(cameras, list) else []


def _of_camera(topic: str, camera: str) -> str:
    return topic.replace('{camera}', camera) if '{camera}' in topic else f'{camera}/{topic}'


def _rviz(given: dict[str, str]) -> Node:
    frame = given['fixed_frame']
    node = _absolute(given['name'], given['namespace'])
    topic = given['image']
    if cameras := _cameras(given):  # of several, RViz shows the first
        node, topic = f'{node}/{cameras[0]}', _of_camera(topic, cameras[0])
    image = _absolute(topic, given['namespace'])
    return Node(
        package='rviz2',
        executable='rviz2',
        name='rviz',
        arguments=['-d', given['rviz_config'], *(['-f', frame] if frame else [])],
        parameters=[_sim_time(given)],
        remappings=[
            *((f'{RVIZ_NODE}/{topic}', f'{node}/{topic}') for topic in RVIZ_OUTPUTS),
            *([] if image.endswith('/compressed') else [(RVIZ_IMAGE, image)]),
            (RVIZ_TRUTH, f'{_beside(image)}/ground_truth_markers'),
        ],
    )


def _beside(image: str) -> str:
    """Return the namespace of a camera's topics from that of its images."""
    return image.removesuffix('/compressed').rpartition('/')[0]


def _given_parameters(given: dict[str, str]) -> dict[str, ParameterValue | list[str] | bool]:
    # A string is to stay one, also where it looks like a number.
    parameters: dict[str, ParameterValue | list[str] | bool] = {
        name: ParameterValue(given[name], value_type=str) for name in PARAMETERS if given[name]
    }
    if cameras := _cameras(given):
        parameters['cameras'] = cameras
    return {**parameters, **_sim_time(given)}


def _sim_time(given: dict[str, str]) -> dict[str, bool]:
    return {'use_sim_time': given['use_sim_time'] == 'true'} if given['use_sim_time'] else {}


def _absolute(name: str, namespace: str) -> str:
    """Return a name as the node resolves it, with all its namespaces."""
    if name.startswith('/'):
        return name
    return '/' + '/'.join(part for part in (namespace.strip('/'), name) if part)
