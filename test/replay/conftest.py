"""Frames to make streams of."""

import pytest

from smoke_ros.data.kitti import KittiObject
from smoke_ros.replay.records import FrameAppender, FrameRecord, RunRecord, write_run
from smoke_ros.replay.streams import read_replay
from smoke_ros.structures import Detection3D

K = ((700.0, 0.0, 600.0), (0.0, 700.0, 180.0), (0.0, 0.0, 1.0))


def image_box(x, z):
    column = 600.0 + 700.0 * x / z
    return (column - 1400.0 / z, 180.0, column + 1400.0 / z, 180.0 + 1050.0 / z)


@pytest.fixture(scope='session')
def make_box():
    def make(x=0.0, z=20.0, name='Car', score=0.9):
        return Detection3D((x, 1.0, z), (4.0, 1.5, 1.8), 0.0, name, score, image_box(x, z))

    return make


@pytest.fixture(scope='session')
def make_label():
    def make(x=0.0, z=20.0, name='Car'):
        return KittiObject(
            (x, 1.0, z), (4.0, 1.5, 1.8), 0.0, name, 0.0, 0, 0.0, image_box(x, z)
        )  # fmt: skip

    return make


@pytest.fixture(scope='session')
def make_frame():
    """A frame of 10 Hz, whose boxes are detections."""

    def make(index, boxes=(), **values):
        values = {'bag': 'drive', 'topic': '/image', 'stamp_ns': index * 100_000_000, **values}
        return FrameRecord(
            index=index, width=1242, height=375, K=K, detections=tuple(boxes), **values
        )

    return make


@pytest.fixture(scope='session')
def make_run():
    def make(**values):
        given = {
            'mode': 'offline', 'smoke_ros': '0.1.0', 'device': 'cpu', 'bags': ('drive',),
            'model': {'name': 'tiny', 'sha256': 'ab' * 32, 'trained_on': 'nothing'},
            'topics': ('/image',), 'started': '2026-01-01T00:00:00+00:00',
            'ended': '2026-01-01T00:01:00+00:00', **values,
        }  # fmt: skip
        return RunRecord(**given)

    return make


@pytest.fixture
def make_replay(tmp_path, make_run):
    """Write a run with these frames; return the folder."""

    def make(frames, folder='run', **run):
        folder = tmp_path / folder
        with FrameAppender(folder / 'frames.jsonl') as file:
            for frame in frames:
                file.append(frame)
        write_run(folder, make_run(**run))
        return folder

    return make


@pytest.fixture
def make_streams(make_replay):
    def make(frames):
        return read_replay(make_replay(frames)).streams

    return make
