import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
import yaml

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from drawn_drive import render_drive
from fake_detector import CAR
from rclpy.qos import QoSProfile
from std_msgs.msg import Header
from vision_msgs.msg import Detection3DArray

from smoke_ros.colours import class_colour
from smoke_ros.resources import resource
from smoke_ros.ros.bags import BagReader, BagWriter
from smoke_ros.ros.demo import frames
from smoke_ros.ros.demo.__main__ import RANDOM_SENTENCE, main
from smoke_ros.ros.demo.pictures import draw_pictures
from smoke_ros.ros.demo.session import RECORDED
from smoke_ros.ros.demo.summary import read_answers, summarise
from smoke_ros.ros.messages import detections_to_message
from smoke_ros.ros.node_interface import DETECTIONS, DIAGNOSTICS
from smoke_ros.ros.player import PlayReport
from smoke_ros.ros.stamps import stamp_message

ROOT = Path(__file__).parents[2]
FAKE_NODE = [sys.executable, str(Path(__file__).with_name('fake_node.py'))]

#: Runs the demo with another node: NODE ARGUMENTS, each a list in Python's spelling.
RUN = """
import sys, ast
from smoke_ros.ros.demo.__main__ import main
sys.exit(main(ast.literal_eval(sys.argv[2]), ast.literal_eval(sys.argv[1])))
"""


