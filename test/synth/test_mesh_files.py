"""Mesh files become models that face +x, stand on z = 0 and have the size that was asked for."""

import logging

import numpy as np
import pytest
from PIL import Image

trimesh = pytest.importorskip('trimesh')

from pathlib import Path

from smoke_ros.synth.meshes.calibration import (
    MeshCalibration,
    MeshFileError,
    read_mesh_calibrations,
)
from smoke_ros.synth.meshes.files import load_folder, load_model, rotation_from_axes
from smoke_ros.synth.meshes.guess import guess_class, guess_size
from smoke_ros.synth.meshes.surfaces import linear_from_srgb

CONFIG = Path(__file__).resolve().parents[2] / 'config/synth_meshes.yaml'

# A box 2 wide (x), 4 long (y) and 1 high (z), and a small one on its end at -y: which way is which
# can be told from it. Counter-clockwise from outside.
FACES = ((1, 3, 4, 2), (5, 6, 8, 7), (1, 2, 6, 5), (3, 7, 8, 4), (1, 5, 7, 3), (2, 4, 8, 6))


def write_box(lines, low, high, first):
    for z in (low[2], high[2]):
        for y in (low[1], high[1]):
            lines += [f'v {x} {y} {z}' for x in (low[0], high[0])]
    return [' '.join(str(first + i - 1) for i in face) for face in FACES]


def write_car(folder, name='car', materials=True):
    """A car of 2 x 4 x 2 units whose cabin (material 'Window') is at -y, up z."""
    lines = [f'mtllib {name}.mtl'] if materials else []
    body = write_box(lines, (-1, -2, 5), (1, 2, 6), 1)
    cabin = write_box(lines, (-1, -2, 6), (1, 0, 7), 9)
    lines += ['usemtl BodyPaint', *(f'f {face}' for face in body)]
    lines += ['usemtl Window', *(f'f {face}' for face in cabin)]
    (folder / f'{name}.obj').write_text('\n'.join(lines) + '\n')
    if materials:
        (folder / f'{name}.mtl').write_text(
            'newmtl BodyPaint\nKd 1 0 0\nnewmtl Window\nKd 0.5 0.5 0.5\n'
        )
    return folder / f'{name}.obj'


def write_square(folder, address, picture):
    """A square of y by z, 1 x 1, whose texture's top left corner is at y = 0, z = 1."""
    (folder / 'square.obj').write_text(
        'mtllib square.mtl\nv 0 0 0\nv 0 1 0\nv 0 1 1\nv 0 0 1\nv 1 0 0\n'
        'vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n'
        'usemtl Cloth\nf 1/1 2/2 3/3 4/4\nf 1/1 5/1 2/1\n'
    )
    (folder / 'square.mtl').write_text(f'newmtl Cloth\nKd 1 1 1\nmap_Kd {address}\n')
    Image.fromarray(picture).save(folder / 'cloth.png')


def quarters():
    """Red top left, green top right, blue bottom left, white bottom right; 8 x 8."""
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[..., 3] = 255
    picture[:4, :4, 0] = 255
    picture[:4, 4:, 1] = 255
    picture[4:, :4, 2] = 255
    picture[4:, 4:, :3] = 255
    return picture


def corners(mesh):
    return mesh.positions[mesh.triangles]


def part(model, name):
    return next(mesh for mesh in model.meshes if mesh.name.endswith(name))


@pytest.mark.parametrize('forward', ['y', '-y'])
def test_a_mesh_faces_x_stands_on_the_ground_and_has_its_size(tmp_path, forward):
    write_car(tmp_path)
    model = load_model(
        tmp_path, MeshCalibration('car.obj', 'car', class_name='Car', up='z', forward=forward,
                              size_m=(4.0, 1.5, 1.8)),
    )  # fmt: skip
    assert model.class_name == 'Car' and model.dimensions == pytest.approx((4.0, 1.5, 1.8))
    points = np.concatenate([mesh.positions for mesh in model.meshes])
    np.testing.assert_allclose(points.min(axis=0), (-2.0, -0.9, 0.0), atol=1e-6)
    np.testing.assert_allclose(points.max(axis=0), (2.0, 0.9, 1.5), atol=1e-6)
    cabin = part(model, 'Window').positions
    sign = 1 if forward == '-y' else -1  # the cabin is at -y in the file
    assert np.sign(cabin[:, 0].mean()) == sign
    assert cabin[:, 2].min() == pytest.approx(0.75)


def test_triangles_and_normals_look_outwards_also_when_mirrored(tmp_path):
    write_car(tmp_path)
    told = MeshCalibration(
        'car.obj', 'car', class_name='Car', up='z', forward='y', size_m=(8.0, 1.5, 1.8),
        attach=(('car.obj', 10, 0, 0, 'x'),),
    )  # fmt: skip
    model = load_model(tmp_path, told)
    assert len(model.meshes) == 4
    for mesh in model.meshes:
        a, b, c = corners(mesh).transpose(1, 0, 2)
        flat = np.cross(b - a, c - a)
        outwards = (a + b + c) / 3 - mesh.positions.mean(axis=0)
        assert (np.einsum('ij,ij->i', flat, outwards) > 0).all()
        np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1.0, atol=1e-5)
        first = mesh.normals[mesh.triangles[:, 0]]
        assert (np.einsum('ij,ij->i', flat, first) > 0).all()


