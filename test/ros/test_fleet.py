"""Replays on Ray: a local cluster of two workers, one of which is killed on the way."""

import os
import signal
from pathlib import Path

import pytest

pytest.importorskip('rclpy')

from small_bags import write_small_bag
from test_replay_offline import GreyDetector

from smoke_ros import cli
from smoke_ros.replay.records import FRAMES_FILE, read_frames, read_run
from smoke_ros.replay.streams import read_replay
from smoke_ros.ros.bag_frames import Selection
from smoke_ros.ros.bags import BagReader, BagWriter
from smoke_ros.ros.qos import RELIABLE
from smoke_ros.ros.replay.fleet import cut_into_segments, replay_on_ray
from smoke_ros.ros.replay.offline import replay_offline
from smoke_ros.ros.replay.request import ReplayRequest

HERE = Path(__file__).resolve().parent


class DeadlyDetector(GreyDetector):
    """Kills its process at the fourth frame, once."""

    def __init__(self, marker: Path) -> None:
        super().__init__()
        self.marker = marker

    def detect_timed(self, images, cameras, **options):
        if images[0][0, 0, 0] == 3 and not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().detect_timed(images, cameras, **options)


class Load:
    """Makes a detector in the worker."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __call__(self):
        return DeadlyDetector(self.marker)


def frames(out):
    return list(read_frames(out / FRAMES_FILE))


def test_a_killed_worker_costs_no_frame_and_a_broken_bag_only_itself(tmp_path, monkeypatch):
    pytest.importorskip('ray', reason='needs ray, which is optional: pip install ray')
    monkeypatch.setenv('RAY_USAGE_STATS_ENABLED', '0')
    folders = (*map(str, (HERE, HERE.parent, HERE.parent.parent)), os.environ.get('PYTHONPATH'))
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join(filter(None, folders)))
    for name in ('a', 'b'):
        write_small_bag(tmp_path / name, 6)
    (tmp_path / 'broken').mkdir()
    requests = [
        ReplayRequest(bag=tmp_path / name, out=tmp_path / 'out' / name)
        for name in ('a', 'broken', 'b')
    ]
    problems = replay_on_ray(requests, 'local', Load(tmp_path / 'killed'))
    ((failed, problem),) = problems.items()
    assert failed == requests[1]
    assert (tmp_path / 'killed').exists()
    assert 'broken has no metadata.yaml' in problem
    for name in ('a', 'b'):
        assert read_run(tmp_path / 'out' / name).counts == {'processed': 6}
        found = [record.detections[0].location[2] for record in frames(tmp_path / 'out' / name)]
        assert found == [10.0 + number for number in range(6)]


def test_segments_have_every_frame_once(tmp_path):
    write_small_bag(tmp_path / 'in', 10)  # of 0.9 s
    request = ReplayRequest(tmp_path / 'in', tmp_path / 'out', selection=Selection(start_s=0.1))
    segments, problems = cut_into_segments([request], 0.35)
    assert not problems and [part.out.name for part in segments] == [
        'segment_0000', 'segment_0001', 'segment_0002',
    ]  # fmt: skip
    for part in segments:
        replay_offline(part, GreyDetector())
    indices = [[record.index for record in frames(part.out)] for part in segments]
    assert indices == [[1, 2, 3, 4], [5, 6, 7], [8, 9]]


def test_a_report_covers_all_segments_and_no_older_ones(tmp_path, monkeypatch, capsys):
    for name in ('a', 'b'):
        write_small_bag(tmp_path / name, 6)  # of 0.5 s

    def one_by_one(requests, address, load_detector, *, gpus, overwrite):
        for request in requests:
            replay_offline(request, GreyDetector(), overwrite=overwrite)
        return {}

    monkeypatch.setattr('smoke_ros.ros.replay.fleet.replay_on_ray', one_by_one)
    command = ['replay', str(tmp_path / 'a'), str(tmp_path / 'b'), '--out', str(tmp_path / 'out'),
               '--ray', 'local', '--overwrite']  # fmt: skip
    for segment_s, count in ((0.2, 3), (0.3, 2)):
        assert cli.main([*command, '--segment', str(segment_s)]) == 0, capsys.readouterr().err
        replay = read_replay(tmp_path / 'out')
        assert len(replay.runs) == 2 * count
        assert sum(map(len, replay.streams)) == 12


def test_a_segment_without_images_is_no_failure(tmp_path, monkeypatch, caplog):
    def one_by_one(requests, address, load_detector, *, gpus, overwrite):
        for request in requests:
            replay_offline(request, GreyDetector(), overwrite=overwrite)
        return {}

    monkeypatch.setattr('smoke_ros.ros.replay.fleet.replay_on_ray', one_by_one)
    write_small_bag(tmp_path / 'short', 3)  # of 0.2 s
    with BagReader(tmp_path / 'short') as bag, BagWriter(tmp_path / 'in') as longer:
        for name, topic in bag.topics.items():
            longer.add_topic(name, topic.message_class(), RELIABLE)
        for message in bag.messages():
            longer.write(message.topic, message.data, message.stamp_ns)
        # The camera ends before the other topics do.
        info = next(bag.messages(['/front/camera_info']))
        longer.write(info.topic, info.data, info.stamp_ns + 900_000_000)
    command = ['replay', str(tmp_path / 'in'), '--ray', 'local', '--segment', '0.5']
    assert cli.main([*command, '--out', str(tmp_path / 'out')]) == 0, caplog.text
    assert len(read_replay(tmp_path / 'out').runs) == 2
    # A bag of which no segment has any is one.
    late = [*command, '--start', '0.6', '--out', str(tmp_path / 'late')]
    assert cli.main(late) == 1
    assert 'no image in what was asked for, of /front/image_rect' in caplog.text


def test_segments_end_where_the_part_of_the_bag_does(tmp_path):
    write_small_bag(tmp_path / 'in', 10)
    selection = Selection(start_s=0.2, duration_s=0.5)
    request = ReplayRequest(tmp_path / 'in', tmp_path / 'out', selection=selection)
    missing = ReplayRequest(tmp_path / 'absent', tmp_path / 'other')
    segments, problems = cut_into_segments([request, missing], 0.3)
    spans = [(part.selection.start_s, part.selection.duration_s) for part in segments]
    assert spans == [(pytest.approx(0.2), 0.3), (pytest.approx(0.5), pytest.approx(0.2))]
    assert 'no bag at' in problems[missing]
    with pytest.raises(ValueError, match='longer than 0 s, got 0'):
        cut_into_segments([request], 0.0)


def test_segments_are_not_made_of_rounding(tmp_path):
    write_small_bag(tmp_path / 'in', 10)
    for start_s, duration_s, segment_s in ((0.1, 0.3, 0.1), (0.0, 0.6, 0.2)):
        selection = Selection(start_s=start_s, duration_s=duration_s)
        request = ReplayRequest(tmp_path / 'in', tmp_path / 'out', selection=selection)
        segments, _ = cut_into_segments([request], segment_s)
        assert [part.selection.duration_s for part in segments] == pytest.approx([segment_s] * 3)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--ray', 'auto', '--live'], 'it does not go with --ray'),
        (['--segment', '5'], '--segment is for --ray'),
        (['--params-file', 'nowhere.yaml'], '--params-file and --rate are for --live'),
        (['--rate', '2'], '--params-file and --rate are for --live'),
        (['--live', '--annotated'], 'do not go with --live'),
        (['--live', '--rerun'], 'do not go with --live'),
    ],
)
def test_options_that_do_not_go_together(tmp_path, capsys, arguments, message):
    write_small_bag(tmp_path / 'in', 1)
    code = cli.main(['replay', str(tmp_path / 'in'), '--out', str(tmp_path / 'out'), *arguments])
    assert code == cli.EXIT_BAD_INPUT and message in capsys.readouterr().err


def test_a_missing_ray_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'ray', None)
    write_small_bag(tmp_path / 'in', 1)
    code = cli.main(
        ['replay', str(tmp_path / 'in'), '--out', str(tmp_path / 'out'), '--ray', 'local']
    )
    assert code == cli.EXIT_BAD_INPUT and 'pip install ray' in capsys.readouterr().err