def start_demo(out, node, *arguments):
    arguments = ['--out', str(out), '--device', 'cpu', *arguments]
    return subprocess.Popen(
        [sys.executable, '-c', RUN, repr(node), repr(arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.fixture(scope='module')
def drive(tmp_path_factory):
    """Return a KITTI raw drive of four rendered frames, from a day that is known."""
    folder = tmp_path_factory.mktemp('kitti') / '2011_09_26' / '2011_09_26_drive_0001_sync'
    render_drive(folder, 4)
    (folder / 'calib_cam_to_cam.txt').unlink()
    return folder


class TestFrames:
    def test_a_drive_is_found_in_the_folders_above_it(self, drive):
        for folder in (drive, drive.parent, drive.parents[1]):
            assert frames.find_kitti_drive(folder) == drive
        assert frames.find_kitti_drive(drive / 'absent') is None

    def test_a_known_day_needs_no_calibration_file(self, drive, tmp_path):
        prepared = frames.prepare_drive(str(drive), 2, tmp_path)
        assert prepared.bag == tmp_path / 'drive' and 'drive_0001' in prepared.description
        with BagReader(prepared.bag) as bag:
            assert bag.topics[prepared.camera.image].message_count == 2
            (info, *_) = bag.messages([prepared.camera.info])
            info = info.decode(bag.topics[prepared.camera.info].message_class())
        assert info.k[0] == 721.5377 and info.k[5] == 172.854

    def test_another_day_does(self, drive, tmp_path):
        other = tmp_path / '2011_10_03' / 'image_02' / 'data'
        other.mkdir(parents=True)
        with pytest.raises(FileNotFoundError, match=r'2011_10_03: no calib_cam_to_cam\.txt'):
            frames.prepare_drive(str(tmp_path), 0, tmp_path)

    def test_without_a_name_the_bundled_drive_is_taken(self, tmp_path):
        whole = frames.prepare_drive('', 0, tmp_path / 'whole')
        part = frames.prepare_drive('', 3, tmp_path / 'part')
        assert 'comes with smoke_ros' in part.description and part.camera == whole.camera
        with BagReader(whole.bag) as bag, BagReader(resource(frames.BUNDLED_DRIVE)) as bundled:
            assert [m.data for m in bag.messages()] == [m.data for m in bundled.messages()]
        with BagReader(part.bag) as bag:
            counts = {name: topic.message_count for name, topic in bag.topics.items()}
        assert counts[part.camera.image] == 3 and counts[part.camera.info] == 3

    def test_a_folder_without_a_drive_is_refused(self, tmp_path, capsys):
        assert main(['--kitti', str(tmp_path), '--out', str(tmp_path / 'out')]) == 2
        assert f'{tmp_path}: no KITTI raw drive' in capsys.readouterr().err


def test_the_launch_file_and_rviz_expect_the_demos_bag(tmp_path):
    prepared = frames.prepare_drive('', 1, tmp_path)
    camera = prepared.camera
    launch_file = (ROOT / 'launch' / 'demo.launch.py').read_text()
    for topic in (camera.image, camera.info):
        assert f"default_value='{topic}'" in launch_file
    with BagReader(prepared.bag) as bag:
        (image,) = bag.messages([camera.image])
        frame = image.decode(bag.topics[camera.image].message_class()).header.frame_id
    config = yaml.safe_load((ROOT / 'config' / 'smoke.rviz').read_text())
    assert config['Visualization Manager']['Global Options']['Fixed Frame'] == frame


class TestPictures:
    def draw(self, tmp_path, drive, answers, random):
        prepared = frames.prepare_drive(str(drive), 0, tmp_path)
        draw_pictures(
            prepared, answers, tmp_path / 'a.mp4', tmp_path / 'a.png', random=random
        )  # fmt: skip
        return cv2.imread(str(tmp_path / 'a.png'))

    def orange(self, picture):
        colour = 255 * np.array(class_colour('Car'))[::-1]
        return int((np.abs(picture - colour) < 12).all(-1).sum())

    def test_the_video_has_every_frame_and_the_strip_those_that_were_answered(
        self, tmp_path, drive
    ):
        stamps = [1_000_000_000 + n * 100_000_000 for n in range(4)]
        strip = self.draw(tmp_path, drive, {stamps[1]: [CAR], stamps[3]: []}, random=False)
        assert strip.shape == (2 * 375, 1242, 3)
        assert self.orange(strip[:375]) > 100 and self.orange(strip[375:]) == 0
        video = cv2.VideoCapture(str(tmp_path / 'a.mp4'))
        assert video.get(cv2.CAP_PROP_FPS) == 10.0
        shapes = []
        while (read := video.read())[0]:
            shapes.append(read[1].shape)
        # The codec wants even sizes and leaves the last row out.
        assert shapes == [(374, 1242, 3)] * 4

    def test_a_strip_that_cannot_be_written_is_named_and_the_older_one_stays(
        self, tmp_path, drive, monkeypatch
    ):
        (tmp_path / 'a.png').write_text('older')
        monkeypatch.setattr(cv2, 'imwrite', lambda *_: False)  # as on a full disk
        with pytest.raises(OSError, match=r'a\.png: OpenCV could not write it'):
            self.draw(tmp_path, drive, {}, random=False)
        assert (tmp_path / 'a.png').read_text() == 'older'

    def test_random_weights_show_no_boxes(self, tmp_path, drive):
        strip = self.draw(tmp_path, drive, {1_000_000_000: [CAR]}, random=True)
        assert strip.shape == (4 * 375, 1242, 3)
        assert self.orange(strip) == 0


def test_the_summary_is_that_of_the_recording(tmp_path):
    values = {
        'frames_in': '9', 'frames_out': '2', 'frames_dropped': '5', 'frames_refused': '1',
        'state': 'active', 'model': 'm', 'trained_on': 'KITTI', 'device': 'cpu',
        'latency_network_ms': '400.00', 'latency_network_max_ms': '410.00',
        'latency_total_ms': '450.00', 'latency_total_max_ms': '460.00',
    }  # fmt: skip
    early = {**values, 'frames_in': '1'}
    with BagWriter(tmp_path / 'bag') as bag:
        bag.add_topic(DETECTIONS, Detection3DArray, QoSProfile(depth=1))
        bag.add_topic(DIAGNOSTICS, DiagnosticArray, QoSProfile(depth=1))
        for second, stamp_ns in ((2, 7_000_000_001), (4, 7_200_000_000)):
            header = Header(stamp=stamp_message(stamp_ns))
            message = detections_to_message([CAR], header, lambda _: np.eye(6))
            bag.write(DETECTIONS, message, second * 10**9)
        for second, content in ((1, early), (5, values), (6, {'temperature': '20'})):
            pairs = [KeyValue(key=key, value=value) for key, value in content.items()]
            message = DiagnosticArray(status=[DiagnosticStatus(values=pairs)])
            bag.write(DIAGNOSTICS, message, second * 10**9)

    summary = summarise(tmp_path / 'bag', PlayReport({'/i': 10}, 0.9, 0.004), '/i', 'a drive')

    assert list(read_answers(tmp_path / 'bag')) == [7_000_000_001, 7_200_000_000]
    assert (summary.frames_in, summary.frames_out, summary.frames_dropped) == (9, 2, 5)
    assert (summary.frames_refused, summary.frames_unpaired, summary.detections) == (1, 1, 2)
    assert summary.played_hz == pytest.approx(10.0) and summary.out_hz == pytest.approx(0.5)
    assert list(summary.latency) == ['network', 'total']
    assert summary.latency['network'].max_ms == 410.0
    assert 'A frame takes 450 ms here and one comes every 100 ms' in summary.text()
    summary.write(tmp_path / 'summary.json')
    assert json.loads((tmp_path / 'summary.json').read_text())['latency']['total'] == {
        'mean_ms': 450.0, 'max_ms': 460.0,
    }  # fmt: skip


def test_the_demo_from_a_drive_to_a_video(tmp_path, drive):
    process = start_demo(
        tmp_path / 'out', [*FAKE_NODE, 'busy'], '--kitti', str(drive), '--model', 'random'
    )
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 0, output
    assert output.startswith(RANDOM_SENTENCE)

    summary = json.loads((tmp_path / 'out' / 'summary.json').read_text())
    assert (summary['frames_played'], summary['frames_in'], summary['model']) == (4, 4, 'fake')
    # The stand-in takes half a second a frame, and ten come in one.
    assert summary['frames_out'] >= 2 and summary['frames_dropped'] >= 1
    assert summary['frames_out'] + summary['frames_dropped'] == 4
    assert {'network', 'total'} <= set(summary['latency'])
    with BagReader(tmp_path / 'out' / 'detections') as bag:
        assert set(bag.topics) == set(RECORDED)
        assert bag.topics[DETECTIONS].message_count == summary['frames_out']
        assert bag.topics['/smoke_node/markers'].message_count == summary['frames_out']
        assert bag.topics['/smoke_node/label_info'].message_count >= 1
    answers = read_answers(tmp_path / 'out' / 'detections')
    assert max(answers) == 1_300_000_000  # the newest frame wins
    assert all(
        [d.class_name for d in found] == ['Car', 'Pedestrian'] for found in answers.values()
    )
    assert (tmp_path / 'out' / 'demo.mp4').stat().st_size > 10_000


def test_ctrl_c_stops_everything(tmp_path, drive):
    process = start_demo(tmp_path / 'out', [*FAKE_NODE, 'slow'], '--kitti', str(drive))
    log = tmp_path / 'out' / 'smoke_node.log'
    deadline = time.monotonic() + 60.0
    while not (log.exists() and 'loading' in log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    (node,) = psutil.Process(process.pid).children()

    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)

    assert process.returncode == 130, output
    assert 'demo: stopped' in output and 'Traceback' not in output
    assert not node.is_running()
    left = {path.name for path in (tmp_path / 'out').iterdir()}
    assert left == {'drive', 'smoke_node.log', 'calib_cam_to_cam.txt'}


def test_a_folder_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / 'file').touch()
    assert main(['--out', str(tmp_path / 'file' / 'out')]) == 2
    error = capsys.readouterr().err
    assert error.startswith('demo: ') and f'{tmp_path / "file" / "out"}' in error


def test_options_are_checked(capsys):
    assert main(['--rate', '0']) == 2
    assert 'rate must be 0.001 to 100, got 0.0' in capsys.readouterr().err
