import pytest

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from smoke_ros.ros import node_interface
from smoke_ros.ros.node_interface import NodeStatus, read_status


def status(level, message, **values):
    pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
    return DiagnosticStatus(level=level, message=message, values=pairs)


def test_the_nodes_status_is_found_among_those_of_others():
    others = status(DiagnosticStatus.ERROR, 'too hot', temperature='90')
    ours = status(DiagnosticStatus.WARN, 'no image', frames_in='0', state='active')
    expected = NodeStatus(DiagnosticStatus.WARN, 'no image', {'frames_in': '0', 'state': 'active'})
    assert read_status(DiagnosticArray(status=[others, ours])) == expected
    assert read_status(DiagnosticArray(status=[others])) is None
    assert read_status(DiagnosticArray()) is None


def test_the_topics_are_those_that_the_node_has(start_node):
    # What the node itself holds: the graph would answer for any node of that name, and later.
    topics = {publisher.topic_name for publisher in start_node().node.publishers}
    assert {
        node_interface.DETECTIONS,
        node_interface.MARKERS,
        node_interface.VISION_INFO,
        node_interface.LABEL_INFO,
        node_interface.DIAGNOSTICS,
    } <= topics
