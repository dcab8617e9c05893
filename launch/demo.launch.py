"""Play a bag into the node and look at the result in RViz.

::

    ros2 launch smoke_ros demo.launch.py

Without arguments that is the rendered drive that comes with smoke_ros; model:=NAME chooses what
looks at it.
The bag starts when the node is ready. Everything stops when the node or RViz ends, and where RViz
is off, when the bag does.
"""

from pathlib import Path

from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.ros_adapters import get_ros_node
from launch_ros.substitutions import FindPackageShare
from rclpy.qos import DurabilityPolicy, QoSProfile
from vision_msgs.msg import VisionInfo

from launch import Event, EventHandler, LaunchContext, LaunchDescription


class NodeIsActive(Event):
    """The node is ready for images."""


def generate_launch_description() -> LaunchDescription:
    """Start the node and RViz, then the bag."""
    smoke = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(Path(__file__).with_name('smoke.launch.py'))),
        launch_arguments={'use_sim_time': 'true'}.items(),
    )
    return LaunchDescription(
        [
            *_arguments(),
            OpaqueFunction(function=_play_when_active),
            smoke,
            # After smoke, which declares the node's name and namespace.
            OpaqueFunction(function=_tell_when_active),
        ]
    )


def _arguments() -> list[DeclareLaunchArgument]:
    return [
        DeclareLaunchArgument(
            'bag',
            default_value=PathJoinSubstitution(
                [FindPackageShare('smoke_ros'), 'models', 'demo_drive']
            ),
            description='bag with images and camera infos',
        ),
        DeclareLaunchArgument(
            'loop', default_value='false', choices=['true', 'false'],
            description='whether to play the bag again and again',
        ),
        DeclareLaunchArgument(
            'rate', default_value='', description='how fast to play; empty: as it was recorded'
        ),
        DeclareLaunchArgument(
            'image', default_value='/camera_2/image_rect/compressed',
            description='topic with the images',
        ),
        DeclareLaunchArgument(
            'image_transport', default_value='compressed', choices=['raw', 'compressed'],
            description='whether the images are Image or CompressedImage',
        ),
        DeclareLaunchArgument(
            'camera_info', default_value='/camera_2/camera_info',
            description='topic with the camera infos',
        ),
        DeclareLaunchArgument(
            'rviz', default_value='true', choices=['true', 'false'],
            description='whether to start RViz',
        ),
    ]  # fmt: skip


def _play_when_active(context: LaunchContext) -> list[RegisterEventHandler]:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    # --clock takes a number where one follows, hence it stands last.
    player = ExecuteProcess(
        cmd=[
            'ros2', 'bag', 'play', value('bag'),
            *(['--loop'] if value('loop') == 'true' else []),
            *(['--rate', value('rate')] if value('rate') else []),
            '--clock',
        ],
        output='screen',
    )  # fmt: skip

    def stop(event: ProcessExited, context: LaunchContext) -> Shutdown | None:
        has_more_to_show = event.action is player and value('rviz') == 'true'
        if context.is_shutdown or has_more_to_show:
            return None
        return Shutdown(reason=f'{event.process_name} has ended')

    return [
        RegisterEventHandler(
            EventHandler(
                matcher=lambda event: isinstance(event, NodeIsActive),
                entities=[player],
                handle_once=True,
            )
        ),
        RegisterEventHandler(OnProcessExit(on_exit=stop)),
    ]


def _tell_when_active(context: LaunchContext) -> None:
    """Emit NodeIsActive when the node does: it publishes vision_info then, to latecomers too."""
    names = (LaunchConfiguration(name).perform(context) for name in ('namespace', 'name'))
    topic = '/'.join(['', *(name.strip('/') for name in names if name), 'vision_info'])

    def tell(_: VisionInfo) -> None:  # in the thread of launch's own node
        context.asyncio_loop.call_soon_threadsafe(context.emit_event_sync, NodeIsActive())

    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    get_ros_node(context).create_subscription(VisionInfo, topic, tell, latched)
