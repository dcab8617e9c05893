import itertools
import math

import numpy as np
import pytest
from box_models import BoxModel

from smoke_ros.synth.actors import Crowd, Motion, rectangles_overlap
from smoke_ros.synth.ground import build_ground, surface_texture
from smoke_ros.synth.scene import BACKGROUND
from smoke_ros.synth.street import KINDS, Centreline, draw_street


def rng(seed=0):
    return np.random.default_rng(seed)


def test_straight_street_is_the_world_frame():
    points, heading = Centreline().place([0.0, 10.0], [2.0, -3.0])
    np.testing.assert_allclose(points, [[0, 2, 0], [10, -3, 0]], atol=1e-9)
    np.testing.assert_allclose(heading, 0.0)


def test_bend_turns_by_curvature_times_length_and_rises_with_the_land():
    line = Centreline((0.01,), rise=2e-4)
    x, _, z, heading = line.pose(100.0, 0.0)
    assert heading == pytest.approx(1.0, abs=0.05)  # it begins gradually
    # An arc of radius 100 m: x = 100 sin(1).
    assert x == pytest.approx(84.1, abs=1.0)
    assert z == pytest.approx(1e-4 * x**2)


@pytest.mark.parametrize('s', [-12.3, 0.0, 17.6, 150.0])
def test_one_place_is_the_same_as_many(s):
    line = Centreline((0.004, -0.006), rise=1e-4)
    points, heading = line.place(s, 1.5)
    np.testing.assert_allclose(line.pose(s, 1.5), [*points, heading], atol=1e-6)


@pytest.mark.parametrize(('s', 'd'), [(-12.3, 2.0), (0.0, 0.0), (33.4, -7.0), (150.0, 4.0)])
def test_a_place_is_found_again_from_its_point(s, d):
    line = Centreline((0.004, -0.006))
    assert line.locate(*line.pose(s, d)[:2]) == pytest.approx((s, d), abs=0.03)


def test_street_goes_on_straight_beyond_its_end():
    line = Centreline((0.005,), length=50.0)
    a, b = line.pose(60.0, 0.0), line.pose(70.0, 0.0)
    assert math.hypot(b[0] - a[0], b[1] - a[1]) == pytest.approx(10.0, rel=1e-3)
    assert a[3] == b[3]


@pytest.mark.parametrize('kind', KINDS)
def test_traffic_keeps_to_the_right_and_strips_do_not_overlap(kind):
    for seed in range(8):
        street = draw_street(rng(seed), kind)
        own = [lane.offset for lane in street.lanes if lane.direction > 0]
        oncoming = [lane.offset for lane in street.lanes if lane.direction < 0]
        assert own and oncoming and max(own) < min(oncoming)
        road, *others = street.strips
        assert all(road.right <= lane.offset <= road.left for lane in street.lanes)
        beside = sorted((s.right, s.left) for s in others if not road.right < s.left < road.left)
        for (_, left), (right, _) in itertools.pairwise(beside):
            assert left <= right + 1e-9
        assert street.right <= road.right and street.left >= road.left


def test_unknown_kind_names_the_known_ones():
    with pytest.raises(ValueError, match=r"one of urban, .*got 'canal'"):
        draw_street(rng(), 'canal')


def test_eventful_street_has_a_crossing():
    for seed in range(5):
        street = draw_street(rng(seed), 'residential', travel_m=50.0, eventful=True)
        ((s, other),) = street.crossings
        assert not street.is_free(s)
        assert not other.is_free(0.0)
        assert {lane.direction for lane in other.lanes} == {-1, 1}


def highest(meshes, x, y):
    """Return how high the uppermost of meshes is at a point."""
    heights = []
    for mesh in meshes:
        a, b, c = np.moveaxis(mesh.positions[mesh.triangles].astype(float), 1, 0)
        across, along = (b - a)[:, :2], (c - a)[:, :2]
        area = across[:, 0] * along[:, 1] - across[:, 1] * along[:, 0]
        flat = np.abs(area) > 1e-6  # sides of kerbs are not seen from above
        a, b, c, across, along, area = (each[flat] for each in (a, b, c, across, along, area))
        to = np.array([x, y]) - a[:, :2]
        v = (to[:, 0] * along[:, 1] - to[:, 1] * along[:, 0]) / area
        w = (across[:, 0] * to[:, 1] - across[:, 1] * to[:, 0]) / area
        z = a[:, 2] + v * (b - a)[:, 2] + w * (c - a)[:, 2]
        heights += z[(v >= 0.0) & (w >= 0.0) & (v + w <= 1.0)].tolist()
    return max(heights)


