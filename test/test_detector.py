"""The detector around a network that is told what to say."""

import contextlib
import dataclasses
import logging
import math

import cv2
import numpy as np
import pytest
import torch
from label_network import DEPTH_ERROR, encode_boxes, label_model

from smoke_ros import coder
from smoke_ros.checkpoint import TrainingRecord
from smoke_ros.config.detector import DetectorConfig
from smoke_ros.config.model import ModelConfig
from smoke_ros.data.box_records import detection_from_record, detection_record
from smoke_ros.detector import Detector
from smoke_ros.models import LoadedModel
from smoke_ros.network.smoke import build_network
from smoke_ros.preprocess import InputGeometry, undistortion_maps
from smoke_ros.structures import Box3D, CameraModel

KITTI_K = np.array([[721.5377, 0, 609.5593], [0, 721.5377, 172.854], [0, 0, 1]])
CAR = Box3D((2.0, 1.0, 20.0), (3.9, 1.5, 1.6), -1.2)
FAR = Box3D((-6.0, 0.8, 45.0), (4.2, 1.6, 1.7), 2.9)
WALKER = Box3D((-3.0, 0.9, 12.0), (0.8, 1.8, 0.6), 0.3)
SCENE = [('Car', 0.9, CAR), ('Car', 0.6, FAR), ('Pedestrian', 0.4, WALKER)]


def make_camera(scale=1.0, size=(1242, 375), **kwargs):
    K = np.diag([scale, scale, 1.0]) @ KITTI_K
    K[:2, 2] = (size[0] / 2, size[1] / 2 - 10)
    return CameraModel(K, *size, **kwargs)


def make_detector(camera, boxes=SCENE, config=None, depth_scale=1.0, model=None):
    model = model or ModelConfig()
    geometry = InputGeometry.centred(
        (camera.width, camera.height), (model.input_width, model.input_height)
    )
    maps = encode_boxes(model, camera, geometry, boxes, depth_scale)
    return Detector(label_model(*maps, model), config=config)


def blank(camera):
    return np.zeros((camera.height, camera.width, 3), np.uint8)


def assert_same_box(found, expected):
    np.testing.assert_allclose(found.location, expected.location, atol=1e-4)
    np.testing.assert_allclose(found.dimensions, expected.dimensions, atol=1e-5)
    assert math.cos(found.rotation_y - expected.rotation_y) == pytest.approx(1.0, abs=1e-9)


def test_boxes_come_out_as_they_were_encoded_best_first():
    camera = make_camera()
    found = make_detector(camera).detect(blank(camera), camera)
    assert [(d.class_name, pytest.approx(d.score)) for d in found] == [
        (name, score) for name, score, _ in SCENE
    ]
    for detection, (_, _, box) in zip(found, SCENE, strict=True):
        assert_same_box(detection, box)


def test_the_2d_box_is_the_extent_of_the_projected_corners():
    camera = make_camera()
    car = make_detector(camera).detect(blank(camera), camera)[0]
    corners = camera.project(CAR.corners())
    expected = (*corners.min(axis=0), *corners.max(axis=0))
    np.testing.assert_allclose(car.bbox_xyxy_px, expected, atol=0.05)


@pytest.mark.parametrize('image_size', [(1242, 375), (1920, 1080), (640, 480), (500, 900)])
def test_any_image_size_and_aspect(image_size):
    scale = image_size[0] / 1242
    camera = make_camera(scale, image_size)
    found = make_detector(camera).detect(blank(camera), camera)
    assert_same_box(found[0], CAR)


@pytest.mark.parametrize(
    ('call', 'names'),
    [
        ({'score_threshold': 0.5}, ['Car', 'Car']),
        ({'score_threshold': 0.95}, []),
        ({'score_threshold': {'Pedestrian': 0.95, 'Car': 0.5}}, ['Car', 'Car']),
        ({'max_detections': 1}, ['Car']),
        ({'classes': ['Pedestrian']}, ['Pedestrian']),
        ({'classes': []}, []),
    ],
)
def test_a_call_may_override_the_configuration(call, names):
    camera = make_camera()
    found = make_detector(camera).detect(blank(camera), camera, **call)
    assert [d.class_name for d in found] == names


