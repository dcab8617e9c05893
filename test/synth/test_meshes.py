import numpy as np
import pytest

from smoke_ros.synth.meshes import catalogue as catalogue_module
from smoke_ros.synth.meshes.car_finish import draw_finish
from smoke_ros.synth.meshes.cars import PICKUP, STYLES, VAN, draw_shape, draw_trim, make_car
from smoke_ros.synth.meshes.catalogue import Catalogue
from smoke_ros.synth.meshes.light_lorries import LIGHT_LORRIES, make_light_lorry
from smoke_ros.synth.meshes.livery import draw_livery
from smoke_ros.synth.meshes.people import draw_clothes
from smoke_ros.synth.meshes.shapes import HEADLIGHT, PLASTIC, PLATE, TAILLIGHT
from smoke_ros.synth.meshes.trucks import make_truck

RANGES_M = {  # length, height, width
    'Car': ((3.0, 5.7), (1.2, 2.0), (1.45, 2.05)),
    'Van': ((4.4, 6.2), (1.9, 2.5), (1.75, 2.2)),
    # From light lorries to articulated ones.
    'Truck': ((5.2, 17.0), (2.1, 4.4), (1.9, 3.0)),
    'Tram': ((12.0, 20.0), (3.0, 4.2), (2.2, 2.8)),
    'Pedestrian': ((0.2, 1.5), (1.0, 2.05), (0.35, 0.9)),
    'Cyclist': ((1.6, 2.0), (1.45, 2.1), (0.4, 0.8)),
}


@pytest.fixture(scope='module')
def catalogue():
    patch = pytest.MonkeyPatch()
    for name, count in (('CARS_PER_STYLE', 2), ('VANS', 2), ('PICKUPS', 1), ('TRUCKS_PER_KIND', 1),
                        ('LIGHT_LORRIES_PER_KIND', 1), ('BUSES', 1), ('TRAMS', 1), ('PEOPLE', 8),
                        ('CYCLISTS', 3), ('BUILDINGS', 3), ('TREES', 3)):  # fmt: skip
        patch.setattr(catalogue_module, name, count)
    yield Catalogue.built_in(np.random.default_rng(0))
    patch.undo()


def labelled(catalogue):
    return [*catalogue.vehicles, *catalogue.people, *catalogue.cyclists]


def every_model(catalogue):
    return [model for models in vars(catalogue).values() for model in models]


def test_all_kinds_are_there(catalogue):
    assert all(vars(catalogue).values())
    assert {model.class_name for model in labelled(catalogue)} == set(RANGES_M)


def test_labelled_models_have_real_sizes_and_stand_in_the_middle_of_their_footprint(catalogue):
    for model in labelled(catalogue):
        for size, (low, high) in zip(model.dimensions, RANGES_M[model.class_name], strict=True):
            assert low <= size <= high, (model.name, model.dimensions)
        points = np.concatenate([mesh.positions for mesh in model.meshes])
        low, high = points.min(axis=0), points.max(axis=0)
        np.testing.assert_allclose((low + high)[:2], 0.0, atol=1e-4, err_msg=model.name)
        assert low[2] == pytest.approx(0.0, abs=1e-5), model.name


def test_everything_stands_on_the_ground(catalogue):
    for model in every_model(catalogue):
        lowest = min(float(mesh.positions[:, 2].min()) for mesh in model.meshes)
        assert -0.02 < lowest < 0.15, (model.name, lowest)


def test_meshes_are_sound(catalogue):
    for model in every_model(catalogue):
        for mesh in model.meshes:
            count = len(mesh.positions)
            assert np.isfinite(mesh.positions).all(), mesh.name
            np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1.0, atol=1e-3)
            assert mesh.triangles.min() >= 0 and mesh.triangles.max() < count
            assert {len(mesh.colours), len(mesh.paint), len(mesh.gloss)} == {count}
            assert (mesh.texture is None) == (mesh.uv is None)


