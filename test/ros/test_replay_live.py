"""`smoke-ros replay --live` with the real node and a stand-in for the detector."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy')

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from fake_detector import CAR
from small_bags import BEGIN_NS, DELAY_NS, write_small_bag
from small_bags import CAR as LABEL
from std_msgs.msg import Header
from vision_msgs.msg import Detection3DArray

from smoke_ros.config.options import plain
from smoke_ros.replay.records import FRAMES_FILE, read_frames, read_run
from smoke_ros.ros.bag_frames import Selection
from smoke_ros.ros.bags import BagMessage, BagReader, BagWriter
from smoke_ros.ros.qos import RELIABLE
from smoke_ros.ros.replay.bag_clock import BagClock
from smoke_ros.ros.replay.live import LiveOptions, _Window, replay_live
from smoke_ros.ros.replay.live_records import NodeReport, _Answers, _why_dropped
from smoke_ros.ros.replay.load_monitor import LoadMonitor
from smoke_ros.ros.replay.request import ReplayRequest
from smoke_ros.ros.stamps import stamp_message

FAKE_NODE = Path(__file__).parent / 'fake_node.py'


def play(
    bag, out, kind='fake', rate=1.0, parameters=None, params_file=None, *, keep_finished=False,
    **options,
):  # fmt: skip
    command = (sys.executable, str(FAKE_NODE), kind)
    live = LiveOptions(rate, '', 'cpu', parameters or {}, params_file, command)
    return replay_live(
        ReplayRequest(bag=bag, out=out, **options), live, keep_finished=keep_finished
    )


def frames(out):
    return list(read_frames(out / FRAMES_FILE))


def test_what_a_vehicle_would_get(tmp_path, ros_domain):
    write_small_bag(tmp_path / 'in', 12)
    run = play(tmp_path / 'in', tmp_path / 'out')
    records = frames(tmp_path / 'out')
    assert [record.index for record in records] == list(range(12))
    processed = [record for record in records if record.status == 'processed']
    assert len(processed) >= 6
    for record in processed:
        assert [found.class_name for found in record.detections] == ['Car', 'Pedestrian']
        assert record.detections[0].location == pytest.approx(CAR.location)
        x1, _, x2, _ = record.detections[0].bbox_xyxy_px
        assert 0.0 <= x1 < x2
        assert record.ground_truth[0].location == pytest.approx(LABEL.location)
        assert record.latency_ms > 1e-6 * DELAY_NS
    assert run == read_run(tmp_path / 'out')
    assert run.mode == 'live' and run.options['rate'] == 1.0
    assert (run.model['name'], run.model['sha256']) == ('fake', 'fa' * 32)
    assert sum(run.counts.values()) == 12 and run.counts['processed'] == len(processed)
    assert run.load and run.load[-1].memory_mb > 10.0
    assert (tmp_path / 'out/detections/_front_image_rect').is_dir()
    with BagReader(tmp_path / 'out/bag') as bag:
        messages = list(bag.messages(['/smoke_node/detections']))
        assert bag.topics['/smoke_node/markers'].message_count == len(messages)
    assert len(messages) == len(processed)
    # Times are the bag's: behind the reception of the image, and long before the wall's.
    assert BEGIN_NS + DELAY_NS < messages[0].stamp_ns < messages[-1].stamp_ns < 100 * 10**9
    # The same, for one of many that go on, is done; another one is not.
    assert play(tmp_path / 'in', tmp_path / 'out', 'no such kind', keep_finished=True) == run
    with pytest.raises(ValueError, match=r'another options \(rate was 1\.0, is 2\.0\)'):
        play(tmp_path / 'in', tmp_path / 'out', rate=2.0, keep_finished=True)


def test_a_file_of_parameters_counts_where_nothing_else_was_asked_for(tmp_path, ros_domain):
    write_small_bag(tmp_path / 'in', 12)
    (tmp_path / 'node.yaml').write_text(
        'smoke_node: {ros__parameters: {cameras: [front, left], score_threshold: 0.7,'
        ' max_detections: 3, input_height: 448, rectification: raw, qos_reliability: reliable}}\n'
    )
    everything = ['Car', 'Pedestrian']
    for number, (asked, names) in enumerate([
        ({}, ['Car']), ({'score_threshold': 0.5}, everything),
        ({'class_thresholds': ('Pedestrian=0.5',)}, everything),
    ]):  # fmt: skip
        out = tmp_path / f'out{number}'
        run = play(tmp_path / 'in', out, parameters=asked, params_file=tmp_path / 'node.yaml')
        assert run.counts['processed'] >= 6
        in_force = {'score_threshold': 0.7, 'class_thresholds': [''], **plain(asked)}
        assert {name: run.options[name] for name in in_force} == in_force
        assert run.options['max_detections'] == 3 and run.options['input_size'] == [0, 448]
        assert run.options['parameters'] == {
            'cameras': ['front', 'left'], 'qos_reliability': 'reliable',
        }  # fmt: skip
        found = [r.detections for r in frames(out) if r.status == 'processed']
        assert {tuple(d.class_name for d in each) for each in found} == {tuple(names)}


def test_a_vehicles_file_may_be_of_a_managed_node_with_a_calibration(
    tmp_path, ros_domain, monkeypatch
):
    reports = []

    class Kept(NodeReport):
        def __init__(self):
            super().__init__()
            reports.append(self)

    monkeypatch.setattr('smoke_ros.ros.replay.live.NodeReport', Kept)
    monkeypatch.setattr('smoke_ros.ros.node_process.START_LIMIT_S', 120.0)
    write_small_bag(tmp_path / 'in', 12)
    (tmp_path / 'node.yaml').write_text(
        'smoke_node: {ros__parameters: {autostart: false, use_sim_time: false,'
        ' qos_durability: transient_local, camera_info_url: /on/the/vehicle.yaml}}\n'
    )
    run = play(tmp_path / 'in', tmp_path / 'out', params_file=tmp_path / 'node.yaml')
    assert run.counts['processed'] >= 6
    # The stamps are of the bag's time, and so is the node's clock.
    assert 'latency_stamp_ms' in reports[0].values


def test_a_file_without_parameters_of_the_node_is_refused(tmp_path):
    write_small_bag(tmp_path / 'in', 2)
    file = tmp_path / 'node.yaml'
    for text, got in (
        ('front: {ros__parameters: {model: demo}}', 'those of /front'),
        ('rig: {smoke_node: {ros__parameters: {model: demo}}}', 'those of /rig/smoke_node'),
        ('model: demo', 'none'),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=rf'{file}: expected .*/smoke_node, .*got {got}$'):
            play(tmp_path / 'in', tmp_path / 'out', params_file=file)
    assert not (tmp_path / 'out').exists()


def test_an_image_without_a_stamp_gets_no_other_ones_answer(tmp_path, ros_domain):
    write_small_bag(tmp_path / 'in', 4, stamped=False)
    run = play(tmp_path / 'in', tmp_path / 'out')
    assert run.counts == {'failed': 4}
    assert 'its stamp is zero: in a live replay' in frames(tmp_path / 'out')[0].reason


def test_frames_are_dropped_where_the_node_is_too_slow(tmp_path, ros_domain):
    # Half a second for each frame, which come every 25 ms.
    write_small_bag(tmp_path / 'in', 40)
    run = play(tmp_path / 'in', tmp_path / 'out', 'busy', rate=4.0)
    assert run.counts['dropped'] > run.counts['processed'] > 0
    dropped = next(record for record in frames(tmp_path / 'out') if record.status == 'dropped')
    assert 'no detections were published for it; of all frames the node rep' in dropped.reason
    assert dropped.latency_ms is None and dropped.ground_truth


def test_a_node_that_does_not_start_is_reported(tmp_path, ros_domain):
    write_small_bag(tmp_path / 'in', 2)
    with pytest.raises(RuntimeError, match='the node has ended with exit code'):
        play(tmp_path / 'in', tmp_path / 'out', 'no such kind')
    with pytest.raises(ValueError, match='an interrupted run with another options'):
        play(tmp_path / 'in', tmp_path / 'out', rate=2.0)


def test_a_node_that_ends_while_it_is_played_to_is_reported_at_once(tmp_path, ros_domain):
    write_small_bag(tmp_path / 'in', 600)
    with pytest.raises(RuntimeError, match=r'(?s)ended with exit code 9;.*\n  dying'):
        play(tmp_path / 'in', tmp_path / 'out', 'dying')
    # Written to when the node ended; the bag goes on for a minute.
    assert time.time() - (tmp_path / 'out/smoke_node.log').stat().st_mtime < 30.0


def test_what_cannot_be_played(tmp_path):
    write_small_bag(tmp_path / 'in', 2, cameras=('/left', '/right'))
    with pytest.raises(ValueError, match='the node takes one camera, the bag has 2'):
        play(tmp_path / 'in', tmp_path / 'out')
    for rate in (0.0, float('inf'), float('nan')):
        with pytest.raises(ValueError, match=f'rate must be above 0 and finite, got {rate:g}'):
            play(tmp_path / 'in', tmp_path / 'out', rate=rate)


def test_a_part_of_a_bag_begins_with_the_camera_info_before_it():
    def message(topic, seconds):
        return BagMessage(topic, seconds * 10**9, b'')

    recorded = [message('info', 5), message('image', 5), message('image', 7), message('image', 8)]
    bag = SimpleNamespace(first_ns=5 * 10**9, messages=lambda topics: iter(recorded))
    request = ReplayRequest(Path('in'), Path('out'), selection=Selection(start_s=2.0))
    played = list(_Window(bag, request, 'info').messages(['image', 'info']))
    assert played == [message('info', 7), message('image', 7), message('image', 8)]


def test_the_bags_time_runs_from_where_it_is_started(ros_context):
    with BagClock(rclpy.create_node('clock'), 5, 0.5) as clock:
        assert clock.now_ns() == 5
        begun = time.monotonic()
        clock.start(10**18)
        first_ns = clock.now_ns()
        time.sleep(0.01)
        later_ns = clock.now_ns()
        elapsed_s = time.monotonic() - begun
    assert first_ns >= 10**18
    assert 5_000_000 <= later_ns - 10**18 <= 0.5e9 * elapsed_s


def test_answers_are_found_where_stamps_jump_back_and_come_again(tmp_path):
    second = 10**9
    with BagWriter(tmp_path / 'bag') as bag:
        bag.add_topic('/smoke_node/detections', Detection3DArray, RELIABLE)
        # Two passes of a recording that is looped; 101 is never answered, 2 only the first time.
        for received, stamp in ((10, 100), (12, 1), (13, 2), (14, 3), (22, 1), (24, 3), (90, 4)):
            header = Header(stamp=stamp_message(stamp * second))
            bag.write('/smoke_node/detections', Detection3DArray(header=header), received * second)
    with BagReader(tmp_path / 'bag') as recorded:
        answers = _Answers(recorded, 1.0)
        images = ((10, 100), (11, 101), (12, 1), (13, 2), (14, 3), (22, 1), (23, 2), (24, 3))
        found = [answers.take(stamp * second, received * second) for received, stamp in images]
        assert len(answers._near) <= 1
    arrivals = [None if answer is None else answer[0] // second for answer in found]
    assert arrivals == [10, None, 12, 13, 14, 22, None, 24]


class TestEnd:
    """When nothing more is to be waited for."""

    @pytest.fixture
    def report(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(
            'smoke_ros.ros.replay.live_records.time', SimpleNamespace(monotonic=lambda: self.now)
        )
        return NodeReport()

    def hear(self, report, now, **values):
        self.now = now
        pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
        report.hear(DiagnosticArray(status=[DiagnosticStatus(values=pairs)]))

    def test_all_frames_are_accounted_for(self, report):
        assert not report.is_done(100.0)
        self.hear(report, 101.0, frames_in=3, frames_out=1, frames_dropped=1)
        assert not report.is_done(100.0)
        self.hear(report, 102.0, frames_in=3, frames_out=1, frames_dropped=1, frames_refused=1)
        assert report.is_done(100.0) and not report.is_done(103.0)
        assert report.summary().endswith('reported 3 in, 1 out, 1 dropped, 1 refused')

    def test_what_the_node_complains_of_is_the_reason(self, report):
        counts = [KeyValue(key='frames_in', value='8'), KeyValue(key='frames_out', value='1')]
        for level, message in ((DiagnosticStatus.WARN, 'set sync to latest'),
                               (DiagnosticStatus.OK, 'fine')):  # fmt: skip
            status = DiagnosticStatus(level=level, message=message, values=counts)
            report.hear(DiagnosticArray(status=[status]))
        assert _why_dropped(report).endswith('it said: set sync to latest')

    def test_the_first_frame_may_take_long(self, report):
        for now in (101.0, 130.0):
            self.hear(report, now, frames_in=3, frames_dropped=1)
            assert not report.is_done(100.0)

    def test_or_nothing_has_happened_for_long(self, report):
        values = {'frames_in': 3, 'frames_out': 1, 'latency_total_max_ms': 4000}
        for now, done in ((101.0, False), (110.0, False), (119.0, True)):
            self.hear(report, now, **values)
            assert report.is_done(100.0) == done
        self.hear(report, 120.0, **{**values, 'frames_out': 2})
        assert not report.is_done(100.0)


@contextlib.contextmanager
def running(program):
    """Run a Python program; at the end it is no more."""
    process = subprocess.Popen([sys.executable, '-S', '-c', program])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for_samples(monitor, count, timeout_s=30.0):
    deadline = time.monotonic() + timeout_s
    while len(monitor.samples) < count and time.monotonic() < deadline:
        time.sleep(0.05)


def test_load_is_sampled_until_the_process_ends():
    busy = 'import time; end = time.time() + 20\nwhile time.time() < end: pass'
    with running(busy) as process, LoadMonitor(process.pid, 0.1) as monitor:
        wait_for_samples(monitor, 5)
        process.kill()
        process.wait()
    assert max(sample.cpu_percent for sample in monitor.samples) > 5.0
    assert all(sample.memory_mb > 1.0 for sample in monitor.samples)
    times = [sample.time_s for sample in monitor.samples]
    assert times == sorted(times) and times[0] > 0.0


def test_load_is_sampled_though_a_child_ends_or_the_process_has_ended():
    # Compilers of kernels, for instance, come and go.
    parent = (
        'import subprocess, sys, time\nend = time.time() + 20\n'
        "while time.time() < end: subprocess.run([sys.executable, '-S', '-c', ''])"
    )
    with running(parent) as process, LoadMonitor(process.pid, 0.01) as monitor:
        wait_for_samples(monitor, 100)
    assert len(monitor.samples) >= 100
    with LoadMonitor(process.pid, 0.01) as monitor:
        time.sleep(0.1)
    assert not monitor.samples