@pytest.mark.parametrize(
    ('call', 'words'),
    [
        ({'score_threshold': 25.0}, 'score_threshold must be 0 to 1'),
        ({'score_threshold': float('nan')}, 'score_threshold must be 0 to 1, got nan'),
        ({'score_threshold': {'Car': 1.5}}, 'score_threshold must be 0 to 1, got 1.5'),
        ({'score_threshold': {'Bus': 0.5}}, 'score_threshold must be of Car, .* got Bus'),
        ({'score_threshold': '0.3'}, "score_threshold must be 0 to 1, got '0.3'"),
        ({'max_detections': 0}, 'max_detections must be at least 1'),
        ({'max_detections': 2.5}, 'max_detections must be at least 1 and whole, got 2.5'),
        ({'classes': ['Car', 'Bus']}, 'classes must be of Car, Cyclist, Pedestrian, got Bus'),
    ],
)
def test_a_call_that_could_find_nothing_by_mistake_is_refused(call, words):
    camera = make_camera()
    with pytest.raises(ValueError, match=words):
        make_detector(camera).detect(blank(camera), camera, **call)


def test_a_class_may_have_its_own_threshold():
    camera = make_camera()
    for texts, names in (
        (('',), ['Car', 'Car', 'Pedestrian']),
        (('Car=0.85',), ['Car', 'Pedestrian']),
        (('Pedestrian=1', 'Car=0.3'), ['Car', 'Car']),
    ):
        config = DetectorConfig(class_thresholds=texts)
        found = make_detector(camera, config=config).detect(blank(camera), camera)
        assert [each.class_name for each in found] == names
        # A call's own threshold replaces those, too.
        again = make_detector(camera, config=config).detect(blank(camera), camera, 0.3)
        assert len(again) == 3
    with pytest.raises(ValueError, match=r'class_thresholds must be of Car, .* got Bus'):
        make_detector(camera, config=DetectorConfig(class_thresholds=('Bus=0.3',)))


@pytest.mark.parametrize('texts', [('Car',), ('=0.3',), ('Car=2',), ('Car=x',), ('Car=nan',),
                                   ('Car=0.3', 'Car=0.4')])  # fmt: skip
def test_thresholds_of_classes_that_are_none_are_refused(texts):
    with pytest.raises(ValueError, match='class_thresholds must be CLASS=SCORE'):
        DetectorConfig(class_thresholds=texts)


#: The same car again, half a metre off; and one half hidden behind the first.
AGAIN = Box3D((2.4, 1.0, 20.5), (3.9, 1.5, 1.6), -1.2)
BEHIND = Box3D((3.6, 1.0, 26.0), (3.9, 1.5, 1.6), -1.2)


@pytest.mark.parametrize(('again', 'most_overlap', 'scores'), [
    ('Car', 1.0, [0.9, 0.5, 0.3]), ('Car', 0.7, [0.9, 0.3]), ('Cyclist', 0.7, [0.9, 0.3]),
    ('Car', 0.0, [0.9]),
])  # fmt: skip
def test_what_is_found_twice_is_told_once(again, most_overlap, scores):
    camera = make_camera()
    boxes = [('Car', 0.9, CAR), (again, 0.5, AGAIN), ('Car', 0.3, BEHIND)]
    model = ModelConfig(duplicate_overlap=most_overlap)
    found = make_detector(camera, boxes, model=model).detect(blank(camera), camera)
    assert [d.score for d in found] == pytest.approx(scores)


@pytest.mark.parametrize(('again', 'most_overlaps', 'scores'), [
    ('Car', (0.7, 1.0, 1.0), [0.9, 0.3]), ('Car', (1.0, 0.7, 0.7), [0.9, 0.5, 0.3]),
    # Of two classes the larger counts.
    ('Cyclist', (0.7, 1.0, 1.0), [0.9, 0.5, 0.3]), ('Cyclist', (0.7, 0.6, 1.0), [0.9, 0.3]),
])  # fmt: skip
def test_each_class_may_have_its_own_overlap(again, most_overlaps, scores):
    camera = make_camera()
    boxes = [('Car', 0.9, CAR), (again, 0.5, AGAIN), ('Car', 0.3, BEHIND)]
    model = ModelConfig(duplicate_overlap=0.0, duplicate_overlaps=most_overlaps)
    found = make_detector(camera, boxes, model=model).detect(blank(camera), camera)
    assert [d.score for d in found] == pytest.approx(scores)


