import time

import pytest

pytest.importorskip('rclpy')

from std_msgs.msg import Header

from smoke_ros.ros.qos import LATCHED
from smoke_ros.ros.spinning import spinning_node


def wait_until(condition, timeout_s=20.0):
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_callbacks_run_beside_the_main_thread(ros_domain):
    heard = []
    with spinning_node('listener') as (node, check):
        node.create_subscription(Header, '/words', heard.append, LATCHED)
        node.create_publisher(Header, '/words', LATCHED).publish(Header(frame_id='hello'))
        assert wait_until(lambda: heard)
        check()
    assert heard == [Header(frame_id='hello')]


def test_an_error_of_a_callback_reaches_the_main_thread(ros_domain):
    def fail():
        raise OSError('no space left')

    def failed(check):
        try:
            check()
        except OSError as error:
            return str(error) == 'no space left'
        return False

    with spinning_node('listener') as (node, check):
        node.create_timer(0.01, fail)
        assert wait_until(lambda: failed(check))
