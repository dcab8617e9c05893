"""What the node needs of ROS besides messages: a managed node, simulated time, the ament index."""

from pathlib import Path

import pytest

pytest.importorskip('rclpy')

import rclpy
from ament_index_python.packages import get_package_share_directory
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock

ROOT = Path(__file__).resolve().parents[2]


class Managed(LifecycleNode):
    def on_configure(self, state):
        return TransitionCallbackReturn.SUCCESS


def test_a_managed_node_is_configured_by_another(ros_context, spin_until):
    node, client = Managed('managed'), rclpy.create_node('client')
    change = client.create_client(ChangeState, 'managed/change_state')
    ask = client.create_client(GetState, 'managed/get_state')
    assert spin_until(change.service_is_ready, node, client)
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
    changed = change.call_async(request)
    assert spin_until(changed.done, node, client)
    assert changed.result().success
    assert spin_until(ask.service_is_ready, node, client)
    answer = ask.call_async(GetState.Request())
    assert spin_until(answer.done, node, client)
    assert answer.result().current_state.id == State.PRIMARY_STATE_INACTIVE
    node.destroy_node()
    client.destroy_node()


def test_a_node_follows_simulated_time(ros_context, spin_until):
    simulated = [Parameter('use_sim_time', value=True)]
    node = rclpy.create_node('node', parameter_overrides=simulated)
    clock = node.create_publisher(Clock, '/clock', 1)
    message = Clock()
    message.clock.sec = 42

    def has_come():
        clock.publish(message)
        return node.get_clock().now().nanoseconds == 42 * 10**9

    assert spin_until(has_come, node)
    node.destroy_node()


def test_the_ament_index_finds_this_package_and_its_launch_files():
    share = Path(get_package_share_directory('smoke_ros'))
    assert (share / 'package.xml').read_text() == (ROOT / 'package.xml').read_text()
    assert {path.name for path in (share / 'launch').glob('*.launch.py')} == {
        path.name for path in (ROOT / 'launch').glob('*.launch.py')
    }