@pytest.mark.parametrize(
    'overlaps', [(0.5,), (0.5, 0.6, 1.2), (0.5, 0.6, float('nan')), (0.5, 0.6, 'x')]
)
def test_overlaps_that_fit_no_classes_are_refused(overlaps):
    with pytest.raises(ValueError, match='one overlap from 0 to 1 for each of the 3 classes'):
        ModelConfig(duplicate_overlaps=overlaps)


def test_a_class_that_is_not_asked_for_still_explains_what_is_seen():
    camera = make_camera()
    boxes = [('Car', 0.9, CAR), ('Cyclist', 0.5, AGAIN)]
    detector = make_detector(camera, boxes, model=ModelConfig(duplicate_overlap=0.7))
    assert detector.detect(blank(camera), camera, classes=['Cyclist']) == []


def test_scores_count_how_likely_a_depth_is_right():
    camera = make_camera()
    far = Box3D((6.0, 1.0, 60.0), (3.9, 1.5, 1.6), -1.2)
    boxes = [('Car', 0.9, far), ('Car', 0.8, CAR)]
    model = ModelConfig(score_tolerance=2.0, depth_error=0.05)
    detector = make_detector(camera, boxes, model=model)
    found = detector.detect(blank(camera), camera)
    # 20 m away it is off by 1 m in the mean, 60 m away by 3.
    expected = [0.8 * (1 - np.exp(-2.0)), 0.9 * (1 - np.exp(-2.0 / 3.0))]
    assert [d.score for d in found] == pytest.approx(expected, abs=1e-3)
    assert_same_box(found[0], CAR)
    assert_same_box(found[1], far)
    (only,) = detector.detect(blank(camera), camera, score_threshold=0.5)
    assert only == found[0]
    assert detector.detect(blank(camera), camera, max_detections=1) == [found[0]]
    assert found[0].depth_error is None


def test_a_network_may_say_how_far_off_a_depth_may_be():
    camera = make_camera()
    model = ModelConfig(depth_spread=True, score_tolerance=2.0)
    detector = make_detector(camera, [('Car', 0.8, CAR)], model=model)
    (found,) = detector.detect(blank(camera), camera)
    assert found.depth_error == pytest.approx(DEPTH_ERROR, rel=1e-3)
    assert found.score == pytest.approx(0.8, abs=1e-3)
    record = detection_record(found)
    assert detection_from_record(record) == found
    assert 'depth_error' not in detection_record(dataclasses.replace(found, depth_error=None))


@pytest.mark.parametrize('spread', [np.nan, np.inf, 1000.0])
def test_a_depth_of_which_nothing_is_known_is_no_detection(spread):
    """Also where scores do not count it: what is published has a covariance made of it."""
    camera = make_camera()
    model = ModelConfig(depth_spread=True)
    geometry = InputGeometry.centred(
        (camera.width, camera.height), (model.input_width, model.input_height)
    )
    boxes = [('Car', 0.8, CAR), ('Car', 0.7, FAR)]
    heatmap, regression = encode_boxes(model, camera, geometry, boxes)
    channel = coder.RegressionLayout.from_config(model).depth_spread
    regression[:, channel][heatmap.amax(1, keepdim=True) == 0.7] = spread
    detector = Detector(label_model(heatmap, regression, model))
    found = detector.detect(blank(camera), camera)
    assert [d.score for d in found] == pytest.approx([0.8], abs=1e-3)


def test_single_equals_batched_also_where_cameras_differ():
    cameras = [make_camera(), make_camera(0.5, (640, 480)), make_camera(2.0, (1920, 1080))]
    detector = make_detector(cameras[0])
    images = [blank(camera) for camera in cameras]
    batched = detector.detect_batch(images, cameras)
    assert batched == [detector.detect(i, c) for i, c in zip(images, cameras, strict=True)]
    assert len(batched[0]) == 3


