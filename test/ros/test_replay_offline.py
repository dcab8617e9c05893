"""`smoke-ros replay` over all frames of a bag, with a detector that tells images by their grey."""

import contextlib
import dataclasses
import json
import math
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('rclpy')

from fake_detector import CAR, FakeDetector
from small_bags import BEGIN_NS, DELAY_NS, HEIGHT, STEP_NS, WIDTH, K, write_small_bag
from small_bags import CAR as LABEL
from std_msgs.msg import Header
from vision_msgs.msg import Detection3DArray
from visualization_msgs.msg import Marker, MarkerArray

from smoke_ros import cli
from smoke_ros.checkpoint import TrainingRecord
from smoke_ros.config.detector import DetectorConfig
from smoke_ros.config.error_model import ErrorModel
from smoke_ros.data.kitti import read_objects, write_objects
from smoke_ros.detector import Detector, StageTimes
from smoke_ros.evaluation.run_info import read_run_info
from smoke_ros.replay.records import FRAMES_FILE, read_frames, read_run
from smoke_ros.replay.report import write_report
from smoke_ros.ros.bag_frames import Selection
from smoke_ros.ros.bags import BagReader, BagWriter
from smoke_ros.ros.covariance import pose_covariance
from smoke_ros.ros.ground_truth import objects_to_message
from smoke_ros.ros.images import image_to_bgr
from smoke_ros.ros.messages import message_to_detections
from smoke_ros.ros.qos import RELIABLE
from smoke_ros.ros.replay.offline import replay_offline
from smoke_ros.ros.replay.request import ReplayRequest
from smoke_ros.ros.stamps import stamp_message, stamp_ns


class GreyDetector(FakeDetector):
    """Finds one car, as many metres away as the image is grey, plus 10."""

    def __init__(self, stop_at=None):
        super().__init__()
        self.stop_at, self.calls = stop_at, 0
        self.info = SimpleNamespace(name='grey', sha256='12', training=TrainingRecord())

    def detect_timed(self, images, cameras, **options):
        self.calls += 1
        grey = int(images[0][0, 0, 0])
        if grey == self.stop_at:
            raise KeyboardInterrupt
        found = dataclasses.replace(CAR, location=(1.0, 1.5, 10.0 + grey))
        self.detections = [found]
        self.images, self.cameras = [], []
        return super().detect_timed(images, cameras, **options)


def replay(bag, out, detector=None, *, overwrite=False, **options):
    request = ReplayRequest(bag=bag, out=out, **options)
    return replay_offline(request, detector or GreyDetector(), overwrite=overwrite)


def frames(out):
    return list(read_frames(out / FRAMES_FILE))


def results(out):
    """All that a run wrote and that does not depend on the time of day."""
    with BagReader(out / 'bag') as bag:
        # Not their bytes: what lies between two fields is whatever memory held before.
        kinds = {name: topic.message_class() for name, topic in bag.topics.items()}
        messages = [(m.topic, m.stamp_ns, m.decode(kinds[m.topic])) for m in bag.messages()]
    records = [dataclasses.replace(record, stages_ms={}) for record in frames(out)]
    files = {
        path.relative_to(out): path.read_bytes()
        for folder in ('detections', 'thumbnails')
        for path in (out / folder).rglob('*') if path.is_file()
    }  # fmt: skip
    return messages, records, files


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_every_frame_is_recorded_with_what_was_found(tmp_path, storage):
    write_small_bag(tmp_path / 'in', 4, storage=storage)
    run = replay(tmp_path / 'in', tmp_path / 'out')
    records = frames(tmp_path / 'out')
    assert [record.index for record in records] == [0, 1, 2, 3]
    for number, record in enumerate(records):
        assert record.status == 'processed' and record.topic == '/front/image_rect'
        assert record.stamp_ns == BEGIN_NS + number * STEP_NS
        assert (record.width, record.height) == (WIDTH, HEIGHT)
        np.testing.assert_array_equal(record.K, K)
        (found,) = record.detections
        assert found.location == (1.0, 1.5, 10.0 + number)
        (label,) = record.ground_truth
        assert label.location == pytest.approx(LABEL.location) and label.occlusion == 1
        assert record.stages_ms['network'] == 2.0 and record.latency_ms is None
    assert run == read_run(tmp_path / 'out')
    assert run.counts == {'processed': 4} and run.problems == () and run.ended
    assert run.model['name'] == 'grey' and run.versions['torch']
    assert run.engine == 'fake, float32'


