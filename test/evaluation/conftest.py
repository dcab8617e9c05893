"""Labelled objects and detections for tests of the evaluation."""

import pytest

from smoke_ros.data.kitti import KittiObject


@pytest.fixture
def make_object():
    """Return a function that makes an object whose box in the image moves with x."""

    def make(class_name='Car', x=0.0, z=20.0, score=None, **changes):
        values = {
            'location': (x, 1.0, z),
            'dimensions': (4.0, 1.5, 1.6),
            'rotation_y': 0.0,
            'class_name': class_name,
            'truncation': 0.0,
            'occlusion': 0,
            'observation_angle': 0.0,
            'bbox_xyxy_px': (600.0 + 30.0 * x, 100.0, 700.0 + 30.0 * x, 160.0),
            'score': score,
        }
        return KittiObject(**{**values, **changes})

    return make
