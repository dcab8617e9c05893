from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'config' / 'smoke.rviz'


DISPLAYED_TYPES = {
    'rviz_default_plugins/MarkerArray': 'visualization_msgs/msg/MarkerArray',
    'rviz_default_plugins/Image': 'sensor_msgs/msg/Image',
}


def displays():
    config = yaml.safe_load(CONFIG.read_text())
    return {
        display['Topic']['Value']: display
        for display in config['Visualization Manager']['Displays']
        if 'Topic' in display
    }


def launch_constants():
    """Return what the launch file says of the topics, without launch being installed."""
    text = (ROOT / 'launch' / 'smoke.launch.py').read_text()
    names = ('RVIZ_NODE', 'RVIZ_OUTPUTS', 'RVIZ_IMAGE', 'RVIZ_TRUTH')
    lines = [line for line in text.splitlines() if line.startswith(names)]
    constants = {}
    exec('\n'.join(lines), constants)
    return [constants[name] for name in names]


def test_every_topic_is_renamed_by_the_launch_file():
    node, outputs, image, truth = launch_constants()
    assert set(displays()) == {image, truth, *(f'{node}/{topic}' for topic in outputs)}


def test_what_is_shown_needs_no_tf():
    config = yaml.safe_load(CONFIG.read_text())['Visualization Manager']
    for display in config['Displays']:
        assert display.get('Reference Frame', '<Fixed Frame>') == '<Fixed Frame>'
    assert config['Views']['Current']['Target Frame'] == '<Fixed Frame>'


def test_topics_and_their_quality_of_service_are_the_nodes(start_node):
    from rclpy.qos import ReliabilityPolicy

    node = start_node().node
    shown = displays()
    del shown['/smoke_node/ground_truth_markers']  # a bag's
    for topic in shown:
        if not topic.startswith(f'/{node.get_name()}/'):
            assert topic == node.resolve_topic_name('image')
            continue
        (publisher,) = node.get_publishers_info_by_topic(topic)
        assert publisher.topic_type == DISPLAYED_TYPES[shown[topic]['Class']]
        wants_all = shown[topic]['Topic']['Reliability Policy'] == 'Reliable'
        offers_all = publisher.qos_profile.reliability == ReliabilityPolicy.RELIABLE
        assert offers_all or not wants_all


def test_the_markers_namespaces_are_the_nodes():
    from smoke_ros.ros.markers import NAMESPACES, TRUTH_NAMESPACE

    markers, truth = (
        displays()[f'/smoke_node/{name}'] for name in ('markers', 'ground_truth_markers')
    )
    assert set(markers['Namespaces']) == set(NAMESPACES)
    assert set(truth['Namespaces']) == {TRUTH_NAMESPACE}
