from dataclasses import replace

import numpy as np
import pytest

from smoke_ros.geometry import box_corners
from smoke_ros.structures import CameraModel
from smoke_ros.synth import renderer as renderer_module
from smoke_ros.synth.batches import Batches
from smoke_ros.synth.levels import choose_levels
from smoke_ros.synth.meshes import cars
from smoke_ros.synth.meshes.shapes import PAINT, Builder
from smoke_ros.synth.renderer import Renderer, RendererError
from smoke_ros.synth.scene import Instance, Light, Scene, Viewpoint

WIDTH, HEIGHT = 310, 94
CAMERA = CameraModel.from_intrinsics([[180.0, 0, 152], [0, 180, 43], [0, 0, 1]], WIDTH, HEIGHT)
EYE_M = 1.65
CAMERA_FROM_WORLD = np.array([[0, -1, 0, 0], [0, 0, -1, EYE_M], [1, 0, 0, 0], [0, 0, 0, 1.0]])
VIEW = Viewpoint(CAMERA, CAMERA_FROM_WORLD)


@pytest.fixture(scope='module')
def renderer():
    try:
        opened = Renderer(WIDTH, HEIGHT, supersampling=2)
    except RendererError as error:
        pytest.skip(str(error))
    with opened:
        yield opened


@pytest.fixture(scope='module')
def car():
    rng = np.random.default_rng(3)
    return cars.make_car('car', cars.draw_shape(cars.STYLES['sedan'], rng), cars.draw_trim(rng))


def box(size=(4.0, 1.5, 1.8)):
    length, height, width = size
    half = (length / 2, width / 2)
    return Builder('box').box((-half[0], -half[1], 0), (half[0], half[1], height), PAINT).build()


def label_corners(instance):
    """Corners of the label's box: its centre, size and rotation_y in the optical frame."""
    x, y, z = instance.position
    length, height, width = instance.dimensions
    centre = CAMERA_FROM_WORLD @ (x, y, z + height / 2, 1.0)
    rotation_y = -instance.yaw - np.pi / 2
    return box_corners(centre[:3], np.array([length, height, width]), np.array(rotation_y))


def bounds(mask):
    rows, columns = np.nonzero(mask)
    return np.array([columns.min(), rows.min(), columns.max(), rows.max()])


def assert_reaches(seen, expected):
    """Check that the pixels seen end within one of a box's edges, and none outside of it.

    A pixel is covered if its centre is, so a sharp tip may end a quarter before the nearest one.
    """
    inside = (seen - expected) * (1, 1, -1, -1)
    assert (inside > -0.01).all() and (inside < 1.25).all(), inside


@pytest.mark.parametrize(
    ('position', 'yaw'), [((12, 0, 0), 0.0), ((9, 2.5, 0), 0.7), ((25, -8, 0.1), -2.2)]
)
def test_a_box_covers_the_pixels_that_its_corners_say(renderer, position, yaw):
    instance = Instance(box(), position, yaw, object_id=5)
    ids = renderer.render(Scene([instance]), VIEW).ids
    pixels = CAMERA.project(label_corners(instance))
    expected = np.concatenate((pixels.min(axis=0), pixels.max(axis=0)))
    assert_reaches(bounds(ids == 5), expected)


@pytest.mark.parametrize(('yaw', 'y'), [(0.0, 0.0), (0.5, -1.5), (np.pi / 2, 1.0)])
def test_a_car_stays_inside_its_box_and_reaches_its_height(renderer, car, yaw, y):
    instance = Instance(car, (11.0, y, 0.0), yaw, scale=(1.0, 1.1, 0.95), object_id=1)
    seen = bounds(renderer.render(Scene([instance]), VIEW).ids == 1)
    pixels = CAMERA.project(label_corners(instance))
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    assert (seen[:2] >= low - 1).all() and (seen[2:] <= high + 1).all()
    extent = renderer.areas(Scene([instance]), VIEW)[1]
    assert_reaches(seen, extent.bbox_xyxy_px)


