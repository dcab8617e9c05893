"""The bundled model on the bundled drive, through the node: it finds what was rendered."""

import dataclasses
import json
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy')

from smoke_ros.colours import class_colour
from smoke_ros.config.model import DEFAULT_MODEL
from smoke_ros.detector import Detector
from smoke_ros.geometry import projected_extent, wrap_angle
from smoke_ros.overlap import overlap_2d
from smoke_ros.ros.bag_frames import BagFrames, FrameDecoder, Selection
from smoke_ros.ros.camera_topics import find_cameras
from smoke_ros.ros.demo.__main__ import main
from smoke_ros.ros.demo.summary import read_answers
from smoke_ros.ros.messages import with_image_box
from smoke_ros.ros.tolerant_bag import TolerantBag

#: Played so slowly that a busy machine answers nearly all of them.
FRAMES, RATE = 60, 0.25
MIN_OVERLAP = 0.5
#: One may be taken for the other.
CARS = ('Car', 'Van')
#: What a driver would call a car that must be seen: whole, in full view, within 40 m.
FARTHEST_M, SMALLEST_PX = 40.0, 25.0


@dataclass
class Tally:
    """What was made of the drive's cars."""

    seen: int = 0
    found: int = 0
    false: int = 0
    frames: int = 0
    depth_errors: list[float] = field(default_factory=list)
    heading_errors: list[float] = field(default_factory=list)


@pytest.fixture(scope='module')
def played(tmp_path_factory):
    """Play the drive's first frames into the node; return its folder."""
    out = tmp_path_factory.mktemp('demo')
    arguments = ['--frames', str(FRAMES), '--rate', str(RATE), '--device', 'cpu']
    assert main([*arguments, '--out', str(out)]) == 0
    return out


def read_drive(bag):
    """Return the drive's camera, and its labels by stamp in nanoseconds."""
    decoder = FrameDecoder('auto', None)
    with TolerantBag(bag) as reader:
        frames = BagFrames(reader, find_cameras(reader.topics), Selection())
        decoded = {frame.stamp_ns: decoder.decode(frame) for frame in frames}
    (camera,) = {frame.camera.key: frame.camera for frame in decoded.values()}.values()
    return camera, {stamp: frame.truth for stamp, frame in decoded.items()}


def tally(answers, truth, camera):
    result = Tally()
    for stamp, detections in answers.items():
        labels = truth[stamp]
        result.frames += 1
        cars = [with_image_box(d, camera) for d in detections if d.class_name in CARS]
        everything = np.array([label.bbox_xyxy_px for label in labels]).reshape(-1, 4)
        boxes = np.array([car.bbox_xyxy_px for car in cars]).reshape(-1, 4)
        overlaps = overlap_2d(boxes[:, None], everything[None])
        result.false += int((~(overlaps > 0.3).any(axis=1)).sum())
        for label, overlap in zip(labels, overlaps.T, strict=True):
            _, top, _, bottom = label.bbox_xyxy_px
            if (
                label.class_name not in CARS or label.occlusion or label.truncation
                or label.location[2] > FARTHEST_M or bottom - top < SMALLEST_PX
            ):  # fmt: skip
                continue
            result.seen += 1
            matches = [car for car, o in zip(cars, overlap, strict=True) if o > MIN_OVERLAP]
            if matches:
                best = max(matches, key=lambda car: car.score)
                result.found += 1
                result.depth_errors.append(best.location[2] / label.location[2] - 1.0)
                turned = wrap_angle(best.rotation_y - label.rotation_y)
                result.heading_errors.append(abs(float(np.degrees(turned))))
    return result


def test_the_default_model_is_the_bundled_one():
    assert DEFAULT_MODEL == 'demo'


def test_it_finds_the_cars_of_the_bundled_drive(played):
    answers = read_answers(played / 'detections')
    assert len(answers) >= 0.75 * FRAMES
    camera, truth = read_drive(played / 'drive')
    result = tally(answers, truth, camera)
    print(
        f'{result.found} of {result.seen} cars found, {result.false} false ones in '
        f'{result.frames} frames; median errors: depth '
        f'{np.median(np.abs(result.depth_errors)):.1%}, heading '
        f'{np.median(result.heading_errors):.1f} degrees'
    )
    # Measured with the current weights: 202 of 202, none in 60 frames, 2.7%, 1.6 degrees.
    assert result.seen > 180
    assert result.found / result.seen > 0.95
    assert result.false / result.frames < 0.15
    assert np.median(np.abs(result.depth_errors)) < 0.08
    assert np.median(result.heading_errors) < 7.0


def test_the_summary_says_which_model_it_was_and_the_pictures_show_boxes(played):
    summary = json.loads((played / 'summary.json').read_text())
    assert summary['model'] == DEFAULT_MODEL
    picture = cv2.imread(str(played / 'demo.png'))
    colour = 255 * np.array(class_colour('Car'))[::-1]
    assert (np.abs(picture - colour) < 12).all(-1).sum() > 500


def test_through_a_kitti_camera_boxes_are_drawn_where_they_are_found(played):
    """KITTI's P2 has a fourth column, which shifts near objects by pixels."""
    with TolerantBag(played / 'drive') as bag:
        frames = BagFrames(bag, find_cameras(bag.topics), Selection())
        decoded = FrameDecoder('auto', None).decode(next(iter(frames)))
    camera = dataclasses.replace(decoded.camera, projection_offset=(44.86, 0.22, 0.003))
    found = Detector.from_model(DEFAULT_MODEL, 'cpu').detect(decoded.image_bgr, camera)
    assert len(found) >= 3
    for detection in found:
        extent = projected_extent(camera.K, detection.corners(), camera.projection_offset)
        shown = camera.clip_to_image(extent)
        assert detection.bbox_xyxy_px == pytest.approx(shown, abs=0.5)
