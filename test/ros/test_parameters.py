import dataclasses
from pathlib import Path

import pytest
import yaml

pytest.importorskip('rclpy')

import rclpy
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from smoke_ros.config.detector import DetectorConfig
from smoke_ros.config.error_model import ErrorModel
from smoke_ros.config.node import NodeConfig
from smoke_ros.ros.node import SmokeNode
from smoke_ros.ros.parameter_files import read_parameters
from smoke_ros.ros.parameters import OWNERS, Settings, describe

LIVE = {'score_threshold', 'class_thresholds', 'max_detections', 'classes'}
CONFIG = Path(__file__).parents[2] / 'config' / 'smoke.yaml'


def refusal(values):
    with pytest.raises(ValueError) as caught:
        Settings.from_values(values)
    message = str(caught.value)
    assert '\n' not in message
    return message


@pytest.mark.parametrize(
    ('values', 'words'),
    [
        ({'score_threshold': 1.5}, 'score_threshold must be 0 to 1, got 1.5'),
        ({'score_threshold': 'high'}, "score_threshold must be of type float, got 'high'"),
        ({'score_threshold': float('nan')}, 'score_threshold must be finite, got nan'),
        ({'max_detections': 0}, 'max_detections must be 1 to 1000, got 0'),
        ({'max_detections': 5.0}, 'max_detections must be of type int, got 5.0'),
        ({'focal_correction': 'yes'}, "focal_correction must be one of 'depth', 'image', 'none'"),
        ({'device': 'gpu'}, "device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got 'gpu'"),
        ({'device': 'cuda:x'}, "got 'cuda:x'"),
        ({'model': ''}, 'model must be the name of a model or the path'),
        ({'model': 5}, 'model must be of type str, got 5'),
        ({'autostart': 'yes'}, "autostart must be of type bool, got 'yes'"),
        ({'torch_threads': -1}, 'torch_threads must be 0 to 1024, got -1'),
        ({'image_transport': 'theora'}, "image_transport must be one of 'raw', 'compressed'"),
        ({'qos_reliability': 'best'}, "qos_reliability must be one of 'best_effort', 'reliable'"),
        ({'qos_durability': 'x'}, "qos_durability must be one of 'volatile', 'transient_local'"),
        ({'qos_depth': 0}, 'qos_depth must be 1 to 1000, got 0'),
        ({'sync': 'nearest'}, "sync must be one of 'exact', 'approximate', 'latest'"),
        ({'sync_slop': 0.0}, 'sync_slop must be 0.0001 to 10 s, got 0.0'),
        ({'rectification': True}, 'rectification must be of type str, got True'),
        ({'classes': []}, "classes must be class names or ['all'], got []"),
        ({'classes': 'Car'}, "classes must be a list, such as [Car], got 'Car'"),
        ({'score_treshold': 0.5}, "unknown parameter 'score_treshold', did you mean 'score_thr"),
        ({'zzz': 1}, "unknown parameter 'zzz'; known are autostart, model,"),
    ],
)
def test_wrong_values_are_refused_in_one_sentence(values, words):
    assert words in refusal(values)


def test_whole_numbers_are_taken_for_fractions():
    assert Settings.from_values({'score_threshold': 1}).detector.score_threshold == 1.0


def test_every_option_is_a_parameter_with_its_default():
    parts = (NodeConfig(), DetectorConfig(), ErrorModel())
    defaults = {name: value for part in parts for name, value in dataclasses.asdict(part).items()}
    assert Settings().values() == defaults
    assert set(OWNERS) == set(defaults)


def test_selected_classes():
    known = ('Car', 'Cyclist')
    assert NodeConfig().selected(known) == {'Car', 'Cyclist'}
    assert NodeConfig(classes=('Car',)).selected(known) == {'Car'}
    with pytest.raises(ValueError, match="of Car, Cyclist or 'all', got Tram"):
        NodeConfig(classes=('Tram', 'Car')).selected(known)


def test_descriptors(ros_context):
    node = SmokeNode()
    try:
        for name, owner in OWNERS.items():
            descriptor: ParameterDescriptor = node.describe_parameter(name)
            assert descriptor.description, name
            assert descriptor.read_only is (name not in LIVE), name
            assert not descriptor.dynamic_typing
            default = getattr(owner(), name)
            value = node.get_parameter(name).value
            assert (tuple(value) if isinstance(default, tuple) else value) == default
        (bounds,) = node.describe_parameter('score_threshold').floating_point_range
        assert (bounds.from_value, bounds.to_value) == (0.0, 1.0)
        (bounds,) = node.describe_parameter('qos_depth').integer_range
        assert (bounds.from_value, bounds.to_value) == (1, 1000)
        assert "'compressed'" in node.describe_parameter('image_transport').additional_constraints
    finally:
        node.destroy_node()


def test_units_are_in_the_description():
    field = next(f for f in dataclasses.fields(NodeConfig) if f.name == 'sync_slop')
    assert describe(field.metadata['info'], 0.1).description.endswith('[s]')


def test_a_wrong_start_value_raises(ros_context):
    with pytest.raises(ValueError, match='score_threshold must be 0 to 1, got 7'):
        SmokeNode(parameter_overrides=[Parameter('score_threshold', value=7.0)])
    with pytest.raises(ValueError, match="unknown parameter 'modle', did you mean 'model'"):
        SmokeNode(parameter_overrides=[Parameter('modle', value='random')])


