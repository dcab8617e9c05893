import dataclasses

import pytest

pytest.importorskip('diagnostic_msgs')

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus as Status

from smoke_ros.ros.diagnostics import Health, assess
from smoke_ros.ros.statistics import FrameStatistics

FINE = FrameStatistics().report()
ACTIVE = Health('active')


def troubled(age_s, error=False):
    return dataclasses.replace(
        FINE, last_problem='odd', problem_age_s=age_s, problem_is_error=error
    )


def unanswered(since_s, rate_in_hz):
    return dataclasses.replace(FINE, unanswered_s=since_s, rate_in_hz=rate_in_hz)


@pytest.mark.parametrize(
    ('health', 'report', 'level', 'words'),
    [
        (ACTIVE, FINE, Status.OK, 'detecting at 0.0 Hz'),
        (Health('inactive'), FINE, Status.OK, 'inactive'),
        (Health('inactive'), troubled(1.0, error=True), Status.OK, 'inactive'),
        (Health('unconfigured', failure='no model'), FINE, Status.ERROR, 'no model'),
        (ACTIVE, troubled(1.0), Status.WARN, 'odd'),
        (ACTIVE, troubled(1.0, error=True), Status.ERROR, 'odd'),
        (ACTIVE, troubled(60.0, error=True), Status.OK, 'detecting'),
        (Health('active', missing='no info'), FINE, Status.WARN, 'no info'),
        (Health('active', missing='no images', silent=True), FINE, Status.STALE, 'no images'),
        (Health('active', camera_warning='cut off'), FINE, Status.WARN, 'cut off'),
        (ACTIVE, unanswered(2.0, 10.0), Status.OK, 'detecting'),
        (
            ACTIVE,
            unanswered(7.0, 10.0),
            Status.WARN,
            '10.0 Hz, but none has been answered for 7 s',
        ),
        (ACTIVE, unanswered(60.0, 0.0), Status.OK, 'detecting'),
        # What costs frames now is said before what is lacking, and that before what is lasting.
        (Health('active', missing='no info'), troubled(1.0), Status.WARN, 'odd'),
        (
            Health('active', missing='no info', camera_warning='cut off'),
            FINE,
            Status.WARN,
            'no info',
        ),
    ],
)
def test_levels(health, report, level, words):
    found, message = assess(health, report)
    assert found == level
    assert words in message


def test_statistics():
    statistics = FrameStatistics()
    for _ in range(4):
        statistics.arrived()
    statistics.dropped()
    statistics.refused('bad size')
    statistics.published({'network': 10.0})
    statistics.published({'network': 30.0})
    report = statistics.report()
    counts = (report.frames_in, report.frames_out, report.frames_dropped, report.frames_refused)
    assert counts == (4, 2, 1, 1)
    assert (report.rate_in_hz, report.rate_out_hz) == (4.0, 2.0)
    assert report.latencies['network'].mean_ms == 20.0
    assert report.latencies['network'].max_ms == 30.0
    assert 'convert' not in report.latencies
    assert (report.last_problem, report.problem_is_error) == ('bad size', False)
    assert report.problem_age_s < 5.0


@pytest.mark.parametrize('answer', [
    lambda statistics: statistics.published({}), lambda statistics: statistics.refused('odd'),
])  # fmt: skip
def test_how_long_images_are_without_an_answer(monkeypatch, answer):
    now = 100.0
    monkeypatch.setattr('smoke_ros.ros.statistics.time.monotonic', lambda: now)
    statistics = FrameStatistics()
    assert statistics.report().unanswered_s == 0.0
    statistics.arrived()
    now = 103.0
    statistics.arrived()
    now = 107.0
    statistics.dropped()  # the network is as busy as before
    assert statistics.report().unanswered_s == 7.0
    answer(statistics)
    assert statistics.report().unanswered_s == 0.0
    now = 108.0
    statistics.arrived()
    now = 109.0
    assert statistics.report().unanswered_s == 1.0


def test_before_configuration_and_through_the_states(start_node):
    bench = start_node(activate=False)
    bench.diagnostics = bench.listen(DiagnosticArray, '/diagnostics')
    assert bench.wait(lambda: bench.diagnostics)
    assert bench.status().name == 'smoke_node: /image'
    assert (bench.status().level, bench.status().message) == (Status.OK, 'unconfigured')
    assert bench.values()['model'] == 'none'
    bench.node.trigger_configure()
    assert bench.wait(lambda: bench.status().message == 'inactive')
    assert any(m.status[0].message == 'configuring' for m in bench.diagnostics)
    assert bench.values()['model'] == 'fake'
    assert bench.status().hardware_id == 'cpu'


def test_a_failed_configuration_is_an_error(start_node):
    bench = start_node(activate=False, classes=['Tram'])
    bench.diagnostics = bench.listen(DiagnosticArray, '/diagnostics')
    assert not bench.node.start()
    assert bench.wait(lambda: bench.diagnostics and bench.status().level == Status.ERROR)
    assert 'cannot be configured: classes must be of' in bench.status().message