@pytest.mark.parametrize(('x', 'level'), [(7.5, 1), (14.0, 2)])
@pytest.mark.parametrize(('yaw', 'y'), [(0.0, 0.0), (0.5, -1.5), (-2.2, 3.0), (np.pi / 2, 1.0)])
def test_a_far_car_is_drawn_coarsely_and_its_pixels_reach_the_box_of_the_fine_one(
    renderer, car, x, level, yaw, y
):
    instance = Instance(car, (x, y, 0.0), yaw, object_id=1)
    near = Instance(car, (5.0, 0.0, 0.0), object_id=2)
    meshes = [each.mesh for each in choose_levels([instance, near], VIEW)]
    assert meshes == [[car, car.coarse, car.coarse.coarse][level], car]
    seen = bounds(renderer.render(Scene([instance]), VIEW).ids == 1)
    fine = Instance(replace(car, coarse=None), instance.position, yaw, object_id=1)
    fine_ids = renderer.render(Scene([fine]), VIEW).ids
    np.testing.assert_allclose(seen, bounds(fine_ids == 1), atol=1.0)
    extent = renderer.areas(Scene([instance]), VIEW)[1]
    # As above a tip may end before a pixel's centre; those of coarse cars are sharper, and the
    # extent is only where an area is looked for.
    np.testing.assert_allclose(extent.bbox_xyxy_px, seen, atol=1.6)
    assert extent.inside_px == np.count_nonzero(renderer.render(Scene([instance]), VIEW).ids == 1)
    assert extent.inside_px == pytest.approx(np.count_nonzero(fine_ids == 1), rel=0.05)


def test_a_one_sided_box_looks_as_one_with_both_sides(renderer):
    both = Instance(box(), (9, 2.5, 0), 0.7, object_id=5)
    one = Instance(replace(both.mesh, one_sided=True), both.position, both.yaw, object_id=5)
    first, second = (renderer.render(Scene([each]), VIEW) for each in (both, one))
    assert np.array_equal(first.ids, second.ids)
    assert np.array_equal(first.depth, second.depth)
    areas = [renderer.areas(Scene([each]), VIEW) for each in (both, one)]
    assert areas[0] == areas[1] and areas[0][5].area_px == np.count_nonzero(first.ids == 5)


def test_the_same_scene_gives_the_same_pixels(renderer, car):
    scene = Scene([Instance(car, (10, 1, 0), 0.4, object_id=2)])
    first, second = renderer.render(scene, VIEW), renderer.render(scene, VIEW)
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.ids, second.ids)
    assert np.isfinite(first.image).all() and first.image.min() >= 0.0


@pytest.mark.parametrize('supersampling', [1.0, 1.5, 1.7, 3.0])
def test_any_supersampling_gives_the_same_picture_but_for_its_edges(renderer, car, supersampling):
    scene = Scene([Instance(car, (10, 1, 0), 0.4, object_id=2)])
    usual = renderer.render(scene, VIEW)
    with Renderer(WIDTH, HEIGHT, supersampling=supersampling) as other:
        rendering = other.render(scene, VIEW)
    assert np.array_equal(rendering.ids, usual.ids)
    difference = np.abs(rendering.image - usual.image)
    assert np.median(difference) < 0.002 and difference.mean() < 0.01
    sky = usual.image[:20, :40].mean(axis=(0, 1))
    np.testing.assert_allclose(rendering.image[:20, :40].mean(axis=(0, 1)), sky, rtol=0.01)


def test_two_renderers_do_not_disturb_each_other(renderer, car):
    scene = Scene([Instance(car, (10, 1, 0), 0.4, object_id=2)])
    before = renderer.render(scene, VIEW)
    with Renderer(WIDTH, HEIGHT, supersampling=1) as other:
        assert np.array_equal(other.render(scene, VIEW).ids, before.ids)
        assert np.array_equal(renderer.render(scene, VIEW).image, before.image)
    assert np.array_equal(renderer.render(scene, VIEW).image, before.image)


def test_what_stands_behind_is_hidden_but_keeps_its_area(renderer):
    mesh = box()
    front = Instance(mesh, (10, 0, 0), object_id=1)
    behind = Instance(mesh, (18, 1.5, 0), object_id=2)
    scene = Scene([behind, front])
    ids = renderer.render(scene, VIEW).ids
    alone = renderer.render(Scene([behind]), VIEW).ids
    areas = renderer.areas(scene, VIEW)
    visible, whole = np.count_nonzero(ids == 2), np.count_nonzero(alone == 2)
    assert 0 < visible < whole
    assert areas[2].area_px == areas[2].inside_px == whole
    assert areas[1].area_px == np.count_nonzero(ids == 1)


def test_half_of_what_the_image_cuts_is_inside(renderer):
    # Its middle is on the image's left edge, seen along its length.
    x = 20.0
    left = (152 + 0.5) * x / 180
    cut = Instance(box((0.1, 1.5, 2.0)), (x, left, 0), object_id=1)
    extent = renderer.areas(Scene([cut]), VIEW)[1]
    assert extent.inside_px / extent.area_px == pytest.approx(0.5, abs=0.08)
    assert extent.bbox_xyxy_px[0] < -0.5