@pytest.mark.parametrize('kind', ['urban', 'avenue', 'country'])
def test_things_stand_on_the_ground_that_is_drawn(kind):
    # With a way to travel the land is flat.
    street = draw_street(rng(5), kind, travel_m=1.0, eventful=True)
    meshes = [each.mesh for each in build_ground(street, rng(6)) if each.mesh.name != 'paint']
    crossed, _ = street.crossings[0]
    places = rng(7).uniform(
        (crossed - 15.0, street.right - 3.0), (crossed + 15.0, street.left + 3.0), (300, 2)
    )
    wrong, found = [], set()
    for s, d in places.tolist():
        x, y, z, _ = street.pose(s, d)
        found.add(round(z, 3))
        wrong.append(abs(z - highest(meshes, x, y)) > 0.005)
    assert len(found) >= 4  # carriageways, kerbs, corners, land
    assert np.mean(wrong) < 0.03  # at edges


@pytest.mark.parametrize('travel_m', [0.0, 1000.0])
def test_land_reaches_to_the_horizon_wherever_the_camera_travels(travel_m):
    street = draw_street(rng(5), 'motorway', travel_m=travel_m)
    (land,) = [each.mesh for each in build_ground(street, rng(6)) if each.mesh.name == 'land']
    low, high = land.positions.min(0), land.positions.max(0)
    ways = [street.pose(s, 0.0)[:2] for s in np.linspace(0.0, travel_m, 11)]
    assert (np.max(ways, 0) + 300.0 < high[:2]).all()
    assert (np.min(ways, 0)[1] - 300.0 > low[1]) and low[0] < -50.0


def test_who_walks_over_a_kerb_goes_down():
    street = draw_street(rng(5), 'urban')
    walk = street.walks[0]
    walker = Motion(street, 5.0, walk, sideways=-walk / 5.0)
    (*_, before, _), (*_, after, _) = walker.pose(0.0), walker.pose(5.0)
    land = street.centreline.pose(5.0, 0.0)[2]
    assert before - after == pytest.approx(street.height_at(5.0, walk), abs=0.01) and before > land


@pytest.mark.parametrize('kind', KINDS)
def test_ground_faces_up_and_has_sound_meshes(kind):
    street = draw_street(rng(3), kind)
    for instance in build_ground(street, rng(4)):
        mesh = instance.mesh
        assert mesh.triangles.max() < len(mesh.positions)
        assert np.isfinite(mesh.positions).all()
        assert mesh.normals[:, 2].min() > -0.01
        assert (mesh.colours >= 0.0).all() and (mesh.colours <= 1.0).all()
        assert (mesh.uv is None) == (mesh.texture is None)


def test_texture_repeats_and_is_always_the_same():
    texture = surface_texture('asphalt', 0).astype(float)
    inside = np.abs(np.diff(texture, axis=1)).mean()
    seam = np.abs(texture[:, 0] - texture[:, -1]).mean()
    assert seam < 2.0 * inside
    assert surface_texture('asphalt', 0) is surface_texture('asphalt', 0)
    assert surface_texture.__wrapped__('asphalt', 0).tolist() == texture.tolist()


@pytest.mark.parametrize(
    ('b', 'overlap'),
    [
        ((3.9, 0.0, 0.0, 2.0, 1.0), True),
        ((4.1, 0.0, 0.0, 2.0, 1.0), False),
        ((2.9, 0.0, math.pi / 2, 2.0, 1.0), True),
        ((3.1, 0.0, math.pi / 2, 2.0, 1.0), False),
        # Circles around them overlap, and so do their extents along the axes.
        ((3.3, 2.6, math.pi / 4, 2.0, 1.0), False),
    ],
)
def test_rectangles(b, overlap):
    a = (0.0, 0.0, 0.0, 2.0, 1.0)
    assert rectangles_overlap(a, b) is overlap
    assert rectangles_overlap(b, a) is overlap


def test_crowd_refuses_what_would_meet_later():
    line, car = Centreline(), BoxModel('car', 'Car', (4.0, 1.5, 1.6))
    crowd = Crowd(np.arange(0.0, 5.0, 0.25).tolist())
    assert crowd.add(car, Motion(line, 20.0, 0.0, speed=2.0))
    assert not crowd.add(car, Motion(line, 0.0, 0.0, speed=10.0))
    assert crowd.add(car, Motion(line, 0.0, 3.0, speed=10.0))
    assert not crowd.add(car, Motion(line, 60.0, 3.0, speed=-4.0, angle=math.pi))
    assert [actor.object_id for actor in crowd.actors] == [1, 2]


def test_what_is_not_labelled_has_no_id_but_takes_its_place():
    line, crowd = Centreline(), Crowd()
    assert crowd.add(BoxModel('bin', '', (1, 1, 1)), Motion(line, 5.0, 0.0), labelled=False)
    car = BoxModel('car', 'Car', (4.0, 1.5, 1.6))
    assert not crowd.add(car, Motion(line, 6.0, 0.0))
    assert crowd.actors[0].instances(0.0)[0].object_id == BACKGROUND