def test_a_real_network_gives_the_same_single_and_batched():
    model = ModelConfig(input_width=256, input_height=96)
    network = build_network(model)
    detector = Detector(LoadedModel('fresh', network, model, TrainingRecord(), ''))
    rng = np.random.default_rng(0)
    camera = make_camera(size=(320, 96))
    images = [rng.integers(0, 255, (96, 320, 3), dtype=np.uint8) for _ in range(2)]
    singles = [detector.network(detector.preprocess(i, camera)) for i in images]
    batch = detector.network(torch.cat([detector.preprocess(i, camera) for i in images]))
    for index, single in enumerate(singles):
        for alone, together in zip(single, batch, strict=True):
            torch.testing.assert_close(together[index], alone[0], atol=1e-4, rtol=0)


def test_a_batch_may_be_one_array():
    camera = make_camera()
    detector = make_detector(camera)
    images = np.stack([blank(camera)] * 2)
    assert detector.detect_batch(images, [camera] * 2) == [detector.detect(images[0], camera)] * 2


def test_nothing_in_nothing_out():
    detector = make_detector(make_camera())
    assert detector.detect_batch([], []) == []


@pytest.mark.parametrize('correction', ['depth', 'image'])
def test_half_the_focal_length_gives_the_same_depth(correction):
    """An object at z looks through half the focal length as the network's own at 2 z."""
    model = ModelConfig()
    camera = make_camera(0.5)
    looks_like = 2.0 if correction == 'depth' else 1.0
    detector = make_detector(
        camera, [('Car', 0.9, CAR)], DetectorConfig(focal_correction=correction)
    )
    setup = detector.camera_setup(camera)
    maps = encode_boxes(
        model, camera, setup.geometry, [('Car', 0.9, CAR)], depth_scale=1.0 / looks_like
    )
    detector.network = lambda _: maps
    found = detector.detect(blank(camera), camera)[0]
    # KITTI's principal point apart, the focal lengths have a ratio of exactly 2.
    assert found.location[2] == pytest.approx(CAR.location[2], rel=1e-4)
    np.testing.assert_allclose(found.location, CAR.location, atol=1e-2)


def test_within_the_tolerance_and_when_told_not_to_nothing_is_corrected():
    near, half = make_camera(1.015), make_camera(0.5)
    assert make_detector(near).camera_setup(near).depth_scale == 1.0
    off = make_detector(half, config=DetectorConfig(focal_correction='none'))
    assert off.camera_setup(half).depth_scale == 1.0
    assert make_detector(half).camera_setup(half).depth_scale == pytest.approx(0.5)


def test_correcting_the_image_brings_it_to_the_training_focal_length():
    camera = make_camera(0.8)
    detector = make_detector(camera, config=DetectorConfig(focal_correction='image'))
    setup = detector.camera_setup(camera)
    in_network = setup.geometry.scale * camera.K[0, 0]
    assert in_network == pytest.approx(detector.model.reference_focal_px)
    assert setup.depth_scale == 1.0


def test_without_a_threshold_only_peaks_are_found():
    model = ModelConfig()
    camera = make_camera()
    detector = make_detector(camera, [], model=model)
    # Of a slope only its top is a peak.
    slope = torch.linspace(0.1, 0.5, model.feature_height * model.feature_width)
    heatmap = slope.reshape(1, 1, model.feature_height, model.feature_width).repeat(1, 3, 1, 1)
    detector.network = lambda _: (heatmap, torch.zeros(1, 8, *heatmap.shape[2:]))
    found = detector.detect(blank(camera), camera, score_threshold=0.0)
    assert sorted(d.class_name for d in found) == sorted(model.classes)


def test_a_lost_field_of_view_is_warned_of_once(caplog):
    camera = make_camera(1.5, (1920, 1080))
    detector = make_detector(camera)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            detector.detect(blank(camera), camera)
    assert [r.message[:37] for r in caplog.records] == ['the network sees 53% of the 1920x1080']