def test_an_object_behind_the_camera_has_no_area_and_a_passing_one_has(renderer, car):
    gone = Instance(car, (-10, 0, 0), object_id=1)
    passing = Instance(car, (2.5, 2.2, 0), object_id=2)
    areas = renderer.areas(Scene([gone, passing]), VIEW)
    assert set(areas) == {2}
    assert 0 < areas[2].inside_px < areas[2].area_px


def test_only_the_objects_asked_for_are_measured(renderer):
    mesh = box()
    scene = Scene([Instance(mesh, (10 * i, 0, 0), object_id=i) for i in (1, 2, 3)])
    assert set(renderer.areas(scene, VIEW, {1, 3})) == {1, 3}


def test_depth_is_along_the_optical_axis(renderer):
    rendering = renderer.render(Scene([Instance(box(), (12, 0, 0), object_id=1)]), VIEW)
    assert rendering.depth[55, 152] == pytest.approx(10.0, abs=1e-3)
    assert np.isinf(rendering.depth[0, 0]) and rendering.ids[0, 0] == 0


def test_an_empty_scene_is_sky(renderer):
    rendering = renderer.render(Scene([]), VIEW)
    assert not rendering.ids.any() and rendering.image.min() > 0.0
    assert renderer.areas(Scene([]), VIEW) == {}


def test_the_sun_throws_a_shadow(renderer):
    ground = Builder('ground').box((-80, -80, -0.1), (80, 80, 0), PAINT).build()
    post = Instance(box((2.0, 6.0, 2.0)), (14, 2.0, 0))
    land = Instance(ground, (0, 0, -0.1))
    lit = renderer.render(Scene([land]), VIEW).image
    shaded = renderer.render(Scene([land, post]), VIEW).image
    # The sun stands to the front left: the shadow falls to the near right of the post.
    x, y = CAMERA.project(CAMERA_FROM_WORLD[:3] @ (12.2, 0.0, 0.0, 1.0)).round().astype(int)
    assert shaded[y, x].sum() < 0.8 * lit[y, x].sum()


@pytest.mark.parametrize('sun', [(0.0, 1.0, 0.5), (-1.0, 0.2, 0.3), (-0.3, -0.9, 0.15)])
def test_what_is_out_of_view_shades_what_is_in_it(renderer, monkeypatch, sun):
    """Casters whose shadows nobody sees are left out; no pixel may differ for it."""
    land = Instance(
        Builder('land').box((-80, -80, -0.1), (80, 80, 0), PAINT).build(), (0, 0, -0.1)
    )
    rng = np.random.default_rng(2)
    places = np.column_stack((rng.uniform(-25, 50, 60), rng.uniform(-30, 30, 60))).tolist()
    posts = [Instance(box((0.6, 5.0, 0.6)), (x, y, 0.0)) for x, y in places]
    scene = Scene([land, *posts], Light(sun_direction=sun))
    drawn = []
    draw = renderer_module.draw_batch
    monkeypatch.setattr(
        renderer_module, 'draw_batch',
        lambda context, name, batch: (drawn.append(name), draw(context, name, batch)),
    )  # fmt: skip
    picture = renderer.render(scene, VIEW).image
    few = drawn.count('shadows')
    monkeypatch.setattr(
        Batches, 'casting_into', lambda self, view, shadow_view, sun, lowest:
        self.reached_by(shadow_view),
    )  # fmt: skip
    drawn.clear()
    assert np.array_equal(picture, renderer.render(scene, VIEW).image)
    assert few < drawn.count('shadows')
    # And some of those out of view do matter.
    seen = [land, *(post for post in posts if abs(post.position[1]) < 0.85 * post.position[0])]
    assert not np.array_equal(picture, renderer.render(Scene(seen, scene.light), VIEW).image)


def test_a_camera_of_another_size_is_refused(renderer):
    other = Viewpoint(CAMERA.scaled_to(620, 188), CAMERA_FROM_WORLD)
    with pytest.raises(ValueError, match='draws 310x94, the camera has 620x188'):
        renderer.render(Scene([]), other)


def test_missing_opengl_says_what_to_install(monkeypatch):
    moderngl = pytest.importorskip('moderngl')

    def fail(**_):
        raise RuntimeError('libEGL.so not loaded')

    monkeypatch.setattr(moderngl, 'create_context', fail)
    with pytest.raises(RendererError, match='libegl1') as caught:
        renderer_module.open_context()
    assert 'libEGL.so not loaded' in str(caught.value)
