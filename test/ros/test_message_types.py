import json
from pathlib import Path

import pytest

pytest.importorskip('rclpy')

from ament_index_python.packages import get_package_share_directory
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import ParameterDescriptor
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from vision_msgs.msg import Detection3DArray, LabelInfo, VisionInfo
from visualization_msgs.msg import MarkerArray

from smoke_ros.ros.message_types import describe, message_class, msg_text, type_name

DETECTIONS_HASH = 'RIHS01_793f5eab9595ac1c0da07873cc859db42eae51f0ee76056db8562515d830e018'

TYPES = [
    Image, CompressedImage, CameraInfo, Detection3DArray, MarkerArray, VisionInfo, LabelInfo,
    DiagnosticArray, JointState, ParameterDescriptor,
]  # fmt: skip


def test_names_lead_to_classes_and_back():
    assert type_name(Image) == 'sensor_msgs/msg/Image'
    assert message_class('sensor_msgs/msg/Image') is Image


@pytest.mark.parametrize(
    'name', ['absent_msgs/msg/Image', 'sensor_msgs/msg/Absent', 'Image', '', 'sensor_msgs/Image']
)
def test_a_type_that_is_not_installed_is_named(name):
    with pytest.raises(ValueError, match=f"no message type '{name}'.*installed"):
        message_class(name)


@pytest.mark.parametrize('cls', TYPES, ids=type_name)
def test_hashes_are_those_that_rosidl_made(cls):
    name = type_name(cls)
    package, _, kind = name.split('/')
    path = Path(get_package_share_directory(package), 'msg', f'{kind}.json')
    if not path.exists():
        pytest.skip(f'the installed {package} comes without its hashes')
    hashes = json.loads(path.read_text())['type_hashes']
    expected = {entry['type_name']: entry['hash_string'] for entry in hashes}
    assert describe(cls).hash == expected[name]


def test_the_hash_of_detections_is_the_released_packages():
    assert describe(Detection3DArray).hash == DETECTIONS_HASH


def test_every_kind_of_field_is_spelt_as_in_msg_files():
    lines = msg_text(CameraInfo).splitlines() + msg_text(ParameterDescriptor).splitlines()
    for line in (
        'std_msgs/Header header', 'uint32 height', 'float64[] d', 'float64[9] k', 'bool read_only',
        'rcl_interfaces/FloatingPointRange[<=1] floating_point_range',
    ):  # fmt: skip
        assert line in lines


def test_a_definition_has_those_of_its_parts_behind():
    definition = describe(Detection3DArray).definition
    assert definition.startswith('std_msgs/Header header\nvision_msgs/Detection3D[] detections\n')
    for part in ('builtin_interfaces/Time', 'vision_msgs/BoundingBox3D', 'geometry_msgs/Point'):
        assert f'MSG: {part}\n' in definition
