"""How an image finds its camera info, over DDS."""

import time
from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy')

from fake_detector import FakeDetector
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo

from smoke_ros.ros import inputs
from smoke_ros.ros.node import SmokeNode
from smoke_ros.ros.qos import mismatch_text

BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(
    depth=5, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


def stamps(bench):
    return [m.header.stamp.sec + m.header.stamp.nanosec * 1e-9 for m in bench.detections]


def send_apart(bench, make, image_s, info_s):
    bench.infos.publish(make.camera_info(info_s))
    bench.images.publish(make.image(image_s))


def test_exact_takes_equal_stamps_only(start_node, make):
    bench = start_node(sync='exact')
    bench.connect()
    send_apart(bench, make, 1.0, 1.001)
    send_apart(bench, make, 2.0, 2.0)
    assert bench.wait(lambda: bench.detections)
    assert stamps(bench) == [2.0]


def test_exact_waits_for_a_camera_info_that_comes_later(start_node, make):
    bench = start_node()
    bench.connect()
    bench.images.publish(make.image(1.0))
    assert bench.wait(lambda: bench.statistics().frames_in == 1)
    bench.infos.publish(make.camera_info(1.0))
    assert bench.wait(lambda: bench.detections)
    assert stamps(bench) == [1.0]


def test_approximate_takes_stamps_within_the_slop(start_node, make):
    bench = start_node(sync='approximate', sync_slop=0.1)
    bench.connect()
    send_apart(bench, make, 1.0, 1.5)
    send_apart(bench, make, 2.0, 2.05)
    assert bench.wait(lambda: bench.detections)
    assert stamps(bench) == [2.0]


def test_latest_uses_one_camera_info_for_many_images(start_node, make):
    bench = start_node(sync='latest')
    bench.connect()
    bench.images.publish(make.image(1.0))
    assert bench.wait(lambda: bench.statistics().frames_in == 1)
    bench.infos.publish(make.camera_info(1.5))
    assert bench.wait(lambda: bench.node._streams[0]._inputs._latest_info is not None)
    for number in (2, 3):
        bench.images.publish(make.image(float(number)))
        assert bench.wait(lambda n=number: len(bench.detections) == n - 1)
    assert stamps(bench) == [2.0, 3.0]  # nothing is made up for the first image


def test_a_calibration_file_stands_for_camera_infos(start_node, make, tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text(make.calibration_yaml(fx=70.0), encoding='utf-8')
    bench = start_node(camera_info_url=f'file://{path}')
    bench.connect(camera_infos=False)
    assert bench.node.count_subscribers('camera_info') == 0
    bench.images.publish(make.image(1.0))
    assert bench.wait(lambda: bench.detections)
    assert bench.detector.cameras[-1].K[0, 0] == 70.0


@pytest.mark.parametrize('sync', ['exact', 'approximate', 'latest'])
def test_a_bag_that_starts_anew_goes_on(start_node, make, sync):
    bench = start_node(sync=sync)
    bench.connect()
    # Camera infos without images fill the synchroniser's queue with stamps of the first round.
    for number in range(20):
        bench.infos.publish(make.camera_info(100.0 + number))
    assert bench.wait(lambda: bench.node._streams[0]._inputs._latest_info is not None)
    for stamp in (200.0, 201.0, 1.0, 2.0, 3.0):
        assert bench.answer(stamp) is not None, stamp
    assert stamps(bench) == [200.0, 201.0, 1.0, 2.0, 3.0]
    assert bench.log.has('info', 'went back by 200.0 s: starting anew')


def test_an_image_out_of_order_costs_itself(start_node):
    bench = start_node()
    bench.connect()
    assert bench.answer(1.0) is not None
    assert bench.answer(1.2) is not None
    bench.send(1.1)
    assert bench.wait(lambda: bench.statistics().frames_refused == 1)
    assert bench.answer(1.3) is not None
    assert stamps(bench) == [1.0, 1.2, 1.3]
    assert bench.log.has('warning', 'image on /image left out: it is older than the one before')


def test_an_image_out_of_order_costs_none_that_waits(start_node, make):
    bench = start_node()
    bench.connect()
    assert bench.answer(9.0) is not None
    for stamp in (10.0, 10.1, 10.05):
        bench.images.publish(make.image(stamp))
    assert bench.wait(lambda: bench.statistics().frames_in == 4)
    for stamp in (10.0, 10.1):
        bench.infos.publish(make.camera_info(stamp))
    assert bench.wait(lambda: bench.statistics().frames_out == 3)
    assert bench.statistics().frames_refused == 1


def test_a_camera_info_out_of_order_costs_no_image(start_node, make):
    bench = start_node()
    bench.connect()
    listener = bench.node._streams[0]._inputs
    for count in range(1, 6):
        # A second publisher, of the same camera infos, is a frame late.
        now, late = (make.camera_info(10.0 + 0.1 * number) for number in (count, count - 1))
        bench.infos.publish(now)
        bench.infos.publish(late)
        assert bench.wait(lambda late=late: listener._latest_info == late)
        bench.images.publish(make.image(10.0 + 0.1 * count))
        assert bench.wait(lambda count=count: len(bench.detections) == count), count


def test_an_image_that_waits_while_time_starts_anew_is_counted(start_node, make):
    bench = start_node()
    bench.connect()
    assert bench.answer(100.0) is not None
    bench.images.publish(make.image(101.0))
    assert bench.wait(lambda: bench.statistics().frames_in == 2)
    assert bench.answer(1.0) is not None
    assert bench.statistics().frames_refused == 1


@pytest.mark.parametrize(
    ('publisher', 'asked'),
    [(RELIABLE, {}), (LATCHED, {}), (RELIABLE, {'qos_reliability': 'reliable', 'qos_depth': 1})],
)
def test_every_publisher_serves_what_asks_for_no_more(start_node, publisher, asked):
    bench = start_node(**asked)
    bench.connect(publisher)
    assert bench.answer(1.0) is not None


def test_a_camera_info_that_was_latched_before_serves_images_that_are_not(start_node, make):
    bench = start_node(
        activate=False, sync='latest', qos_reliability='reliable',
        qos_durability='transient_local',
    )  # fmt: skip
    bench.advertise_inputs(LATCHED, images=False)
    bench.infos.publish(make.camera_info(0.0))
    assert bench.node.start()
    bench.connect(RELIABLE, camera_infos=False)

    def is_served() -> bool:
        # An image that is there before the camera info is none of its.
        bench.images.publish(make.image(1.0 + 0.1 * bench.statistics().frames_in))
        return bench.statistics().frames_out > 0

    assert bench.wait(is_served)


def test_a_camera_info_that_comes_once_only_is_said_with_the_remedy(start_node, make, monkeypatch):
    monkeypatch.setattr(inputs, 'SILENCE_S', 0.4)
    monkeypatch.setattr(inputs, 'PAIRING_S', 0.1)
    bench = start_node(sync='exact')
    bench.connect()
    bench.infos.publish(make.camera_info(0.0))

    def is_said() -> bool:
        bench.images.publish(make.image(1.0 + 0.1 * bench.statistics().frames_in))
        return 'set sync to latest if it is published once' in bench.fresh_status().message

    assert bench.wait(is_said)


@pytest.mark.parametrize(
    ('asked', 'remedy'),
    [
        ({'qos_reliability': 'reliable'}, 'set qos_reliability to best_effort'),
        ({'qos_durability': 'transient_local'}, 'set qos_durability to volatile'),
    ],
)
def test_a_publisher_that_offers_less_is_named_with_the_remedy(start_node, asked, remedy):
    bench = start_node(**asked)
    bench.advertise_inputs(BEST_EFFORT)
    # The durability is that of camera info alone.
    topics = ['/camera_info'] if 'qos_durability' in asked else ['/image', '/camera_info']
    for topic in topics:
        text = f'a publisher on {topic} does not offer'
        assert bench.wait(lambda text=text: bench.log.has('warning', text)), text
    assert bench.log.has('warning', remedy)


def test_a_mismatch_without_a_parameter_is_the_publisher_s():
    assert mismatch_text('/image', 'DEADLINE').endswith('from it: change the publisher')


def test_missing_camera_info_is_said_with_the_topic(start_node, make):
    bench = start_node(sync='exact')
    bench.connect()
    bench.images.publish(make.image(1.0))
    text = 'waiting for camera info on /camera_info'
    assert bench.wait(lambda: bench.log.has('warning', text))
    assert bench.wait(lambda: text in bench.status().message)
    assert bench.status().level == b'\x01'
    assert bench.detections == []
    assert bench.answer(2.0) is not None
    assert bench.fresh_status().level == b'\x00'


def test_images_whose_camera_info_is_lost_are_counted(start_node, make):
    bench = start_node(sync='exact')
    bench.connect()
    assert bench.answer(1.0) is not None
    bench.images.publish(make.image(2.0))
    bench.images.publish(make.image(3.0))
    assert bench.answer(4.0) is not None
    report = bench.statistics()
    assert (report.frames_in, report.frames_out, report.frames_refused) == (4, 2, 2)
    assert bench.log.has('warning', 'image on /image left out: no camera info came for it')
    assert bench.fresh_status().level == b'\x01'


def receive(bench, message):
    """Hand the node a message at once: over DDS, two topics may overtake each other."""
    is_info = isinstance(message, CameraInfo)
    receiver = bench.node._streams[0]._inputs
    (receiver._on_camera_info if is_info else receiver._on_image)(message)


@pytest.mark.parametrize('sync', ['exact', 'approximate'])
@pytest.mark.parametrize('late', ['images', 'camera infos'])
def test_what_comes_too_late_for_the_queue_is_counted_and_said_with_the_remedy(
    start_node, make, monkeypatch, sync, late
):
    monkeypatch.setattr(inputs, 'PAIRING_S', 0.0)
    bench = start_node(sync=sync, sync_queue=3, warning_period=0.0)
    first, second = make.camera_info, make.image
    if late == 'camera infos':
        first, second = second, first
    for number in range(12):
        receive(bench, first(1.0 + number))
        if number >= 4:
            receive(bench, second(1.0 + number - 4))
    report = bench.statistics()
    images = 8 if late == 'images' else 12
    # Those that wait at the end are not lost yet.
    assert (report.frames_in, report.frames_out, report.frames_refused) == (images, 0, images - 3)
    problem, is_silent = bench.node._streams[0].missing_input()
    assert not is_silent
    assert problem.startswith(f'{late} come later than their ')
    assert problem.endswith('of which only 3 wait for them: set sync_queue higher')
    assert bench.log.has('warning', f'image on /image left out: {late} come later than their')


def test_images_for_which_no_camera_info_comes_are_counted(start_node, make):
    bench = start_node(sync='exact', sync_queue=2)
    for number in range(5):
        receive(bench, make.image(1.0 + number))
    assert bench.statistics().frames_refused == 3


def test_detections_never_run_backwards_and_no_frame_counts_twice(start_node, make):
    bench = start_node(sync='approximate', sync_slop=0.1)
    bench.connect()
    # The first camera info is nearer to the second image; the last one finds but the first.
    for message in (
        make.image(1.0), make.image(1.033), make.camera_info(1.02),
        make.image(1.067), make.camera_info(1.053), make.camera_info(1.087),
    ):  # fmt: skip
        receive(bench, message)
        time.sleep(0.05)  # the worker passes over a frame where the next one is there already
    receive(bench, make.image(2.0))
    receive(bench, make.camera_info(2.0))
    assert bench.wait(lambda: 2.0 in stamps(bench))
    assert stamps(bench) == [1.033, 1.067, 2.0]
    report = bench.statistics()
    assert (report.frames_in, report.frames_out, report.frames_refused) == (4, 3, 0)


def test_the_time_that_an_image_waits_for_its_camera_info_is_part_of_its_latency(start_node, make):
    bench = start_node(sync='exact')
    receive(bench, make.image(1.0))
    time.sleep(0.3)
    receive(bench, make.camera_info(1.0))
    assert bench.wait(lambda: bench.statistics().frames_out == 1)
    latencies = bench.statistics().latencies
    assert latencies['waiting'].mean_ms >= 300.0
    assert latencies['total'].mean_ms >= 300.0


def test_a_camera_info_with_an_impossible_stamp_is_not_used(start_node, make):
    bench = start_node(sync='latest')
    odd = make.camera_info(1.0)
    odd.header.stamp.sec = -5
    receive(bench, odd)
    receive(bench, make.image(2.0))
    assert bench.log.has('warning', 'camera info on /camera_info left out: the stamp -5 s')
    receive(bench, make.camera_info(2.0))
    receive(bench, make.image(3.0))
    assert bench.wait(lambda: bench.statistics().frames_out == 1)


@pytest.mark.parametrize(('queue', 'answered'), [(3, [2.0, 3.0, 4.0]), (10, [1.0, 2.0, 3.0, 4.0])])
def test_as_many_images_wait_for_their_camera_info_as_the_queue_holds(
    start_node, make, queue, answered
):
    bench = start_node(sync='exact', sync_queue=queue)
    bench.connect()
    for second in (1.0, 2.0, 3.0, 4.0):
        bench.images.publish(make.image(second))
        assert bench.wait(lambda second=second: bench.statistics().frames_in == second)
    for second in (1.0, 2.0, 3.0, 4.0):
        bench.infos.publish(make.camera_info(second))
        if second in answered:
            assert bench.wait(lambda second=second: second in stamps(bench))
    # The worker passes over a frame where the next one is there already.
    assert bench.statistics().frames_dropped == 0
    assert stamps(bench) == answered


def test_images_before_the_first_camera_info_are_nobodys_fault(start_node, make):
    bench = start_node(sync='exact')
    bench.connect()
    bench.images.publish(make.image(1.0))
    assert bench.answer(2.0) is not None
    assert bench.statistics().frames_refused == 0


def test_topics_may_be_swapped(ros_context):
    pairs = [('left', 'right'), ('right', 'left')]
    rules = [
        part
        for name, other in pairs
        for topic in ('image', 'camera_info')
        for part in ('-r', f'{name}/{topic}:=/{other}/{topic}')
    ]
    node = SmokeNode(
        load_detector=lambda *_, **__: FakeDetector(),
        cli_args=['--ros-args', *rules],
        parameter_overrides=[Parameter('cameras', value=['left', 'right'])],
    )
    try:
        assert node.start()
        for stream, other in zip(node._streams, ('right', 'left'), strict=True):
            heard = [each.topic_name for each in stream._inputs._subscriptions]
            assert heard == [f'/{other}/image', f'/{other}/camera_info']
            assert stream.image_topic == f'/{other}/image'
    finally:
        node.close()


def test_one_topic_for_images_and_camera_infos_is_refused(ros_context):
    node = SmokeNode(
        load_detector=lambda *_, **__: FakeDetector(),
        cli_args=['--ros-args', '-r', 'image:=/camera', '-r', 'camera_info:=/camera'],
    )
    try:
        assert not node.start()
        assert node._failure.startswith('cannot be activated: image and camera_info are one topic')
        assert node.count_subscribers('/camera') == 0
    finally:
        node.close()


def test_a_mismatch_is_forgotten_once_messages_come(start_node, monkeypatch):
    bench = start_node(qos_reliability='reliable')
    bench.advertise_inputs(BEST_EFFORT)
    assert bench.wait(lambda: bench.log.has('warning', 'does not offer'))
    bench.peer.destroy_publisher(bench.images)
    bench.peer.destroy_publisher(bench.infos)
    bench.connect(RELIABLE)
    assert bench.answer(1.0) is not None
    monkeypatch.setattr(inputs, 'SILENCE_S', 0.0)
    problem, _ = bench.node._streams[0].missing_input()
    assert problem == 'no images arrive on /image'


def test_two_clocks_on_one_topic_are_said_once_in_a_while(start_node):
    bench = start_node(warning_period=60.0)
    bench.connect()
    for number in range(1, 7):
        assert bench.answer((1000.0 if number % 2 else 1.0) + number) is not None
    # Of the two topics, the one that is heard first says it; which one may change.
    topics = [line.split()[2] for _, line in bench.log.lines if 'went back' in line]
    assert topics and len(topics) == len(set(topics))


def test_stamps_that_never_meet_are_said_with_the_remedy(start_node, make):
    bench = start_node(sync='exact')
    bench.connect()
    send_apart(bench, make, 1.0, 1.25)
    text = 'no two have the same stamp: set sync to approximate or latest'
    assert bench.wait(lambda: bench.log.has('warning', text))


@pytest.mark.parametrize(
    ('sync', 'words'),
    [
        ('exact', 'no two have the same stamp: set sync to approximate or latest'),
        ('approximate', 'set sync_slop higher, to half the time between two images at most'),
    ],
)
@pytest.mark.parametrize('offset_s', [0.4, -1000.0, 1000.0])
def test_stamps_of_two_clocks_are_not_taken_for_late_ones(
    start_node, make, monkeypatch, sync, words, offset_s
):
    monkeypatch.setattr(inputs, 'PAIRING_S', 0.0)
    bench = start_node(sync=sync, sync_queue=3)
    for number in range(10):
        receive(bench, make.camera_info(2000.0 + offset_s + number))
        receive(bench, make.image(2000.0 + number))
    assert words in bench.node._streams[0].missing_input()[0]
    assert bench.statistics().frames_refused == 7


@pytest.mark.parametrize(
    ('types', 'words'),
    [
        (
            ['sensor_msgs/msg/CompressedImage'],
            'expected sensor_msgs/msg/Image; set',
        ),
        (['sensor_msgs/msg/Image', 'other/msg/Type'], 'no images arrive on /image'),
    ],
)
def test_silent_publishers_are_looked_at(start_node, monkeypatch, types, words):
    check_that_it_is_said(start_node(), monkeypatch, types, words)


def test_the_topic_of_raw_images_is_told_from_that_of_compressed_ones(start_node, monkeypatch):
    bench = start_node(image_transport='compressed')
    words = "remap 'image' to /image/compressed, or set image_transport to match"
    check_that_it_is_said(bench, monkeypatch, ['sensor_msgs/msg/Image'], words)


def check_that_it_is_said(bench, monkeypatch, types, words):
    publishers = [SimpleNamespace(topic_type=name) for name in types]
    monkeypatch.setattr(bench.node, 'get_publishers_info_by_topic', lambda topic: publishers)
    monkeypatch.setattr(inputs, 'SILENCE_S', 0.0)
    problem, is_silent = bench.node._streams[0].missing_input()
    assert is_silent
    assert words in problem


def test_missing_images_are_said_once(start_node, monkeypatch):
    monkeypatch.setattr(inputs, 'SILENCE_S', 0.1)
    bench = start_node()
    bench.connect(images=False)
    text = "no images: nothing is published on /image; remap 'image'"
    assert bench.wait(lambda: len(bench.diagnostics) >= 3)
    assert bench.status().level == b'\x03'
    assert bench.status().message == text
    assert [line for _, line in bench.log.lines].count(text) == 1