def test_every_pair_of_axes_gives_a_rotation():
    for up in ('x', 'y', 'z', '-x', '-y', '-z'):
        for forward in ('x', 'y', 'z', '-x', '-y', '-z'):
            if up[-1] != forward[-1]:
                rotation = rotation_from_axes(up, forward)
                assert np.linalg.det(rotation) == pytest.approx(1.0)
                sign = -1 if forward[0] == '-' else 1
                assert rotation[0, 'xyz'.index(forward[-1])] == sign


def test_bodies_take_paint_and_windows_are_glass_by_their_names(tmp_path):
    write_car(tmp_path)
    model = load_folder(tmp_path)[0]
    body, window = part(model, 'BodyPaint'), part(model, 'Window')
    assert (body.paint == 1).all() and (body.colours == 1).all() and body.gloss.min() > 0.5
    assert (window.paint == 0).all() and window.colours.max() < 0.05
    assert (window.gloss == 1).all()


def test_the_calibration_names_painted_materials(tmp_path):
    write_car(tmp_path)
    told = MeshCalibration('car.obj', 'car', paint=('none*',), glass=('none',))
    model = load_model(tmp_path, told)
    body, window = part(model, 'BodyPaint'), part(model, 'Window')
    assert (body.paint == 0).all()
    np.testing.assert_allclose(body.colours, np.tile((1.0, 0, 0), (len(body.colours), 1)))
    grey = linear_from_srgb((127.5,) * 3)
    np.testing.assert_allclose(window.colours[0], grey, atol=0.01)


@pytest.mark.parametrize('address', ['cloth.png', 'model://shop/materials/cloth.png'])
def test_a_texture_is_found_and_the_right_way_up(tmp_path, address):
    write_square(tmp_path, address, quarters())
    told = MeshCalibration('square.obj', 'square', class_name='Misc', up='z', forward='y')
    mesh = load_model(tmp_path, told).meshes[0]
    assert mesh.texture.shape == (8, 8, 4) and tuple(mesh.texture[0, 0]) == (255, 0, 0, 255)
    top = mesh.positions[:, 2] == mesh.positions[:, 2].max()
    assert (mesh.uv[top, 1] == 0).all() and (mesh.uv[~top, 1] == 1).all()


def test_opacity_can_mean_paint(tmp_path):
    picture = quarters()
    picture[..., 3] = 255 * np.tri(8, dtype=np.uint8)[::-1]  # one of two triangles
    write_square(tmp_path, 'cloth.png', picture)
    told = MeshCalibration('square.obj', 'square', class_name='Misc', up='z', forward='y',
                       paint=('Cloth',), alpha='paint')  # fmt: skip
    mesh = load_model(tmp_path, told).meshes[0]
    assert (mesh.texture[..., 3] == 255).all(), 'nothing of it is see-through'
    assert set(mesh.paint.tolist()) == {0.0, 1.0}


def test_a_colour_table_is_baked_and_its_body_colour_becomes_paint(tmp_path):
    picture = np.full((8, 8, 4), 255, np.uint8)
    picture[..., :3] = (200, 40, 40)
    picture[4:, :4, :3] = (10, 10, 10)
    write_square(tmp_path, 'cloth.png', picture)
    told = MeshCalibration('square.obj', 'square', class_name='Misc', up='z', forward='y',
                       paint=('Cloth',), body_colour=(200, 40, 40), bake=True)  # fmt: skip
    mesh = load_model(tmp_path, told).meshes[0]
    assert mesh.texture is None and mesh.uv is None
    painted = mesh.paint == 1
    assert painted.any() and not painted.all()
    np.testing.assert_allclose(mesh.colours[painted], 1.0)
    assert mesh.colours[~painted].max() < 0.01


def test_without_a_calibration_axes_class_and_size_are_guessed_and_told(tmp_path, caplog):
    write_car(tmp_path, 'box_van')
    with caplog.at_level(logging.WARNING):
        (model,) = load_folder(tmp_path)
    assert model.class_name == 'Van' and model.name == 'box_van'
    assert model.dimensions == pytest.approx((4.0, 2.0, 2.0))
    assert part(model, 'Window').positions[:, 0].max() == pytest.approx(0.0), 'bonnet ahead'
    assert 'guessed class Van; up z, forward y; length, height, width 4.00' in caplog.text


def test_a_single_wheel_is_not_taken_for_a_car():
    with pytest.raises(MeshFileError, match=r'no Car is 0\.31 times as wide and 1\.00 times as'):
        guess_size(np.array([0.65, 0.2, 0.65]), 'Car')
    assert guess_size(np.array([2.5, 1.65, 1.55]), 'Car') == pytest.approx((4.0, 2.48, 2.64))