def test_vehicles_normals_point_outwards(catalogue):
    for model in catalogue.vehicles:
        mesh = model.meshes[0]
        corners = mesh.positions[mesh.triangles]
        faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals = mesh.normals[mesh.triangles].mean(axis=1)
        area = np.linalg.norm(faces, axis=1)
        agree = (faces * normals).sum(axis=1) > 0
        assert area[agree].sum() > 0.97 * area.sum(), model.name
        # Paint is the shell, of a lorry that of its cab: from the middle, it faces away.
        painted = mesh.paint[mesh.triangles[:, 0]] > 0.5
        if not painted.any():
            continue
        shell = corners[painted].reshape(-1, 3)
        middle = (shell.min(axis=0) + shell.max(axis=0)) / 2
        away = ((corners.mean(axis=1) - middle) * normals).sum(axis=1) > 0
        assert area[painted & away].sum() > 0.8 * area[painted].sum(), model.name


def test_vehicles_face_forwards(catalogue):
    for model in catalogue.vehicles:
        mesh = model.meshes[0]
        r, g, b = mesh.colours.T
        half = model.dimensions[0] / 2
        at_end = np.abs(mesh.positions[:, 0]) > half - 0.5
        red_light = at_end & (mesh.paint == 0) & (r > 0.1) & (r > 20 * g)
        head_light = at_end & (np.abs(r - 0.75) < 1e-3) & (np.abs(b - 0.78) < 1e-3)
        assert mesh.positions[red_light, 0].max() < 0.0, model.name
        assert mesh.positions[head_light, 0].min() > 0.0, model.name


def test_headlights_are_bright_grey_or_dark_and_far_away_as_near():
    rng = np.random.default_rng(0)
    lights = [draw_trim(rng).lights for _ in range(200)]
    fronts = np.array([light.front.colour[0] for light in lights])
    for low, high, share in ((0.7, 1.0, 0.3), (0.1, 0.4, 0.5), (0.0, 0.1, 0.2)):
        part = np.mean((fronts >= low) & (fronts < high))
        assert part == pytest.approx(share, abs=0.1), (low, high)
    for light in lights:
        # Where a headlight is not bright all over, something in it is.
        assert (light.front == HEADLIGHT) == (light.reflectors == 0)
        # Something red is behind, be it the stripe only.
        assert any(look.colour[0] > 10 * look.colour[1] for look in (light.rear, light.stripe))


def test_coarse_cars_have_the_lights_of_the_fine_ones():
    rng = np.random.default_rng(1)
    for mean in STYLES.values():
        trim = draw_trim(rng)
        mesh = make_car('car', draw_shape(mean, rng), trim)
        for level in (mesh, mesh.coarse, mesh.coarse.coarse):
            for look, end in ((trim.lights.front, 1.0), (trim.lights.rear, -1.0)):
                found = np.abs(level.colours - look.colour).max(axis=1) < 1e-4
                assert found.any(), (mean, level.name)
                assert (end * level.positions[found & (level.paint == 0), 0]).min() > 0.0


def test_a_car_has_the_same_bumpers_and_grille_at_both_ends_from_near_and_from_afar():
    rng = np.random.default_rng(2)
    shape = STYLES['hatchback']
    trims = [draw_trim(rng) for _ in range(60)]
    for trim in trims:
        mesh = make_car('car', shape, trim)
        for level in (mesh, mesh.coarse, mesh.coarse.coarse):
            x, y, z = level.positions.T
            assert level.positions[level.paint > 0].size, level.name
            assert ends_with(PLATE, level) == {-1.0, 1.0}, level.name
            if trim.bumper is not None:
                assert ends_with(trim.bumper.look, level) == {-1.0, 1.0}, level.name
            # Between the headlights: what is there from nearby, and nothing else.
            inner, low, high = trim.lights.front_place
            _, inner_y, height = shape.body(x.max(), inner - 0.01, (low + high) / 2)
            middle = looks_like(PLASTIC, level) & (x > 1.6) & (np.abs(z - height) < 0.12)
            middle &= np.abs(y) < inner_y
            assert middle.any() == (trim.slats is not None), level.name
    painted = np.mean([trim.bumper is None for trim in trims])
    assert painted == pytest.approx(0.55, abs=0.2)