def test_the_engine_that_ran_is_recorded_rather_than_the_one_asked_for(tmp_path):
    write_small_bag(tmp_path / 'in', 1)
    detector = GreyDetector()
    detector.engine_summary = 'eager, float32; onnx cannot run: 3 MB free'
    run = replay(tmp_path / 'in', tmp_path / 'out', detector)
    assert run.engine == 'eager, float32'
    write_report(tmp_path / 'out')
    page = (tmp_path / 'out/report.html').read_text()
    assert '<td>engine</td><td>eager, float32</td>' in page


def test_the_output_bag_has_the_stamps_of_the_input(tmp_path):
    write_small_bag(tmp_path / 'in', 3)
    replay(tmp_path / 'in', tmp_path / 'out', annotated=True)
    with BagReader(tmp_path / 'out/bag') as bag:
        decoded = {name: [] for name in bag.topics}
        for message in bag.messages():
            kind = bag.topics[message.topic].message_class()
            decoded[message.topic].append((message.stamp_ns, message.decode(kind)))
    assert {name: len(found) for name, found in decoded.items()} == {
        '/smoke_node/detections': 3, '/smoke_node/markers': 3, '/smoke_node/ground_truth': 3,
        '/smoke_node/ground_truth_markers': 3, '/smoke_node/debug_image': 3,
    }  # fmt: skip
    for number in range(3):
        received_ns, message = decoded['/smoke_node/detections'][number]
        assert stamp_ns(message.header.stamp) == BEGIN_NS + number * STEP_NS
        assert received_ns == BEGIN_NS + number * STEP_NS + DELAY_NS
        assert message.header.frame_id == 'front_optical'
        (found,) = message_to_detections(message)
        assert found.location[2] == pytest.approx(10.0 + number)
        assert message.detections[0].results[0].pose.covariance[0] > 0.0
        markers = decoded['/smoke_node/markers'][number][1].markers
        assert len(markers) == 4 and markers[0].header == message.header
        received_truth_ns, truth = decoded['/smoke_node/ground_truth_markers'][number]
        assert received_truth_ns == received_ns and truth.markers[0].header == message.header
        image = image_to_bgr(decoded['/smoke_node/debug_image'][number][1])
        assert image.shape == (HEIGHT, WIDTH, 3) and len(np.unique(image)) > 1


def test_kitti_files_and_pictures(tmp_path):
    write_small_bag(tmp_path / 'in', 2)
    replay(tmp_path / 'in', tmp_path / 'out')
    folder = tmp_path / 'out/detections/_front_image_rect'
    (line,) = read_objects(folder / '000001.txt', with_score=True)
    assert line.location == pytest.approx((1.0, 1.5, 11.0))
    assert read_run_info(folder).model == 'grey'
    assert len(list((tmp_path / 'out/thumbnails').rglob('*.jpg'))) == 2


def test_a_rerun_recording_gets_every_processed_frame(tmp_path, monkeypatch):
    logged = []

    class Log(contextlib.nullcontext):
        def __init__(self, path, topics):
            super().__init__(self)
            assert (path, topics) == (tmp_path / 'out/replay.rrd', ['/front/image_rect'])

        def log(self, record, image_bgr):
            logged.append((record.index, image_bgr[0, 0, 0]))

    monkeypatch.setattr('smoke_ros.ros.replay.output_bag.RerunLog', Log)
    write_small_bag(tmp_path / 'in', 3, spoilt=(1,))
    replay(tmp_path / 'in', tmp_path / 'out', rerun=True)
    assert logged == [(0, 0), (2, 2)]


@pytest.mark.parametrize(
    ('options', 'count'),
    [
        ({'max_detections': 1}, 1),
        ({'score_threshold': 0.95}, 0),
        ({'score_threshold': 0.95, 'class_thresholds': ('Pedestrian=0.5',)}, 1),
    ],
)
def test_the_options_of_the_detector_count(tmp_path, options, count):
    write_small_bag(tmp_path / 'in', 1)
    config = DetectorConfig(**options)
    request = ReplayRequest(bag=tmp_path / 'in', out=tmp_path / 'out', detector=config)
    replay_offline(request, FakeDetector())
    assert len(frames(tmp_path / 'out')[0].detections) == count


def test_several_cameras_in_one_go(tmp_path):
    write_small_bag(tmp_path / 'in', 2, cameras=('/left', '/right'))
    replay(tmp_path / 'in', tmp_path / 'out')
    found = [(record.topic, record.index) for record in frames(tmp_path / 'out')]
    assert found == [
        ('/left/image_rect', 0), ('/right/image_rect', 0), ('/left/image_rect', 1),
        ('/right/image_rect', 1),
    ]  # fmt: skip
    with BagReader(tmp_path / 'out/bag') as bag:
        assert bag.topics['/smoke_node/left/detections'].message_count == 2
        assert bag.topics['/smoke_node/right/markers'].message_count == 2