def test_an_empty_list_is_named(ros_context):
    """As YAML has it, it has no type, which rclpy refuses without a name."""
    with pytest.raises(ValueError, match='parameters: classes must have a value, got an empty'):
        SmokeNode(
            parameter_overrides=[Parameter('classes', Parameter.Type.NOT_SET)],
            load_detector=lambda *_, **__: pytest.fail('was loaded'),
        )


def test_the_parameter_file_holds_the_defaults():
    (section,) = yaml.safe_load(CONFIG.read_text(encoding='utf-8')).values()
    values = section['ros__parameters']
    assert Settings.from_values(values) == Settings()
    assert set(values) == set(OWNERS)


def set_parameter(bench, name, value):
    (result,) = bench.node.set_parameters([Parameter(name, value=value)])
    return result


def test_live_parameters_apply_to_the_next_frame(start_node):
    bench = start_node()
    bench.connect()
    assert len(bench.answer(1.0).detections) == 2
    assert set_parameter(bench, 'score_threshold', 0.7).successful
    assert len(bench.answer(2.0).detections) == 1
    assert set_parameter(bench, 'class_thresholds', ['Pedestrian=0.5']).successful
    assert len(bench.answer(2.5).detections) == 2
    assert set_parameter(bench, 'class_thresholds', ['']).successful
    assert set_parameter(bench, 'score_threshold', 0.1).successful
    assert set_parameter(bench, 'classes', ['Pedestrian']).successful
    (found,) = bench.answer(3.0).detections
    assert found.results[0].hypothesis.class_id == 'Pedestrian'
    assert set_parameter(bench, 'classes', ['all']).successful
    assert set_parameter(bench, 'max_detections', 1).successful
    (found,) = bench.answer(4.0).detections
    assert found.results[0].hypothesis.class_id == 'Car'


@pytest.mark.parametrize(
    ('name', 'value', 'words'),
    [
        ('classes', ['Tram'], "classes must be of Car, Cyclist, Pedestrian or 'all', got Tram"),
        ('score_threshold', 1.5, 'score_threshold'),
        ('score_threshold', 'high', 'DOUBLE'),
        ('class_thresholds', ['Tram=0.3'], 'class_thresholds must be of Car, Cyclist, Pedestrian'),
        ('class_thresholds', ['Car=high'], 'class_thresholds must be CLASS=SCORE'),
        ('max_detections', 0, 'max_detections'),
        ('model', 'random', 'read-only'),
        ('sync', 'latest', 'read-only'),
    ],
)
def test_wrong_live_values_are_refused_with_a_reason(start_node, name, value, words):
    bench = start_node()
    before = bench.node.get_parameter(name).value
    result = set_parameter(bench, name, value)
    assert not result.successful
    assert words in result.reason
    assert bench.node.get_parameter(name).value == before


def test_a_class_that_the_model_lacks_ends_the_configuration(start_node):
    bench = start_node(activate=False, classes=['Tram'])
    assert not bench.node.start()
    assert bench.log.has('error', 'classes must be of Car, Cyclist, Pedestrian')


@pytest.mark.parametrize(
    ('section', 'is_found'),
    [
        ('/**', True), ('smoke_node', True), ('/smoke_node', True), ('/*', True),
        ('/**/smoke_node', True), ('/rig/smoke_node', False), ('/*/smoke_node', False),
        ('front', False), ('smoke_nod(', False),
    ],
)  # fmt: skip
def test_sections_of_a_file_are_found_as_ros_finds_them(tmp_path, ros_domain, section, is_found):
    file = tmp_path / 'node.yaml'
    file.write_text(f'{section}: {{ros__parameters: {{score_threshold: 0.7}}}}\n')
    if is_found:
        assert read_parameters(file, '/smoke_node') == {'score_threshold': 0.7}
    else:
        with pytest.raises(ValueError, match='expected parameters of /smoke_node, or of'):
            read_parameters(file, '/smoke_node')
    if '(' in section:
        return  # no name to ROS
    arguments = ['--ros-args', '--params-file', str(file)]
    context = Context()
    rclpy.init(context=context, args=arguments)
    node = Node(
        'smoke_node', context=context, automatically_declare_parameters_from_overrides=True
    )
    assert node.has_parameter('score_threshold') == is_found
    node.destroy_node()
    context.shutdown()


@pytest.mark.parametrize('order', [('/**', 'smoke_node'), ('smoke_node', '/**')])
def test_the_last_section_counts_as_in_ros(tmp_path, ros_domain, order):
    file = tmp_path / 'node.yaml'
    values = zip(order, (0.3, 0.7), strict=True)
    file.write_text(''.join(
        f'{name}: {{ros__parameters: {{score_threshold: {value}}}}}\n' for name, value in values
    ))  # fmt: skip
    context = Context()
    rclpy.init(context=context, args=['--ros-args', '--params-file', str(file)])
    node = Node(
        'smoke_node', context=context, automatically_declare_parameters_from_overrides=True
    )
    taken = node.get_parameter('score_threshold').value
    node.destroy_node()
    context.shutdown()
    assert (
        read_parameters(file, '/smoke_node')
        == {'score_threshold': taken}
        == {'score_threshold': 0.7}
    )