def looks_like(look, mesh):
    """Return which vertices have a look's colour, whatever the car is painted."""
    return (np.abs(mesh.colours - look.colour).max(1) < 1e-4) & (mesh.paint == 0)


def ends_with(look, mesh):
    """Return the ends of a car, 1 in front and -1 behind, where a look is found."""
    found = looks_like(look, mesh)
    return {end for end in (-1.0, 1.0) if (found & (end * mesh.positions[:, 0] > 1.6)).any()}


def test_lettering_may_be_as_high_as_a_lorrys_body():
    # All of the 2.15 m, and by rounding a little more.
    lorry = make_truck('box', 'box', np.random.default_rng(7341715774123338765))
    assert len(lorry.positions) > 0


def test_light_lorries_are_hardly_larger_than_vans(catalogue):
    lorries = [model for model in catalogue.vehicles if model.name.startswith('light_')]
    assert len(lorries) == len(LIGHT_LORRIES)
    for model in lorries:
        length, height, width = model.dimensions
        assert model.class_name == 'Truck'
        assert length < 7.2 and height < 3.3 and width < 2.5, (model.name, model.dimensions)


def test_trailers_have_wheels_lights_and_nobody_to_pull_them(catalogue):
    trailers = [model for model in catalogue.distractors if model.name.startswith('trailer')]
    assert {model.class_name for model in trailers} == {'Misc'}
    for model in trailers:
        length, height, width = model.dimensions
        assert 2.5 < length < 4.6 and 0.7 < height < 2.4 and 1.2 < width < 2.3, model.dimensions
        mesh = model.meshes[0]
        lights = np.all(np.abs(mesh.colours - TAILLIGHT.colour) < 1e-3, axis=1)
        assert lights.any() and mesh.positions[lights, 0].max() < 0.0


def test_people_are_dressed_in_many_ways():
    drawn = [draw_clothes(np.random.default_rng(seed)) for seed in range(200)]
    shorts = [each for each in drawn if each.shins == each.skin and not each.skirt]
    skirts = [each for each in drawn if each.skirt]
    for some in (
        shorts, skirts, [each for each in skirts if each.shins == each.skin],
        [each for each in drawn if each.hat], [each for each in drawn if each.coat],
        [each for each in drawn if each.long_hair],
    ):  # fmt: skip
        assert 10 <= len(some) <= 100
    assert all(each.shins in (each.skin, each.legs) for each in drawn)


#: What is as slim or as high as people and nobody: length, height, width.
FURNITURE_M = {
    'parked_bicycles': ((1.4, 2.6), (0.7, 1.2), (0.3, 8.0)),
    'litter_bin': ((0.3, 0.6), (0.8, 1.3), (0.3, 0.6)),
    'cabinet': ((0.3, 1.5), (0.9, 1.7), (0.25, 0.6)),
    'pillar': ((0.2, 1.3), (1.2, 2.8), (0.15, 1.3)),
    'easel': ((0.2, 0.8), (0.7, 1.4), (0.4, 1.0)),
    'advertisement': ((0.1, 0.3), (0.9, 3.0), (0.6, 1.7)),
    'barrier': ((0.6, 0.8), (0.8, 1.2), (1.1, 2.7)),
    'cone': ((0.25, 0.65), (0.45, 1.0), (0.25, 0.65)),
    'low_sign': ((0.05, 0.4), (0.8, 2.1), (0.25, 0.9)),
    'beacon': ((0.3, 0.5), (0.9, 1.8), (0.5, 0.9)),
    'cross': ((0.05, 0.2), (1.7, 3.3), (0.5, 1.3)),
    'banded_post': ((0.05, 0.25), (0.9, 3.3), (0.05, 0.25)),
}
#: Of these there are fewer than four.
FEW = {'barrier': 2, 'cone': 2, 'cross': 3, 'banded_post': 3}