def test_the_warning_of_a_lost_field_of_view_names_an_input_that_sees_all(caplog):
    camera = make_camera(1920 / 1242, (1920, 1080))
    detector = make_detector(camera)
    with caplog.at_level(logging.WARNING):
        detector.camera_setup(camera)
    assert 'With input_height 736 it would see all of it, in 1.9 times the time' in caplog.text
    model = dataclasses.replace(detector.model, input_height=736)
    # Below what the model's own input, 384 high, shows of it.
    low = Box3D((0.0, 4.5, 10.0), (3.9, 1.5, 1.6), -1.2)
    maps = encode_boxes(
        model, camera, InputGeometry.centred((1920, 1080), (1280, 736)), [('Car', 0.9, low)]
    )
    loaded = label_model(*maps, ModelConfig())
    caplog.clear()
    taller = Detector(loaded, config=DetectorConfig(input_height=736))
    assert taller.preprocess(blank(camera), camera).shape == (1, 3, 736, 1280)
    (found,) = taller.detect(blank(camera), camera)
    assert_same_box(found, low)
    assert taller.camera_setup(camera).visible_fraction == 1.0 and not caplog.records


def test_no_input_sees_all_of_what_undistortion_loses(caplog):
    K = np.array([[1000.0, 0, 960], [0, 1000, 540], [0, 0, 1]])
    camera = CameraModel(K, 1920, 1080, 'plumb_bob', (-0.3, 0.1, 0.0, 0.0, 0.0))
    loaded = label_model(*encode_boxes(ModelConfig(), camera, None, []))
    taller = Detector(loaded, config=DetectorConfig(input_height=736))
    assert taller.camera_setup(camera).visible_fraction < 0.95
    caplog.clear()
    Detector(loaded).camera_setup(camera)
    assert 'With input_height 736 it would see more of it, in 1.9 times' in caplog.text


def test_a_real_network_takes_an_input_of_another_size():
    model = ModelConfig(input_width=256, input_height=96)
    loaded = LoadedModel('fresh', build_network(model), model, TrainingRecord(), '')
    detector = Detector(loaded, config=DetectorConfig(input_height=160))
    camera = make_camera(size=(256, 160))
    heatmap, _ = detector.network(detector.preprocess(blank(camera), camera))
    assert heatmap.shape[2:] == (40, 64)


def test_an_input_must_be_of_whole_steps():
    with pytest.raises(ValueError, match='input_height must be a multiple of 32, got 400'):
        DetectorConfig(input_height=400)


def test_a_lost_field_of_view_is_not_warned_of_for_every_focal_length(caplog):
    cameras = [make_camera(1.5 + 1e-4 * step, (1920, 1080)) for step in range(4)]
    detector = make_detector(cameras[0])
    with caplog.at_level(logging.WARNING):
        for camera in cameras:
            detector.camera_setup(camera)
    assert len(caplog.records) == 1


def test_kittis_frame_is_not_warned_of(caplog):
    camera = make_camera()
    make_detector(camera).detect(blank(camera), camera)
    assert not caplog.records


def test_an_image_of_another_size_scales_the_camera_one_of_another_aspect_is_refused():
    camera = make_camera()
    detector = make_detector(camera)
    half = detector.detect(np.zeros((188, 621, 3), np.uint8), camera)
    np.testing.assert_allclose(half[0].location, CAR.location, rtol=0.01)
    with pytest.raises(ValueError, match=r'calibration is for 1242x375, the image is 640x480'):
        detector.detect(np.zeros((480, 640, 3), np.uint8), camera)


@pytest.mark.parametrize(
    ('image', 'error', 'message'),
    [
        (np.zeros((375, 1242), np.uint8), ValueError, r'\(height, width, 3\) uint8'),
        (np.zeros((375, 1242, 3), np.float32), ValueError, 'float32'),
        (np.zeros((0, 1242, 3), np.uint8), ValueError, 'must not be empty'),
        ([[1, 2, 3]], TypeError, 'numpy array, got list'),
    ],
)
def test_what_is_no_image_is_refused(image, error, message):
    camera = make_camera()
    with pytest.raises(error, match=message):
        make_detector(camera).detect(image, camera)


