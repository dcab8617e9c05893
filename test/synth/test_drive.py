import itertools
import math

import numpy as np
import pytest
from box_models import BoxCatalogue

from smoke_ros.config.synth import SynthConfig
from smoke_ros.synth.actors import rectangles_overlap
from smoke_ros.synth.compose import compose, sort_models
from smoke_ros.synth.drive import CHECK_EVERY_S, drive_frames
from smoke_ros.synth.generate import Job
from smoke_ros.synth.renderer import Renderer, RendererError
from smoke_ros.synth.traffic import Density

CONFIG = SynthConfig(width=320, height=96)


@pytest.fixture(scope='module')
def renderer():
    try:
        opened = Renderer(CONFIG.width, CONFIG.height, supersampling=1)
    except RendererError as error:
        pytest.skip(f'nothing to draw with: {error}')
    with opened:
        yield opened


def drive(renderer, tmp_path, frames, seed=5):
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


@pytest.mark.parametrize('seed', range(3))
def test_vehicles_drive_both_ways_and_across_and_never_meet(seed):
    cast, props = sort_models(BoxCatalogue(), held_out=False)
    times = np.arange(0.0, 4.0, CHECK_EVERY_S).tolist()
    density = Density(own_speed=10.0, duration_s=4.0)
    rng = np.random.default_rng(seed)
    made = compose(CONFIG, cast, props, rng, kind='avenue', times=times, density=density)
    moving = [actor for actor in made.actors if actor.motion.speed]
    own_street = [actor for actor in moving if actor.motion.line is made.own.line]
    assert {math.copysign(1.0, actor.motion.speed) for actor in own_street} == {-1.0, 1.0}
    assert len(own_street) < len(moving)
    # From end to end of the side street there is a surface to drive on.
    ((_, side_street),) = made.own.line.crossings
    line = side_street.centreline
    coming = [actor.motion.s for actor in moving if actor.motion.line is side_street]
    assert coming and -line.behind < min(coming) and max(coming) < line.length
    for time in times:
        rectangles = [prop.base() for prop in made.props if prop.model.name == 'house']
        houses = len(rectangles)
        for actor in made.actors:
            x, y, _, yaw = actor.motion.pose(time)
            length, _, width = actor.dimensions
            rectangles.append((x, y, yaw, length / 2, width / 2))
        pairs = itertools.combinations(rectangles[houses:], 2)
        assert not any(rectangles_overlap(first, second) for first, second in pairs)
        walls = itertools.product(rectangles[:houses], rectangles[houses:])
        assert not any(rectangles_overlap(house, other) for house, other in walls)


def test_bad_rate_is_refused(tmp_path):
    from smoke_ros.synth.drive import generate_drive

    for rate_hz in (0.0, math.inf, 1e7):
        with pytest.raises(ValueError, match='rate must be from'):
            generate_drive(Job(tmp_path / 'drive', 0, 3, CONFIG), rate_hz)
    assert not (tmp_path / 'drive').exists()