@pytest.mark.parametrize('kind', FURNITURE_M)
def test_street_furniture_is_no_object(catalogue, kind):
    furniture = (*catalogue.distractors, *catalogue.signs)
    models = [model for model in furniture if model.name.startswith(kind)]
    assert len(models) >= FEW.get(kind, 4)
    for model in models:
        assert model.class_name == ''
        assert min(mesh.positions[:, 2].min() for mesh in model.meshes) == pytest.approx(
            0.0, abs=0.01
        )
        for size, (low, high) in zip(model.dimensions, FURNITURE_M[kind], strict=True):
            assert low <= size <= high, (model.name, model.dimensions)


def test_a_striped_board_shows_its_texture_to_both_sides(catalogue):
    beacon = next(m for m in catalogue.signs if m.name.startswith('beacon'))
    plate = beacon.meshes[1]
    red = plate.texture[..., 0] > 2 * plate.texture[..., 1].astype(int)
    assert 0.3 < red.mean() < 0.7
    assert plate.normals[:, 0].min() < -0.9 and plate.normals[:, 0].max() > 0.9
    assert np.ptp(plate.uv, axis=0) == pytest.approx(1.0)


def test_parked_bicycles_lean_and_are_as_many_as_room_for_them(catalogue):
    rows = [m for m in catalogue.distractors if m.name.startswith('parked_bicycles')]
    widths = [model.dimensions[2] for model in rows]
    assert min(widths) < 1.5 and max(widths) > 1.5
    # Where the rider of a cyclist is, there is nobody.
    (mesh,) = rows[0].meshes
    assert mesh.positions[:, 2].max() < 1.2


def test_cars_have_few_triangles(catalogue):
    counts = [
        sum(len(mesh.triangles) for mesh in model.meshes)
        for model in catalogue.vehicles
        if model.class_name in ('Car', 'Van')
    ]
    assert max(counts) <= 3100
    assert np.mean(counts) <= 2850


def test_models_are_the_same_in_whatever_order_they_are_made(catalogue):
    first, second = (Catalogue.built_in(np.random.default_rng(5)) for _ in range(2))
    assert 'meshes' not in vars(first.trees[2])  # made when they are asked for
    forwards = [model.meshes[0] for model in first.trees[:3]]
    backwards = [model.meshes[0] for model in second.trees[2::-1]][::-1]
    for one, other in zip(forwards, backwards, strict=True):
        assert np.array_equal(one.positions, other.positions)
    assert first.trees[2].meshes is first.trees[2].meshes


def test_roofs_end_before_the_rear_windows_foot():
    rng = np.random.default_rng(0)
    for mean in (*STYLES.values(), VAN, PICKUP):
        shapes = [draw_shape(mean, rng) for _ in range(300)]
        assert min(shape.rear_foot - shape.roof_rear for shape in shapes) > 0.014
        assert all(shape.roof_front < shape.roof_rear for shape in shapes)


def test_coarse_cars_fill_the_same_box_with_ever_fewer_triangles(catalogue):
    for model in cars(catalogue):
        (mesh,) = model.meshes
        assert mesh.coarse.coarse.coarse is None
        assert len(mesh.coarse.coarse.triangles) < len(mesh.coarse.triangles) / 2.5, model.name
        for coarse in (mesh.coarse, mesh.coarse.coarse):
            for reduce in (np.min, np.max):
                np.testing.assert_allclose(
                    reduce(coarse.positions, axis=0), reduce(mesh.positions, axis=0), atol=0.005
                )
            assert len(coarse.triangles) < len(mesh.triangles) / 3, model.name
            assert np.isfinite(coarse.normals).all() and coarse.triangles.min() >= 0
            np.testing.assert_allclose(np.linalg.norm(coarse.normals, axis=1), 1.0, atol=1e-3)