@pytest.mark.parametrize(
    ('file', 'class_name'),
    [('city/bus.obj', 'Truck'), ('Red_Truck2.glb', 'Truck'), ('abus.obj', 'Car'),
     ('motorcycle.glb', 'Misc'), ('ambulance/a.obj', 'Van')],
)  # fmt: skip
def test_classes_are_told_from_words(file, class_name):
    assert guess_class(file) == class_name


@pytest.mark.filterwarnings('ignore')
def test_a_broken_mesh_is_left_out_with_its_reason_and_a_count(tmp_path, caplog):
    write_car(tmp_path)
    (tmp_path / 'broken.glb').write_bytes(b'this is no mesh')
    (tmp_path / 'empty.obj').write_text('# nothing\n')
    (tmp_path / 'nan.obj').write_text('v nan 0 0\nv 1 0 0\nv 0 1 1\nf 1 2 3\n')
    models = load_folder(tmp_path)
    assert [model.name for model in models] == ['car']
    for name in ('broken.glb', 'empty.obj', 'nan.obj'):
        assert f'{name}: left out: ' in caplog.text
    assert '3 of 4 meshes left out' in caplog.text


def test_a_folder_without_one_usable_mesh_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r'no mesh that can be used.*found 0'):
        load_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match='no such folder'):
        load_folder(tmp_path / 'none')


def test_large_meshes_are_rejected_unless_the_calibration_allows_them(tmp_path):
    write_car(tmp_path)
    with pytest.raises(MeshFileError, match='24 triangles, more than max_triangles: 10'):
        load_model(tmp_path, MeshCalibration('car.obj', 'car', max_triangles=10))
    assert load_model(tmp_path, MeshCalibration('car.obj', 'car', max_triangles=24)).meshes


def test_the_calibration_beside_the_meshes_is_used(tmp_path):
    write_car(tmp_path)
    write_car(tmp_path, 'other')
    write_car(tmp_path, 'wheel')
    (tmp_path / 'meshes.yaml').write_text(
        'meshes:\n'
        '- {file: car.obj, name: mine, class_name: Truck, up: z, forward: y, held_out: true,\n'
        '   size_m: [5, 2, 2], attach: [[wheel.obj, 0, 0, 0]]}\n'
        '- {file: other.obj, skip: true}\n'
    )
    (model,) = load_folder(tmp_path)
    assert (model.name, model.class_name, model.held_out) == ('mine', 'Truck', True)
    assert model.dimensions == pytest.approx((5.0, 2.0, 2.0)) and len(model.meshes) == 4


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('meshes: [}', 'not a YAML file'),
        ('- file: a.obj', "expected one key, 'meshes'"),
        ('meshes: [{name: a}]', r"mesh 1: expected options with a 'file'"),
        ('meshes: [{file: a.obj, colour: red}]', r'mesh 1 \(a.obj\): unknown option colour'),
        ('meshes: [{file: a.obj, class_name: Lorry}]', "class_name must be one of .*'Lorry'"),
        ('meshes: [{file: a.obj, size_m: [1, 2]}]', 'size_m must be three positive numbers'),
        ('meshes: [{file: a.obj, up: z}]', 'up and forward must be given together'),
        ('meshes: [{file: a.obj, up: z, forward: -z}]', 'up and forward must differ'),
        ('meshes: [{file: a.obj, attach: [[w.obj, 1]]}]', 'attach must list'),
    ],
)
def test_mistakes_in_a_calibration_are_named(tmp_path, text, message):
    path = tmp_path / 'meshes.yaml'
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_mesh_calibrations(path)
    assert str(path) in str(caught.value)


def test_two_models_of_one_name_are_an_error(tmp_path):
    write_car(tmp_path)
    (tmp_path / 'meshes.yaml').write_text('meshes: [{file: car.obj}, {file: car.obj}]')
    with pytest.raises(ValueError, match='two meshes are named car'):
        load_folder(tmp_path)


def test_the_shared_meshes_load_as_calibrated(shared_dir, caplog):
    pytest.importorskip('collada')
    models = load_folder(shared_dir / 'meshes', CONFIG)
    assert not caplog.records, 'nothing is left out'
    told = {each.file: each for each in read_mesh_calibrations(CONFIG) if not each.skip}
    assert len(models) == len(told) == 17
    assert sum(model.held_out for model in models) == 3
    by_name = {each.name or each.file.rsplit('.', 1)[0]: each for each in told.values()}
    for model in models:
        each = by_name[model.name]
        assert model.class_name == each.class_name
        assert model.dimensions == pytest.approx(each.size_m, abs=1e-4)
        assert min(mesh.positions[:, 2].min() for mesh in model.meshes) == pytest.approx(0.0)
        assert sum(len(mesh.triangles) for mesh in model.meshes) < 2000
        if not model.name.endswith(('ambulance', 'pickup')):
            assert max(mesh.paint.max() for mesh in model.meshes) == 1