@pytest.mark.parametrize('camera', [None, np.eye(3)])
def test_what_is_no_camera_is_refused(camera):
    real = make_camera()
    with pytest.raises(TypeError, match=r'camera must be a CameraModel, got (NoneType|ndarray)'):
        make_detector(real).detect(blank(real), camera)


def test_as_many_cameras_as_images():
    camera = make_camera()
    with pytest.raises(ValueError, match='1 images but 2 cameras'):
        make_detector(camera).detect_batch([blank(camera)], [camera, camera])


def test_boxes_that_are_not_finite_or_behind_the_camera_are_dropped():
    camera = make_camera()
    detector = make_detector(camera)
    heatmap, regression = detector.network(torch.zeros(1, 3, 384, 1280))
    broken = regression.clone()
    broken[:, 3:6][heatmap.amax(1, keepdim=True).expand(-1, 3, -1, -1) > 0.8] = math.inf
    broken[:, :1][heatmap[:, 2:] > 0.3] = -10.0
    detector.network = lambda _: (heatmap, broken)
    found = detector.detect(blank(camera), camera)
    assert [round(d.score, 2) for d in found] == [0.6]


@pytest.mark.parametrize(
    ('distortion_model', 'D'),
    [
        ('plumb_bob', (-0.3, 0.09, 0.001, -0.0005, 0.01)),
        ('rational_polynomial', (-0.3, 0.09, 0.001, -0.0005, 0.01, 0.02, 0.01, 0.0)),
        ('equidistant', (0.02, -0.01, 0.003, -0.001)),
        ('equidistant', (0.0, 0.0, 0.0, 0.0)),  # an ideal fisheye, as simulators have it
    ],
)
def test_a_distorted_image_is_undistorted_into_the_input(distortion_model, D):
    """A dot where the lens puts a point appears where the pinhole would put it."""
    camera = make_camera(size=(1242, 375), distortion_model=distortion_model, D=D)
    point = np.array([[4.0, -1.0, 10.0]])
    if distortion_model == 'equidistant':
        pixel, _ = cv2.fisheye.projectPoints(
            point[None], np.zeros(3), np.zeros(3), camera.K, np.array(D)
        )
    else:
        pixel, _ = cv2.projectPoints(point, np.zeros(3), np.zeros(3), camera.K, np.array(D))
    assert np.abs(pixel.ravel() - camera.project(point)[0]).max() > 5  # the lens matters
    image = blank(camera)
    cv2.circle(image, tuple(np.round(pixel.ravel()).astype(int)), 3, (255, 255, 255), -1)

    detector = make_detector(camera)
    grey = detector.preprocess(image, camera)[0].mean(0)
    rows, columns = torch.nonzero(grey > grey.mean() + 1.0, as_tuple=True)
    seen = np.array([columns.double().mean(), rows.double().mean()])
    affine = detector.camera_setup(camera).geometry.input_from_image
    expected = (affine @ np.append(camera.project(point)[0], 1.0))[:2]
    np.testing.assert_allclose(seen, expected, atol=1.0)


@pytest.mark.parametrize(
    ('distortion_model', 'D'),
    [('plumb_bob', (-0.3, 0.09, 0.001, -0.0005, 0.01)), ('equidistant', (0.02, -0.01, 0.0, 0.0))],
)
def test_the_skew_of_a_distorted_image_counts(distortion_model, D):
    K = np.array([[700.0, 40.0, 621.0], [0.0, 700.0, 187.0], [0.0, 0.0, 1.0]])
    camera = CameraModel(K, 1242, 375, distortion_model, D)
    geometry = InputGeometry(1.0, 0.0, 0.0, 1242, 375)
    maps = undistortion_maps(camera, geometry)
    column, row = 1100, 30
    ray = np.linalg.inv(K) @ (column, row, 1.0)
    square = np.diag([1.0, 1.0, 1.0])
    project = cv2.fisheye.projectPoints if distortion_model == 'equidistant' else cv2.projectPoints
    bent, _ = project(ray[None, None], np.zeros(3), np.zeros(3), square, np.array(D))
    expected = K @ (*bent.ravel(), 1.0)
    np.testing.assert_allclose(maps[0][row, column], expected[:2], atol=1.0)