def test_coarse_plants_have_half_of_the_leaves_and_stand_where_the_fine_ones_do(catalogue):
    leafy = [
        mesh
        for model in (*catalogue.trees, *catalogue.hedges)
        for mesh in model.meshes
        if mesh.coarse is not None
    ]
    assert len(leafy) >= 2
    for fine in leafy:
        for mesh in (fine, fine.coarse):
            coarse = mesh.coarse
            assert len(coarse.triangles) <= len(mesh.triangles) / 2, fine.name
            assert coarse.triangles.max() < len(coarse.positions)
            assert len(coarse.uv) == len(coarse.normals) == len(coarse.positions)
            for reduce in (np.min, np.max):
                apart = reduce(coarse.positions, axis=0) - reduce(fine.positions, axis=0)
                assert (np.abs(apart) < 0.3 * np.array(fine.dimensions)[[0, 2, 1]]).all(), (
                    fine.name
                )


def test_the_same_generator_makes_the_same_models(catalogue):
    for first, second in zip(
        catalogue_module._make_vehicles(np.random.default_rng(4))[:3],
        catalogue_module._make_vehicles(np.random.default_rng(4))[:3],
        strict=True,
    ):
        assert np.array_equal(first.meshes[0].positions, second.meshes[0].positions)


def test_some_of_every_large_kind_are_held_out(catalogue):
    for models in (catalogue.vehicles, catalogue.people):
        share = np.mean([model.held_out for model in models])
        assert 0.0 < share < 0.35


def lorries(catalogue):
    return [model for model in catalogue.vehicles if model.class_name == 'Truck']


def cars(catalogue):
    return [model for model in catalogue.vehicles if model.class_name in ('Car', 'Van')]


@pytest.mark.parametrize(('kind', 'share'), [(lorries, 0.5), (cars, 0.99)])
def test_writing_on_vehicles_is_read_from_outside(catalogue, kind, share):
    written = 0
    for model in kind(catalogue):
        mesh = model.meshes[0]
        uv = mesh.uv[mesh.triangles].astype(float)
        one, other = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
        # Triangles run against the clock seen from outside; v runs down.
        area = one[:, 1] * other[:, 0] - one[:, 0] * other[:, 1]
        is_sign = uv[..., 1].min(axis=1) > 0.5
        written += int(is_sign.any())
        assert (area[is_sign] > 0).all(), model.name
    assert written > share * len(kind(catalogue))


def test_wear_and_what_is_written_are_apart_in_their_texture(catalogue):
    for model in [*lorries(catalogue), *cars(catalogue)]:
        mesh = model.meshes[0]
        v = mesh.uv[mesh.triangles, 1]
        is_sign = v.max(axis=1) > 0.5
        assert (v[is_sign].min(axis=1) > 0.5).all(), model.name
        assert v.min() >= 0.0 and v.max() <= 1.0, model.name


@pytest.mark.parametrize('draw', [draw_livery, draw_finish])
def test_liveries_and_number_plates_are_each_their_own(draw):
    def make(seed):
        return draw(np.random.default_rng(seed)).texture

    np.testing.assert_array_equal(make(1), make(1))
    half = len(make(1)) // 2
    for part in (slice(None, half), slice(half, None)):
        assert np.abs(make(1)[part].astype(int) - make(2)[part]).mean() > 1.0


def test_open_canvas_shows_a_dark_inside():
    is_open = 0
    for seed in range(12):
        mesh = make_light_lorry('lorry', 'light_canvas', np.random.default_rng(seed))
        points, x = mesh.positions[mesh.triangles].mean(axis=1), mesh.positions[:, 0]
        faces_back = mesh.normals[mesh.triangles].mean(axis=1)[:, 0] < -0.9
        # Far ahead of the rear, high up, behind nothing: the end wall inside.
        inside = faces_back & (points[:, 0] > x.min() + 1.0) & (points[:, 2] > 1.5)
        inside &= np.abs(points[:, 1]) < 0.5
        wall = mesh.colours[mesh.triangles[inside, 0]].max(axis=1, initial=0.0)
        is_open += bool((wall < 0.1).any())
    assert 2 <= is_open <= 10
