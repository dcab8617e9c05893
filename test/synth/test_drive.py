import itertools

import numpy as np
import pytest
from box_models import BoxCatalogue

from smoke_ros.config.synth import SynthConfig
from smoke_ros.synth.drive import drive_frames
from smoke_ros.synth.generate import Job
from smoke_ros.synth.renderer import Renderer, RendererError

CONFIG = SynthConfig(width=320, height=96)


@pytest.fixture(scope='module')
def renderer():
    try:
        opened = Renderer(CONFIG.width, CONFIG.height, supersampling=1)
    except RendererError as error:
        pytest.skip(f'nothing to draw with: {error}')
    with opened:
        yield opened


def drive(renderer, tmp_path, frames, seed=3):
    job = Job(tmp_path / 'drive', seed, frames, CONFIG)
    return list(drive_frames(job, 10.0, 'avenue', BoxCatalogue(), renderer))


def test_objects_keep_their_ids_and_move_little_between_frames(renderer, tmp_path):
    frames = drive(renderer, tmp_path, 6)
    assert len({frame.jpeg for frame in frames}) == 6
    for before, after in itertools.pairwise(frames):
        common = (before.ids > 0) & (before.ids == after.ids)
        assert common.sum() > 0.5 * (before.ids > 0).sum()
    assert (frames[0].camera.K == frames[-1].camera.K).all()


def test_same_seed_same_drive(renderer, tmp_path):
    first, again = (drive(renderer, tmp_path, 2) for _ in range(2))
    assert [frame.jpeg for frame in first] == [frame.jpeg for frame in again]
    other = drive(renderer, tmp_path, 2, seed=4)
    assert first[0].jpeg != other[0].jpeg


def test_traffic_moves_both_ways(renderer, tmp_path):
    frames = drive(renderer, tmp_path, 8)
    headings = np.array([
        item.rotation_y for frame in frames for item in frame.labels if item.class_name == 'Car'
    ])  # fmt: skip
    assert (np.sin(headings) < -0.7).any()
    assert (np.sin(headings) > 0.7).any()


def test_bad_rate_is_refused(tmp_path):
    from smoke_ros.synth.drive import generate_drive

    with pytest.raises(ValueError, match='rate must be above 0 Hz'):
        generate_drive(Job(tmp_path, 0, 3, CONFIG), 0.0)