def test_a_failed_activation_is_an_error_until_it_is_cleaned_up(start_node, monkeypatch):
    bench = start_node(activate=False, autostart=False)
    bench.diagnostics = bench.listen(DiagnosticArray, '/diagnostics')
    bench.node.trigger_configure()

    def refuse(*_, **__):
        raise ValueError('image and camera_info are one topic')

    monkeypatch.setattr('smoke_ros.ros.camera_stream.CameraInputs', refuse)
    bench.node.trigger_activate()
    assert bench.wait(lambda: bench.status().level == Status.ERROR)
    assert bench.status().message == 'cannot be activated: image and camera_info are one topic'
    assert bench.values()['state'] == 'inactive'
    bench.node.trigger_cleanup()
    assert bench.wait(lambda: bench.status().message == 'unconfigured')
    assert bench.status().level == Status.OK


def test_a_camera_is_forgotten_when_the_node_is_activated_again(start_node):
    bench = start_node()
    bench.connect()
    assert bench.answer(1.0) is not None
    assert bench.wait(lambda: bench.values().get('camera') == '64x48 pixels, raw')
    bench.node.trigger_deactivate()
    bench.node.trigger_activate()
    assert bench.wait(lambda: bench.values()['state'] == 'active')
    assert bench.wait(lambda: bench.values()['frames_in'] == '0')
    assert bench.values()['camera'] == 'none yet'


def test_frames_stages_and_camera(start_node):
    bench = start_node()
    bench.connect()
    now = bench.node.get_clock().now().nanoseconds * 1e-9
    assert bench.answer(round(now) - 5) is not None
    assert bench.wait(lambda: bench.statistics().frames_out == 1)
    assert bench.fresh_status().level == Status.OK
    values = bench.values()
    assert (values['frames_in'], values['frames_dropped'], values['frames_refused']) == (
        '1', '0', '0',
    )  # fmt: skip
    stages = ('waiting', 'convert', 'preprocess', 'network', 'decode', 'publish', 'total', 'stamp')
    for stage in stages:
        assert f'latency_{stage}_ms' in values, stage
        assert f'latency_{stage}_max_ms' in values, stage
    assert values['latency_network_ms'] == '2.00'
    assert 4000.0 < float(values['latency_stamp_ms']) < 20000.0
    assert (values['model'], values['device'], values['state']) == ('fake', 'cpu', 'active')
    assert values['engine'] == 'fake, float32'
    assert values['model_sha256'] == 'fa' * 32
    assert values['camera'] == '64x48 pixels, raw'
    assert values['focal_length_px'] == '50.0'
    assert values['last_error'] == 'none'
    assert float(values['rate_in_hz']) > 0


@pytest.mark.parametrize('stamp', [5.0, 2e9])
def test_stamps_of_another_clock_are_no_latency(start_node, stamp):
    bench = start_node()
    bench.connect()
    assert bench.answer(stamp) is not None
    assert bench.wait(lambda: bench.statistics().frames_out == 1)
    bench.fresh_status()
    assert bench.values()['frames_out'] == '1'
    assert 'latency_stamp_ms' not in bench.values()


def test_a_field_of_view_that_is_cut_off_is_a_warning(start_node):
    bench = start_node()
    setup = bench.detector.camera_setup
    bench.detector.camera_setup = lambda camera: dataclasses.replace(
        setup(camera), visible_fraction=0.53
    )
    bench.connect()
    assert bench.answer(1.0) is not None
    assert bench.fresh_status().level == Status.WARN
    assert bench.status().message == 'the network sees 53% of the image'


def test_one_message_a_second(start_node):
    bench = start_node(activate=False)
    messages = bench.listen(DiagnosticArray, '/diagnostics')
    assert bench.wait(lambda: len(messages) >= 3)
    times = [m.header.stamp.sec + m.header.stamp.nanosec * 1e-9 for m in messages]
    assert times[2] - times[1] == pytest.approx(1.0, abs=0.5)


def test_the_camera_and_the_slowest_frame_are_told(start_node):
    bench = start_node(rectification='rectified')
    setup = bench.detector.camera_setup
    bench.detector.camera_setup = lambda camera: dataclasses.replace(
        setup(camera), depth_scale=0.5, visible_fraction=0.95
    )
    bench.connect()
    assert bench.answer(1.0) is not None
    assert bench.wait(lambda: bench.statistics().frames_out == 1)
    bench.node._streams[0].statistics.took('network', 6.0)
    bench.fresh_status()
    values = bench.values()
    assert (values['depth_scale'], values['visible_fraction']) == ('0.500', '0.950')
    assert values['camera'] == '64x48 pixels, rectified'
    assert (values['latency_network_ms'], values['latency_network_max_ms']) == ('4.00', '6.00')
