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
    bench = start_node()
    node = bench.node
    wanted = {
        node_interface.DETECTIONS,
        node_interface.MARKERS,
        node_interface.VISION_INFO,
        node_interface.LABEL_INFO,
        node_interface.DIAGNOSTICS,
    }

    def are_there():
        names = node.get_publisher_names_and_types_by_node(node.get_name(), '/')
        return wanted <= {name for name, _ in names}

    assert bench.wait(are_there)  # the graph learns of a node's own topics a little later
