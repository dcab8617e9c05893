"""Several cameras in one node: topics of their own, one pass of the network for all."""

import functools

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('vision_msgs')

from diagnostic_msgs.msg import DiagnosticArray
from fake_detector import FakeDetector
from sensor_msgs.msg import CameraInfo, Image
from vision_msgs.msg import Detection3DArray

from smoke_ros.config.node import NodeConfig

NAMES = ('front', 'left')


class Rig:
    """The cameras' publishers and what the node publishes for each."""

    def __init__(self, make, bench, infos=True) -> None:
        self.bench, self.make, names = bench, make, NAMES
        self.images = {n: bench.advertise(Image, f'{n}/image') for n in names}
        self.infos = {n: bench.advertise(CameraInfo, f'{n}/camera_info') for n in names}
        self.found = {
            n: bench.listen(Detection3DArray, f'smoke_node/{n}/detections') for n in names
        }
        ends = [*self.images.values(), *(self.infos.values() if infos else ())]
        assert bench.wait(
            lambda: (
                all(end.get_subscription_count() for end in ends)
                and all(s._detections.get_subscription_count() for s in bench.node._streams)
            )
        )

    def send(self, name, stamp):
        self.infos[name].publish(self.make.camera_info(stamp))
        message = self.make.image(stamp)
        message.header.frame_id = f'{name}_optical'
        self.images[name].publish(message)

    def wait_for_frames(self, **counts):
        """Wait until the node has received so many frames of each camera, and paired them."""
        streams = dict(zip(NAMES, self.bench.node._streams, strict=True))
        return self.bench.wait(
            lambda: all(
                streams[n].statistics.report().frames_in == count
                and streams[n]._inputs._unpaired_since is None
                for n, count in counts.items()
            )
        )

    def wait_for_answers(self, **stamps):
        return self.bench.wait(
            lambda: all(
                [message.header.stamp.sec for message in self.found[name]] == expected
                for name, expected in stamps.items()
            )
        )


@pytest.fixture
def new_rig(make):
    return functools.partial(Rig, make)


def test_frames_that_are_ready_go_through_the_network_together(start_node, new_rig):
    bench = start_node(cameras=list(NAMES))
    rig = new_rig(bench)
    bench.detector.idle.clear()
    rig.send('front', 1.0)
    assert bench.wait(lambda: len(bench.detector.images) == 1)
    rig.send('front', 2.0)
    rig.send('left', 2.0)
    assert rig.wait_for_frames(front=2, left=1)
    bench.detector.idle.set()
    assert rig.wait_for_answers(front=[1, 2], left=[2])
    assert bench.detector.batches == [1, 2]
    for name in NAMES:
        assert {m.header.frame_id for m in rig.found[name]} == {f'{name}_optical'}
        assert all(len(m.detections) == 2 for m in rig.found[name])


def test_one_silent_camera_holds_nothing_up(start_node, new_rig):
    bench = start_node(cameras=list(NAMES))
    rig = new_rig(bench)
    rig.send('left', 1.0)
    assert rig.wait_for_answers(left=[1])
    assert rig.found['front'] == []


def test_a_bad_frame_costs_its_own_camera_only(start_node, new_rig, make):
    bench = start_node(cameras=list(NAMES))
    rig = new_rig(bench)
    rig.infos['front'].publish(make.camera_info(1.0))
    rig.images['front'].publish(make.image(1.0, encoding='nonsense'))
    rig.send('left', 1.0)
    assert rig.wait_for_answers(left=[1])
    assert bench.wait(lambda: bench.log.has('warning', 'image on /front/image left out'))
    assert rig.found['front'] == []