@pytest.mark.parametrize(
    ('D', 'lost'), [((-0.35, 0.12, 0.0, 0.0), 0.2), ((-1e-6, 0.0, 0.0, 0.0), 0.0)]
)
def test_a_view_that_undistortion_loses_is_said(D, lost, caplog):
    K = [[700.0, 0, 640], [0, 700, 195], [0, 0, 1]]
    camera = CameraModel(np.array(K), 1280, 390, 'plumb_bob', D)
    seen = make_detector(camera).camera_setup(camera).visible_fraction
    # What the input reaches of the picture, from the corner points of a fine grid.
    x, y = np.meshgrid(np.linspace(0, 1280, 321), np.linspace(0, 390, 99))
    points = np.stack((x, y), -1).reshape(-1, 1, 2)
    flat = cv2.undistortPoints(points, camera.K, np.array(D), P=camera.K)[:, 0]
    expected = ((flat >= 0) & (flat <= (1280, 390))).all(axis=1).mean()
    assert 1.0 - expected == pytest.approx(lost, abs=0.1)
    assert seen == pytest.approx(expected, abs=0.05)
    assert ('objects in the rest are not detected' in caplog.text) == (lost > 0.0)


def test_undistortion_tables_are_made_once_per_camera(monkeypatch):
    camera = make_camera(distortion_model='plumb_bob', D=(-0.3, 0.09, 0.001, -0.0005, 0.01))
    detector = make_detector(camera)
    setups = {id(detector.camera_setup(camera)) for _ in range(3)}
    assert len(setups) == 1


def test_the_cache_of_cameras_is_bounded():
    detector = make_detector(make_camera())
    for i in range(40):
        detector.camera_setup(make_camera(1.0 + i / 100))
    assert len(detector._setups) <= 16


def test_a_batch_of_many_cameras_finds_all_of_its_setups_again(monkeypatch):
    cameras = [make_camera(1.0 + i / 100) for i in range(20)]
    detector = make_detector(cameras[0])
    made = []
    make_setup = detector._make_setup
    monkeypatch.setattr(
        detector, '_make_setup', lambda camera: made.append(camera) or make_setup(camera)
    )
    for _ in range(2):
        with contextlib.suppress(IndexError):  # the stand-in answers for one image only
            detector.detect_batch([blank(camera) for camera in cameras], cameras)
    assert len(made) == len(cameras)


def test_the_random_model_detects_nothing():
    camera = make_camera()
    image = np.random.default_rng(0).integers(0, 255, (375, 1242, 3), dtype=np.uint8)
    assert Detector.from_model('random').detect(image, camera) == []


@pytest.mark.parametrize(
    ('device', 'message'),
    [('cuda:99', r"device 'cuda:99' is not there: PyTorch .* choose 'cpu'"), ('tpu', "got 'tpu'")],
)
def test_a_missing_device_is_named(device, message):
    with pytest.raises(ValueError, match=message):
        Detector.from_model('random', device=device)


def test_a_score_counts_the_depth_that_is_corrected_for_the_focal_length():
    camera = make_camera(0.5)
    model = ModelConfig(score_tolerance=2.0, depth_error=0.05)
    detector = make_detector(camera, [('Car', 0.8, CAR)], depth_scale=0.5, model=model)
    (found,) = detector.detect(blank(camera), camera)
    assert_same_box(found, CAR)
    assert found.score == pytest.approx(0.8 * (1 - np.exp(-2.0)), abs=1e-3)


def test_undistortion_reads_where_an_image_without_distortion_is_read():
    camera = make_camera(4.0, (5120, 1536), distortion_model='plumb_bob', D=(1e-9, 0, 0, 0))
    places = make_detector(camera).camera_setup(camera).undistortion[0]
    # Input pixel i covers the image's pixels 4 i to 4 i + 3: it lies at 4 i + 1.5.
    assert places[100, 300].tolist() == [1201, 401]