def test_a_camera_that_is_named_twice_is_replayed_once(tmp_path):
    write_small_bag(tmp_path / 'in', 2)
    replay(tmp_path / 'in', tmp_path / 'out', topics=('/front/image_rect',) * 2)
    assert [record.index for record in frames(tmp_path / 'out')] == [0, 1]


def test_cameras_whose_files_would_share_a_folder_are_refused(tmp_path):
    write_small_bag(tmp_path / 'in', 1, cameras=('/a/b', '/a_b'))
    message = '/a/b/image_rect and /a_b/image_rect would share a folder'
    with pytest.raises(ValueError, match=message):
        replay(tmp_path / 'in', tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_two_runs_are_the_same(tmp_path):
    write_small_bag(tmp_path / 'in', 5, compressed=True)
    for name in ('a', 'b'):
        replay(tmp_path / 'in', tmp_path / name)
    assert results(tmp_path / 'a') == results(tmp_path / 'b')


class TestInterruption:
    def test_a_run_goes_on_to_the_same_result(self, tmp_path):
        write_small_bag(tmp_path / 'in', 6, cameras=('/left', '/right'), spoilt=(1,))
        replay(tmp_path / 'in', tmp_path / 'whole')
        out = tmp_path / 'cut'
        with pytest.raises(KeyboardInterrupt):
            replay(tmp_path / 'in', out, GreyDetector(stop_at=3))
        assert len(frames(out)) == 6 and not read_run(out).ended and not (out / 'bag').exists()
        # As after a kill in the middle of a line.
        with (out / FRAMES_FILE).open('a') as file:
            file.write('{"bag": "/')
        second = GreyDetector()
        assert replay(tmp_path / 'in', out, second).ended
        assert second.calls == 6  # twelve images, of which two are spoilt and four were done
        assert results(out) == results(tmp_path / 'whole')

    def test_its_pictures_are_the_same_where_frames_failed(self, tmp_path):
        write_small_bag(tmp_path / 'in', 12, spoilt=(1,))
        replay(tmp_path / 'in', tmp_path / 'whole', pictures=3)
        with pytest.raises(KeyboardInterrupt):
            replay(tmp_path / 'in', tmp_path / 'cut', GreyDetector(stop_at=6), pictures=3)
        replay(tmp_path / 'in', tmp_path / 'cut', pictures=3)
        assert results(tmp_path / 'cut') == results(tmp_path / 'whole')

    def test_a_run_of_something_else_is_not_gone_on_with(self, tmp_path):
        write_small_bag(tmp_path / 'in', 3)
        with pytest.raises(KeyboardInterrupt):
            replay(tmp_path / 'in', tmp_path / 'out', GreyDetector(stop_at=1))
        with pytest.raises(ValueError, match=r'another options \(annotated was False, is True'):
            replay(tmp_path / 'in', tmp_path / 'out', annotated=True)
        replay(tmp_path / 'in', tmp_path / 'out', annotated=True, overwrite=True)
        assert len(frames(tmp_path / 'out')) == 3

    def test_a_finished_run_is_not_replaced_unasked(self, tmp_path):
        write_small_bag(tmp_path / 'in', 1)
        replay(tmp_path / 'in', tmp_path / 'out')
        with pytest.raises(FileExistsError, match='holds a finished run'):
            replay(tmp_path / 'in', tmp_path / 'out')
        with pytest.raises(FileExistsError, match='not empty and holds no run'):
            replay(tmp_path / 'in', tmp_path / 'in', overwrite=True)


def test_a_spoilt_image_costs_itself(tmp_path):
    write_small_bag(tmp_path / 'in', 3, spoilt=(1,))
    run = replay(tmp_path / 'in', tmp_path / 'out')
    assert run.counts == {'processed': 2, 'failed': 1}
    failed = frames(tmp_path / 'out')[1]
    assert failed.index == 1 and 'must be 9216 bytes, got 10' in failed.reason


def test_ground_truth_without_numbers_costs_its_frame(tmp_path):
    write_small_bag(tmp_path / 'in', 3, truth=False)
    spoilt = objects_to_message([LABEL], Header(frame_id='front_optical'))
    spoilt.detections[0].id = 'of another program'
    spoilt.detections[0].bbox.center.position.y = math.nan
    spoilt.header.stamp = stamp_message(BEGIN_NS + STEP_NS)
    with BagReader(tmp_path / 'in') as bag, BagWriter(tmp_path / 'with') as out:
        for name, topic in bag.topics.items():
            out.add_topic(name, topic.message_class(), RELIABLE)
        for message in bag.messages():
            out.write(message.topic, message.data, message.stamp_ns)
        out.write('/front/ground_truth', spoilt, BEGIN_NS + STEP_NS + DELAY_NS)
    run = replay(tmp_path / 'with', tmp_path / 'out')
    assert run.counts == {'processed': 2, 'failed': 1}
    assert 'must have finite numbers' in frames(tmp_path / 'out')[1].reason


def test_the_output_bags_covariances_are_the_nodes(tmp_path):
    detector = GreyDetector()
    unsure = dataclasses.replace(CAR, depth_error=0.3)
    detector.detect_timed = lambda *_, **__: ([[unsure]], StageTimes(1.0, 2.0, 3.0))
    write_small_bag(tmp_path / 'in', 1)
    replay(tmp_path / 'in', tmp_path / 'out', detector)
    with BagReader(tmp_path / 'out/bag') as bag:
        (message,) = bag.messages(['/smoke_node/detections'])
        (found,) = message.decode(Detection3DArray).detections
    (record,) = frames(tmp_path / 'out')
    camera = record.camera()
    pixel = detector.camera_setup(camera).heatmap_pixel_px
    expected = pose_covariance(unsure, camera, pixel, ErrorModel())
    assert expected[2, 2] > (0.2 * unsure.location[2]) ** 2
    np.testing.assert_allclose(found.results[0].pose.covariance, expected.ravel())


def test_boxes_that_are_left_over_are_deleted_in_the_output_bag(tmp_path):
    detector, answers = GreyDetector(), iter(([CAR], []))
    detector.detect_timed = lambda *_, **__: ([next(answers)], StageTimes(1.0, 2.0, 3.0))
    write_small_bag(tmp_path / 'in', 2)
    replay(tmp_path / 'in', tmp_path / 'out', detector)
    with BagReader(tmp_path / 'out/bag') as bag:
        messages = [m.decode(MarkerArray) for m in bag.messages(['/smoke_node/markers'])]
    actions = [[marker.action for marker in message.markers] for message in messages]
    assert actions == [[Marker.ADD] * 4, [Marker.DELETE] * 4]


def test_images_that_are_too_small_for_the_node_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr('small_bags.WIDTH', 16)
    monkeypatch.setattr('small_bags.HEIGHT', 12)
    write_small_bag(tmp_path / 'in', 1)
    assert replay(tmp_path / 'in', tmp_path / 'out').counts == {'failed': 1}
    assert '16x12 pixels are too few' in frames(tmp_path / 'out')[0].reason


def test_a_damaged_bag_yields_what_can_be_read(tmp_path):
    write_small_bag(tmp_path / 'in', 40)
    (file,) = (tmp_path / 'in').glob('*.mcap')
    file.write_bytes(file.read_bytes()[:-400])  # without its index
    run = replay(tmp_path / 'in', tmp_path / 'out')
    assert run.counts == {'processed': 40}
    assert 'cannot read the bag' in run.problems[0]


class TestLabels:
    def write(self, folder, names):
        for z, name in enumerate(names):
            write_objects(
                folder / f'{name}.txt',
                [dataclasses.replace(LABEL, location=(0.0, 1.0, 20.0 + z))],
            )
        return folder

    def truth(self, tmp_path, labels):
        write_small_bag(tmp_path / 'in', 3, truth=False)
        replay(tmp_path / 'in', tmp_path / 'out', labels=labels)
        return [
            record.ground_truth and record.ground_truth[0].location[2]
            for record in frames(tmp_path / 'out')
        ]

    def test_by_index(self, tmp_path):
        labels = self.write(tmp_path / 'labels', ['000000', '000002'])
        assert self.truth(tmp_path, labels) == [20.0, None, 21.0]

    def test_by_stamp(self, tmp_path):
        labels = self.write(tmp_path / 'labels', ['000000', '000001'])
        lines = (
            f'{n:06d} {BEGIN_NS + k * STEP_NS} /front/image_rect' for n, k in ((0, 2), (1, 1))
        )
        (tmp_path / 'labels/timestamps.txt').write_text('\n'.join(lines))
        assert self.truth(tmp_path, labels) == [None, 21.0, 20.0]

    def test_names_that_are_stamps(self, tmp_path, monkeypatch):
        monkeypatch.setattr('small_bags.BEGIN_NS', 1_600_000_000 * 10**9)
        # A stamp that was rounded to microseconds is found as well.
        labels = self.write(tmp_path / 'labels', ['1600000000100000900'])
        assert self.truth(tmp_path, labels) == [None, 20.0, None]

    def test_of_kitti_are_moved_into_the_frame_of_the_camera(self, tmp_path):
        labels = self.write(tmp_path / 'labels', ['000000'])
        (tmp_path / 'calib.txt').write_text('P2: 50 0 32 10 0 50 24 0 0 0 1 0')
        write_small_bag(tmp_path / 'in', 1, truth=False)
        calibration = tmp_path / 'calib.txt'
        replay(tmp_path / 'in', tmp_path / 'out', labels=labels, calibration=calibration)
        (label,) = frames(tmp_path / 'out')[0].ground_truth
        assert label.location == pytest.approx((10 / 50, 1.0, 20.0))

    def test_stand_for_a_ground_truth_that_cannot_be_used(self, tmp_path):
        labels = self.write(tmp_path / 'labels', ['000000', '000001', '000002'])
        write_small_bag(tmp_path / 'in', 3, truth_frame='map')
        run = replay(tmp_path / 'in', tmp_path / 'out', labels=labels)
        assert run.counts == {'processed': 3} and not run.problems
        run = replay(tmp_path / 'in', tmp_path / 'without', truth_topic='none')
        assert run.counts == {'processed': 3} and not run.problems
        assert [record.ground_truth for record in frames(tmp_path / 'without')] == [None] * 3
        assert replay(tmp_path / 'in', tmp_path / 'with').counts == {'failed': 3}

    def test_of_no_image_are_a_problem(self, tmp_path):
        labels = self.write(tmp_path / 'labels', ['000003', '000004'])
        assert self.truth(tmp_path, labels) == [None] * 3
        (problem,) = read_run(tmp_path / 'out').problems
        assert problem == (
            f'{labels}: no image has found its label among 2 labels, matched by index, '
            '000003.txt is that of image 3, counted from 0'
        )
        lines = f'000003 {BEGIN_NS + 1_100_000} /front/image_rect\n'
        (labels / 'timestamps.txt').write_text(lines)
        out = tmp_path / 'by_stamp'
        run = replay(tmp_path / 'in', out, labels=labels)
        assert (
            'no image has found its label among 1 labels, matched by stamp, to within 1 ms'
            in (run.problems[0])
        )
        # Of a part of a bag, none need be labelled.
        out = tmp_path / 'part'
        assert not replay(tmp_path / 'in', out, labels=labels, selection=Selection(0.1)).problems

    def test_what_cannot_be_labels(self, tmp_path):
        write_small_bag(tmp_path / 'in', 1, cameras=('/left', '/right'))
        with pytest.raises(FileNotFoundError, match='no such folder of labels'):
            replay(tmp_path / 'in', tmp_path / 'out', labels=tmp_path / 'absent')
        labels = self.write(tmp_path / 'labels', ['000000'])
        with pytest.raises(ValueError, match='one camera, but there are 2'):
            replay(tmp_path / 'in', tmp_path / 'out', labels=labels)
        self.write(labels, ['rainy'])
        with pytest.raises(ValueError, match=r'rainy\.txt: expected the name of a label'):
            replay(tmp_path / 'in', tmp_path / 'out', labels=labels)
        (labels / 'rainy.txt').unlink()
        (labels / 'timestamps.txt').write_text('000007 1000000000 /front/image_rect')
        with pytest.raises(ValueError, match=r'names of labels, it has none .* 000000\.txt'):
            replay(tmp_path / 'in', tmp_path / 'out', labels=labels)
        (labels / 'timestamps.txt').unlink()
        with pytest.raises(ValueError, match='must come from one place'):
            replay(tmp_path / 'in', tmp_path / 'out', labels=labels, truth_topic='/labels')

    def test_two_of_one_image_are_refused(self, tmp_path):
        labels = self.write(tmp_path / 'labels', ['000000', '000001'])
        stamps = labels / 'timestamps.txt'
        # As bag2kitti writes it of two drives whose stamps begin alike.
        stamps.write_text(''.join(f'{n:06d} {BEGIN_NS} /front/image_rect\n' for n in range(2)))
        write_small_bag(tmp_path / 'in', 1, truth=False)
        with pytest.raises(ValueError, match=r'000000\.txt and 000001\.txt are both of the image'):
            replay(tmp_path / 'in', tmp_path / 'out', labels=labels)


def test_memory_does_not_grow_with_the_bag(tmp_path):
    # In SQLite, for MCAP collects a chunk in memory, which the shorter bag would not fill.
    def peak(count):
        write_small_bag(tmp_path / f'in{count}', count, storage='sqlite3')
        tracemalloc.start()
        replay(tmp_path / f'in{count}', tmp_path / f'out{count}', storage='sqlite3')
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(30)  # what is loaded once, and as many pictures as are kept
    small, large = peak(50), peak(350)
    # An image has 9 kB, what is found in it and noted 2 kB, its line in indices 0.5 kB; what other
    # tests have left in caches moves a peak by 0.1 MB.
    assert large < small + 300 * 1300


class TestCommand:
    @pytest.fixture(autouse=True)
    def sees_grey(self, monkeypatch):
        monkeypatch.setattr(Detector, 'from_model', lambda *_, **__: GreyDetector())

    def replay(self, *arguments):
        return cli.main(['replay', *map(str, arguments)])

    def test_a_verdict_on_a_bag(self, tmp_path, capsys):
        write_small_bag(tmp_path / 'in', 3)
        out, options = tmp_path / 'out', tmp_path / 'trucks.yaml'
        options.write_text('classes: [Truck]\noverlaps: [0.7]\ndevkit_overlaps: [0.7]\n')
        code = self.replay(
            tmp_path / 'in', '--out', out, '--require', 'frames_failed<=0',
            '--require', 'truck/3d/moderate>=99', '--evaluation', options,
            '--segments', 2,
        )  # fmt: skip
        assert code == 1
        printed = capsys.readouterr()
        assert '\nmet: frames_failed' in printed.out
        assert 'NOT MET: truck/3d/moderate' in printed.err
        assert (out / 'report.html').is_file() and (out / 'junit.xml').is_file()
        assert len(json.loads((out / 'report.json').read_text())['segments']) == 2

    def test_a_calibration_that_is_none_is_said_at_once_and_leaves_nothing(self, tmp_path, capsys):
        write_small_bag(tmp_path / 'in', 2)
        (tmp_path / 'camera.yaml').write_text('image_width: 64')
        code = self.replay(
            tmp_path / 'in', '--out', tmp_path / 'out', '--calib', tmp_path / 'camera.yaml'
        )
        assert code == cli.EXIT_BAD_INPUT
        assert 'camera.yaml: no entry image_height' in capsys.readouterr().err
        assert not (tmp_path / 'out').exists()

    def test_a_report_has_as_many_pictures_as_asked_for(self, tmp_path):
        write_small_bag(tmp_path / 'in', 5)
        out = tmp_path / 'out'
        assert self.replay(tmp_path / 'in', '--out', out, '--pictures', 2) == 0
        pictures = sorted(path.name for path in (out / 'thumbnails').rglob('*.jpg'))
        assert pictures == ['000000.jpg', '000004.jpg']

    def test_what_was_interrupted_before_its_report_is_reported_on(self, tmp_path):
        write_small_bag(tmp_path / 'in', 3)
        arguments = (tmp_path / 'in', '--out', tmp_path / 'out')
        assert self.replay(*arguments) == 0
        (tmp_path / 'out/report.json').unlink()
        assert self.replay(*arguments) == 0
        assert (tmp_path / 'out/report.json').is_file()
        assert self.replay(*arguments) == 2

    def test_bags_none_of_which_can_be_read_leave_no_older_verdict(self, tmp_path):
        bags = [tmp_path / name for name in 'ab']
        for bag in bags:
            write_small_bag(bag, 2)
        arguments = (*bags, '--out', tmp_path / 'out', '--require', 'frames_failed<=0')
        assert self.replay(*arguments) == 0
        for bag in bags:
            (bag / 'metadata.yaml').unlink()
            next(bag.glob('*.mcap')).write_bytes(b'')
        assert self.replay(*arguments, '--overwrite') == 1
        left = {path.name for path in (tmp_path / 'out').iterdir() if path.is_file()}
        assert left == {'fleet.json'}
        assert cli.main(['report', str(tmp_path / 'out')]) == 2

    def test_a_replay_without_a_frame_is_no_success(self, tmp_path, caplog):
        write_small_bag(tmp_path / 'in', 3)
        arguments = (tmp_path / 'in', '--out', tmp_path / 'out', '--start', 99)
        assert self.replay(*arguments, '--require', 'frames_failed<=0') == 1
        assert 'no image in what was asked for, of /front/image_rect' in caplog.text

    def test_several_bags_go_on_where_they_were_interrupted(self, tmp_path, monkeypatch):
        write_small_bag(tmp_path / 'a', 2, spoilt=(1,))
        write_small_bag(tmp_path / 'b', 4)
        arguments = (tmp_path / 'a', tmp_path / 'b', '--out', tmp_path / 'out')
        monkeypatch.setattr(Detector, 'from_model', lambda *_, **__: GreyDetector(stop_at=3))
        assert self.replay(*arguments) == 130
        first = read_run(tmp_path / 'out/a')
        assert first.ended and not read_run(tmp_path / 'out/b').ended
        monkeypatch.undo()
        again = GreyDetector()
        monkeypatch.setattr(Detector, 'from_model', lambda *_, **__: again)
        # Not 0: what failed in the bag that was done before still counts.
        assert self.replay(*arguments) == 1
        assert again.calls == 1 and read_run(tmp_path / 'out/a') == first
        assert len(frames(tmp_path / 'out/b')) == 4 and read_run(tmp_path / 'out/b').ended
        with pytest.raises(FileExistsError, match='holds a finished run'):
            replay(tmp_path / 'b', tmp_path / 'out/b')
        other = (*arguments, '--stride', 2)
        assert self.replay(*other) == 1 and read_run(tmp_path / 'out/a') == first

    def test_several_bags_of_which_one_cannot_be_read(self, tmp_path, caplog, monkeypatch):
        reported = []
        monkeypatch.setattr(
            'smoke_ros.replay.report.write_report', lambda *args: reported.append(args) or []
        )
        write_small_bag(tmp_path / 'a', 2)
        write_small_bag(tmp_path / 'b', 3)
        (tmp_path / 'broken').mkdir()
        bags = [tmp_path / name for name in ('a', 'broken', 'b')]
        assert self.replay(*bags, '--out', tmp_path / 'out') == 1
        assert 'broken has no metadata.yaml' in caplog.text
        assert [len(frames(tmp_path / 'out' / name)) for name in ('a', 'b')] == [2, 3]
        assert [arguments[:2] for arguments in reported] == [(tmp_path / 'out', [])]
        assert self.replay(tmp_path / 'a', '--out', tmp_path / 'alone') == 0

    def test_labels_by_index_are_those_of_one_bag(self, tmp_path, capsys):
        for name in 'ab':
            write_small_bag(tmp_path / name, 1, truth=False)
        labels = tmp_path / 'labels'
        write_objects(labels / '000000.txt', [LABEL])
        arguments = (tmp_path / 'a', tmp_path / 'b', '--out', tmp_path / 'out', '--labels', labels)
        assert self.replay(*arguments) == cli.EXIT_BAD_INPUT
        assert 'are those of one bag, but there are 2' in capsys.readouterr().err
        stamps = f'000000 {BEGIN_NS} /front/image_rect\n'
        (labels / 'timestamps.txt').write_text(stamps)
        assert self.replay(*arguments) == 0

    def report_of(self, folder, *requirements):
        code = cli.main(['report', str(folder), *requirements])
        return code, json.loads((folder / 'report.json').read_text())

    @pytest.fixture
    def played(self, monkeypatch):
        """Do live replays without a node; what each was asked for is noted."""
        asked = []

        def play(request, live, **how):
            asked.append(live)
            if request.bag.name == 'dying':
                raise RuntimeError('the node has ended with exit code 9')
            return replay_offline(request, GreyDetector(), **how)

        monkeypatch.setattr('smoke_ros.ros.node_process.isolate', lambda: None)
        monkeypatch.setattr('smoke_ros.ros.replay.live.replay_live', play)
        return asked

    @pytest.mark.usefixtures('played')
    def test_of_several_bags_played_live_one_cannot_be_read(self, tmp_path, caplog):
        for name in 'ab':
            write_small_bag(tmp_path / name, 2)
        (tmp_path / 'broken').mkdir()
        bags = [tmp_path / name for name in ('a', 'broken', 'b')]
        assert self.replay(*bags, '--out', tmp_path / 'out', '--live') == 1
        assert 'broken has no metadata.yaml' in caplog.text
        assert [len(frames(tmp_path / 'out' / name)) for name in 'ab'] == [2, 2]
        assert (tmp_path / 'out/report.html').is_file()
        alone = (tmp_path / 'broken', '--out', tmp_path / 'alone', '--live')
        assert self.replay(*alone) == cli.EXIT_BAD_INPUT

    @pytest.mark.usefixtures('played')
    def test_of_several_bags_played_live_the_node_ends_at_one(self, tmp_path, caplog):
        bags = [write_small_bag(tmp_path / name, 2) for name in ('a', 'dying', 'z')]
        for _ in range(2):  # the same command goes on
            caplog.clear()
            assert self.replay(*bags, '--out', tmp_path / 'out', '--live') == 1
            assert f'{bags[1]}: the node has ended with exit code 9' in caplog.text
            assert [len(frames(tmp_path / 'out' / name)) for name in 'az'] == [2, 2]
        assert (tmp_path / 'out/report.html').is_file()
        alone = (bags[1], '--out', tmp_path / 'alone', '--live')
        assert self.replay(*alone) == cli.EXIT_BAD_INPUT

    @pytest.mark.parametrize(
        ('given', 'parameters'),
        [
            ([], {}),
            (['--engine', 'auto'], {'engine': 'auto'}),
        ],
    )
    def test_played_live_what_is_given_counts_though_it_be_the_default(
        self, tmp_path, played, given, parameters
    ):
        write_small_bag(tmp_path / 'a', 2)
        assert self.replay(tmp_path / 'a', '--out', tmp_path / 'out', '--live', *given) == 0
        assert [live.parameters for live in played] == [parameters]

    def test_a_bag_that_cannot_be_read_counts_in_every_report(self, tmp_path):
        write_small_bag(tmp_path / 'a', 2)
        (tmp_path / 'broken').mkdir()
        out = tmp_path / 'out'
        require = ('--require', 'problems<=0')
        assert self.replay(tmp_path / 'a', tmp_path / 'broken', '--out', out, *require) == 1
        code, report = self.report_of(out, *require)
        assert code == 1 and report['metrics']['problems']['value'] == 1
        assert 'broken has no metadata.yaml' in report['unread'][0]
        assert 'broken has no metadata.yaml' in (out / 'report.html').read_text()

    def test_only_the_bags_of_the_last_replay_are_judged(self, tmp_path):
        for number, name in enumerate('abc', 1):
            write_small_bag(tmp_path / name, number)
        out = tmp_path / 'out'
        assert self.replay(tmp_path / 'a', tmp_path / 'b', '--out', out) == 0
        assert self.replay(tmp_path / 'a', tmp_path / 'c', '--out', out) == 0
        _, report = self.report_of(out)
        assert [Path(run['bags'][0]).name for run in report['runs']] == ['a', 'c']
        assert report['metrics']['frames_in']['value'] == 4
        assert any('1 other runs lie in the folder' in note for note in report['notes'])

    def test_several_bags_do_not_go_into_the_folder_of_one(self, tmp_path, capsys):
        for name in 'ab':
            write_small_bag(tmp_path / name, 1)
        assert self.replay(tmp_path / 'a', '--out', tmp_path / 'out') == 0
        arguments = (tmp_path / 'a', tmp_path / 'b', '--out', tmp_path / 'out')
        assert self.replay(*arguments) == cli.EXIT_BAD_INPUT
        assert 'holds a run of one bag' in capsys.readouterr().err

    @pytest.mark.parametrize(
        ('arguments', 'message'),
        [
            (['nowhere', '--out', 'out'], 'no bag at nowhere'),
            (['in', '--out', 'out', '--calib', 'none.yaml'], 'none.yaml: no such calibration'),
            (['in', 'in', '--out', 'out'], 'bags must have different names, got in twice'),
            (['in', '--out', 'out', '--topics', '/x'], 'topic /x: expected sensor_msgs/msg/Image'),
            (['in', '--out', 'in'], 'in is not empty and holds no run'),
            (['in', '--out', 'out', '--require', 'jiter_ms<3'], 'jiter_ms'),
            (['in', '--out', 'out', '--segments', '0'], 'segments must be'),
            (['in', '--out', 'out', '--start', 'inf'], 'start must be at least 0 s and finite'),
            (['in', '--out', 'out', '--pictures', '0'], 'pictures must be'),
        ],
    )
    def test_what_cannot_be_used_is_said_in_one_line(
        self, tmp_path, monkeypatch, capsys, arguments, message
    ):
        monkeypatch.chdir(tmp_path)
        write_small_bag(tmp_path / 'in', 1)
        assert self.replay(*arguments) == cli.EXIT_BAD_INPUT
        error = capsys.readouterr().err.splitlines()
        assert any(message in line for line in error) and error[-1].startswith('smoke-ros replay')