def test_a_lens_that_cannot_be_undistorted_costs_its_own_camera_only(
    start_node, new_rig, make, monkeypatch
):
    bench = start_node(cameras=list(NAMES))

    def camera_setup(camera):
        if camera.has_distortion:
            raise ValueError('the distortion cannot be undone')
        return FakeDetector.camera_setup(bench.detector, camera)

    monkeypatch.setattr(bench.detector, 'camera_setup', camera_setup)
    rig = new_rig(bench)
    bench.detector.idle.clear()
    rig.send('left', 1.0)
    assert bench.wait(lambda: len(bench.detector.images) == 1)
    rig.infos['front'].publish(make.camera_info(2.0, d=[1e300, 0.0, 0.0, 0.0, 0.0]))
    rig.images['front'].publish(make.image(2.0))
    rig.send('left', 2.0)
    assert rig.wait_for_frames(front=1, left=2)
    bench.detector.idle.set()
    assert rig.wait_for_answers(left=[1, 2])
    reports = [stream.statistics.report() for stream in bench.node._streams]
    assert [report.frames_refused for report in reports] == [1, 0]
    assert bench.log.has('warning', 'front/image left out: the distortion cannot be undone')


def test_each_camera_has_diagnostics(start_node, new_rig):
    bench = start_node(cameras=list(NAMES))
    rig = new_rig(bench)
    bench.diagnostics = bench.listen(DiagnosticArray, '/diagnostics')
    rig.send('left', 1.0)
    assert rig.wait_for_answers(left=[1])
    assert bench.wait(lambda: bench.node._health._publisher.get_subscription_count() > 0)
    bench.fresh_status()
    counts = {
        status.name: next(v.value for v in status.values if v.key == 'frames_out')
        for status in bench.diagnostics[-1].status
    }
    assert counts == {'smoke_node: /front/image': '0', 'smoke_node: /left/image': '1'}


def test_a_calibration_for_each(start_node, new_rig, make, tmp_path):
    for name, focal in (('front', 40.0), ('left', 60.0)):
        (tmp_path / f'{name}.yaml').write_text(make.calibration_yaml(focal))
    bench = start_node(cameras=list(NAMES), camera_info_url=f'{tmp_path}/{{camera}}.yaml')
    rig = new_rig(bench, infos=False)
    for name in NAMES:
        rig.images[name].publish(make.image(1.0))
        assert rig.wait_for_answers(**{name: [1]})
    assert [camera.K[0, 0] for camera in bench.detector.cameras] == [40.0, 60.0]


def test_nothing_stays_of_cameras_whose_neighbour_has_no_calibration(start_node, make, tmp_path):
    (tmp_path / 'front.yaml').write_text(make.calibration_yaml(40.0))
    (tmp_path / 'left.yaml').write_text(make.calibration_yaml(0.0))
    bench = start_node(
        activate=False, cameras=list(NAMES), camera_info_url=f'{tmp_path}/{{camera}}.yaml'
    )
    for _ in range(2):
        assert not bench.node.start()
        assert bench.node.count_publishers('smoke_node/front/detections') == 0
    assert bench.log.has('error', 'left.yaml: the camera is not calibrated')


def test_every_number_of_images_is_warmed_up(start_node, monkeypatch):
    detector, sizes = FakeDetector(), []
    monkeypatch.setattr(
        detector, 'detect_batch', lambda images, cameras: sizes.append(len(images))
    )
    start_node(detector=detector, cameras=['a', 'b', 'c'])
    assert sizes == [1, 2, 3]


@pytest.mark.parametrize(
    ('values', 'words'),
    [
        ({'cameras': ()}, 'cameras must be different names, got []'),
        ({'cameras': ('a', 'a')}, "cameras must be different names, got ['a', 'a']"),
        ({'cameras': ('a', '')}, 'begin with a letter'),
        ({'cameras': ('2nd',)}, "begin with a letter, got '2nd'"),
        ({'cameras': ('a', 'b'), 'camera_info_url': 'x.yaml'}, 'must contain {camera}'),
    ],
)
def test_wrong_names_are_refused(values, words):
    with pytest.raises(ValueError) as caught:
        NodeConfig(**values)
    assert words in str(caught.value)
