import dataclasses
import json
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import crashing_workers
import numpy as np
import psutil
import pytest
from box_models import BoxCatalogue

from smoke_ros.calibration import read_camera
from smoke_ros.cli import main
from smoke_ros.config.synth import SynthConfig
from smoke_ros.data.kitti import read_calibration, write_calibration
from smoke_ros.data.layout import KittiFolder
from smoke_ros.geometry import projected_extent
from smoke_ros.structures import CameraModel
from smoke_ros.synth import generate as module
from smoke_ros.synth.actors import Actor, Motion
from smoke_ros.synth.camera_effects import Look
from smoke_ros.synth.compose import Composition
from smoke_ros.synth.frame import generate_frame, take_picture
from smoke_ros.synth.generate import Job, generate, load_catalogue
from smoke_ros.synth.labels import find_visible
from smoke_ros.synth.lens import Lens
from smoke_ros.synth.renderer import Renderer, RendererError
from smoke_ros.synth.scene import Light
from smoke_ros.synth.street import Centreline
from smoke_ros.synth.viewpoints import Mounting

SMALL = SynthConfig(width=320, height=96)
LEVEL = dataclasses.replace(SMALL, pitch=0.0, roll=0.0, effects=0.0)


@pytest.fixture(scope='module')
def renderer():
    try:
        opened = Renderer(SMALL.width, SMALL.height, supersampling=1)
    except RendererError as error:
        pytest.skip(f'nothing to draw with: {error}')
    with opened:
        yield opened


@pytest.fixture
def boxes(monkeypatch, renderer):
    """Let data sets be made of boxes, which take no time to make."""
    monkeypatch.setattr(module, 'load_catalogue', lambda *_: BoxCatalogue())


def job(folder, frames=3, **changes):
    return Job(folder / 'set', 7, frames, dataclasses.replace(SMALL, **changes))


def test_same_seed_same_pixels_whatever_came_before(renderer):
    catalogue = BoxCatalogue()
    first = generate_frame(3, 5, SMALL, catalogue, renderer)
    for other in (generate_frame(3, 6, SMALL, catalogue, renderer),
                  generate_frame(4, 5, SMALL, catalogue, renderer)):  # fmt: skip
        assert (other.image != first.image).any()
    again = generate_frame(3, 5, SMALL, BoxCatalogue(), renderer)
    assert again.jpeg == first.jpeg
    assert again.labels == first.labels
    assert (again.ids == first.ids).all()


def test_labels_are_what_the_id_image_shows(renderer):
    counted = 0
    for index in range(3):
        frame = generate_frame(0, index, LEVEL, BoxCatalogue(), renderer)
        extents = {seen.bbox_xyxy_px for seen in find_visible(frame.ids).values()}
        assert all(item.bbox_xyxy_px in extents for item in frame.labels)
        counted += len(frame.labels)
    assert counted > 10


@pytest.mark.parametrize('angle', [0.0, 0.5, math.pi / 2, -2.4])
def test_boxes_agree_with_the_pixels_within_one_pixel(renderer, angle):
    line, catalogue = Centreline(), BoxCatalogue()
    places = [(8.0, 4.5), (14.0, -5.2), (30.0, 4.0), (40.0, -2.5), (30.0, -20.0)]
    actors = [
        Actor(catalogue.vehicles[n % 4], Motion(line, s, d, angle=angle), n + 1)
        for n, (s, d) in enumerate(places)
    ]
    K = [[190.0, 0.0, 158.3], [0.0, 190.0, 44.6], [0.0, 0.0, 1.0]]
    camera = CameraModel.from_intrinsics(K, SMALL.width, SMALL.height)
    composition = Composition(
        [], [], actors, Light(), camera, Mounting(1.65, 0.0, 0.0, 0.02), Motion(line, 0.0, 0.0)
    )
    frame = take_picture(composition, Look(), SMALL, renderer, np.random.default_rng(0))
    assert len(frame.labels) == len(places)
    for item in frame.labels:
        assert item.occlusion == 0
        expected = projected_extent(K, item.corners()).clip([0, 0, 0, 0], [319, 95, 319, 95])
        np.testing.assert_allclose(item.bbox_xyxy_px, expected, atol=1.0)


def test_truncation_is_the_part_outside_the_picture(renderer):
    """A car seen from behind, its middle on the left border: about half of it is outside."""
    K = [[190.0, 0.0, 0.0], [0.0, 190.0, 45.0], [0.0, 0.0, 1.0]]
    camera = CameraModel.from_intrinsics(K, SMALL.width, SMALL.height)
    line = Centreline()
    actors = [Actor(BoxCatalogue().vehicles[0], Motion(line, 15.0, 0.0), 1)]
    composition = Composition(
        [], [], actors, Light(), camera, Mounting(1.65, 0.0, 0.0, 0.0), Motion(line, 0.0, 0.0)
    )
    frame = take_picture(composition, Look(), SMALL, renderer, np.random.default_rng(0))
    (item,) = frame.labels
    assert item.truncation == pytest.approx(0.5, abs=0.05)
    assert item.occlusion == 0


def test_a_lens_hides_nothing():
    """A car far off the axis, which a barrel lens makes smaller."""
    K = np.array([[150.0, 0.0, 160.0], [0.0, 150.0, 60.0], [0.0, 0.0, 1.0]])
    lens = Lens(CameraModel(K, 320, 120, 'plumb_bob', (-0.25, 0.05, 0.0, 0.0, 0.0)))
    line = Centreline()
    actors = [Actor(BoxCatalogue().vehicles[0], Motion(line, 12.0, 8.0), 1)]
    composition = Composition(
        [], [], actors, Light(), lens.pinhole, Mounting(1.65, 0.0, 0.0, 0.0),
        Motion(line, 0.0, 0.0),
    )  # fmt: skip
    config = dataclasses.replace(SMALL, height=120)
    try:
        opened = Renderer(lens.pinhole.width, lens.pinhole.height, supersampling=1)
    except RendererError as error:
        pytest.skip(f'nothing to draw with: {error}')
    with opened as renderer:
        frame = take_picture(composition, Look(), config, renderer, np.random.default_rng(0), lens)
    (item,) = frame.labels
    assert (item.class_name, item.occlusion, item.truncation) == ('Car', 0, 0.0)


def test_held_out_meshes_are_others(renderer):
    def car_lengths(held_out):
        config = dataclasses.replace(SMALL, held_out=held_out, empty_share=0.0)
        frames = [generate_frame(0, i, config, BoxCatalogue(), renderer) for i in range(3)]
        return {
            round(item.dimensions[0] / item.dimensions[1], 1)
            for frame in frames for item in frame.labels if item.class_name == 'Car'
        }  # fmt: skip

    trained, tested = car_lengths(False), car_lengths(True)
    assert trained and tested
    assert max(trained) < min(tested)  # 4.0 / 1.5 against 4.5 / 1.4, each varied a little


def test_data_set_is_in_kittis_layout(tmp_path, boxes):
    made = job(tmp_path)
    assert generate(dataclasses.replace(made, id_masks=True), workers=1) == 3
    folder = KittiFolder(made.out)
    assert folder.frames('train') == ['000000', '000001', '000002']
    for name in folder.frames('train'):
        size = folder.image_size(name)
        assert size == (320, 96)
        assert folder.camera(name, size).K[0, 0] > 0
        folder.labels(name)
        assert (made.out / 'id_masks' / f'{name}.png').is_file()
    assert json.loads((made.out / 'synth.json').read_text())['seed'] == 7


def test_goes_on_where_it_stopped(tmp_path, boxes):
    made = job(tmp_path)
    generate(made, workers=1)
    first = (made.out / 'image_2' / '000001.jpg').read_bytes()
    (made.out / 'label_2' / '000001.txt').unlink()
    assert generate(dataclasses.replace(made, frames=4), workers=1) == 2
    assert (made.out / 'image_2' / '000001.jpg').read_bytes() == first
    assert len(KittiFolder(made.out).frames('train')) == 4


def test_meshes_are_made_anew_every_so_many_frames(tmp_path, monkeypatch, renderer):
    """The frame's number says which meshes it shows, whoever makes it and whatever was before."""
    wide = BoxCatalogue()
    wide.vehicles = [dataclasses.replace(v, dimensions=(7.0, 1.5, 1.6)) for v in wide.vehicles]
    batches = []

    def load(config, models=(), batch=0):
        batches.append(batch)
        return wide if batch == 1 else BoxCatalogue()

    monkeypatch.setattr(module, 'load_catalogue', load)
    made = job(tmp_path, frames=6, mesh_renewal=2, empty_share=0.0)
    generate(made, workers=1)
    assert batches == [0, 1, 2]
    folder = KittiFolder(made.out)
    longest = {
        name: max(item.dimensions[0] for item in folder.labels(name) if item.class_name == 'Car')
        for name in folder.frames('train')
    }  # fmt: skip
    assert [name for name, length in longest.items() if length > 6.0] == ['000002', '000003']
    before = (made.out / 'image_2' / '000003.jpg').read_bytes()
    (made.out / 'label_2' / '000003.txt').unlink()
    generate(made, workers=1)
    assert (made.out / 'image_2' / '000003.jpg').read_bytes() == before


def test_batches_of_meshes_differ_and_come_back():
    def sizes(batch, mesh_seed=0):
        catalogue = load_catalogue(SynthConfig(mesh_seed=mesh_seed), batch=batch)
        return [model.dimensions for model in catalogue.vehicles[:3]]

    assert sizes(1) == sizes(1)
    assert len({tuple(sizes(batch, seed)) for batch in (0, 1, 2) for seed in (0, 1)}) == 6


@pytest.mark.slow  # each worker makes the whole catalogue
def test_workers_of_a_killed_process_stop(tmp_path, renderer):
    command = [sys.executable, '-m', 'smoke_ros.cli', 'synth', str(tmp_path / 'out')]
    command += ['--frames', '5000', '--size', '128', '64', '--workers', '2']
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        labels = tmp_path / 'out' / 'label_2'
        deadline = time.monotonic() + 100
        while not (labels.is_dir() and any(labels.iterdir())) and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.1)
        workers = psutil.Process(process.pid).children()
        assert len(workers) >= 2
        process.kill()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive


def made_by(work, tmp_path, monkeypatch, frames=8, workers=2):
    monkeypatch.setattr(module, '_work', work)
    small = job(tmp_path, frames=frames)
    small.out.mkdir(parents=True, exist_ok=True)
    return sorted(module._in_processes(small, list(range(frames)), workers))


def test_after_a_crash_another_worker_goes_on(tmp_path, monkeypatch, caplog):
    made = made_by(crashing_workers.crash_once, tmp_path, monkeypatch)
    assert made == list(range(8))
    assert 'by SIGSEGV at frame 000004; another one goes on there' in caplog.text


@pytest.mark.parametrize(
    ('work', 'message'),
    [
        (crashing_workers.crash_at_once, 'by SIGSEGV at frame 000000; the frames that are done'),
        (crashing_workers.be_killed, 'by SIGKILL at frame 000001; the frames that are done'),
        (crashing_workers.find_no_renderer, 'cannot draw'),
    ],
)
def test_workers_that_cannot_go_on_end_the_run_in_a_sentence(tmp_path, monkeypatch, work, message):
    with pytest.raises(OSError, match=message):
        made_by(work, tmp_path, monkeypatch, workers=1)
    assert not multiprocessing.active_children()


def test_other_settings_need_another_folder(tmp_path, boxes):
    generate(job(tmp_path, frames=1), workers=1)
    with pytest.raises(ValueError, match=r'made otherwise \(config differ'):
        generate(job(tmp_path, frames=1, pitch=2.0), workers=1)
    with pytest.raises(ValueError, match=r'made otherwise \(seed differ'):
        generate(dataclasses.replace(job(tmp_path, frames=1), seed=8), workers=1)


def test_meshes_that_stand_otherwise_need_another_folder(tmp_path, boxes, monkeypatch):
    monkeypatch.setattr(module, 'load_folder', lambda *_: [])
    (tmp_path / 'meshes').mkdir()
    for calibration in (tmp_path / 'front.yaml', tmp_path / 'meshes/meshes.yaml'):
        given = calibration if calibration.name == 'front.yaml' else None
        calibration.write_text('forward: -x')
        work = dataclasses.replace(
            job(tmp_path / f'by {calibration.name}', frames=1), meshes=tmp_path / 'meshes',
            mesh_calibration=given,
        )  # fmt: skip
        assert generate(work, workers=1) == 1
        assert generate(work, workers=1) == 0
        calibration.write_text('forward: +x')
        with pytest.raises(ValueError, match=r'made otherwise \(mesh.* differ'):
            generate(work, workers=1)


def test_a_lens_is_written_down_and_told_of(tmp_path, boxes, caplog):
    K = np.array([[200.0, 0.0, 160.0], [0.0, 200.0, 45.0], [0.0, 0.0, 1.0]])
    camera = CameraModel(K, 320, 96, 'plumb_bob', (-0.2, 0.05, 0.0, 0.0, 0.0))
    work = dataclasses.replace(job(tmp_path, frames=1), camera=camera)
    generate(work, workers=1)
    assert read_camera(work.out / 'camera.yaml', (320, 96)).key == camera.key
    assert 'the pictures are distorted' in caplog.text and 'bag2kitti' in caplog.text


def test_ctrl_c_ends_workers_without_a_word(tmp_path, renderer):
    command = [sys.executable, '-m', 'smoke_ros.cli', 'synth', str(tmp_path / 'out')]
    command += ['--frames', '500', '--size', '128', '64', '--workers', '2']
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 60.0
        while len(psutil.Process(process.pid).children()) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        workers = psutil.Process(process.pid).children()
        time.sleep(1.0)  # as they import
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=60.0)[1]
    assert process.returncode == 130
    assert 'Traceback' not in said
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive


def test_data_set_that_is_not_rendered_is_left_alone(tmp_path):
    (tmp_path / 'set' / 'label_2').mkdir(parents=True)
    with pytest.raises(ValueError, match='not rendered'):
        generate(job(tmp_path), workers=1)


def test_lens_bends_picture_and_labels_alike(renderer):
    K = [[200.0, 0.0, 160.0], [0.0, 200.0, 45.0], [0.0, 0.0, 1.0]]
    camera = CameraModel(np.array(K), 320, 96, 'plumb_bob', (0.2, 0.0, 0.0, 0.0, 0.0))
    lens = Lens(camera)
    with Renderer(lens.pinhole.width, lens.pinhole.height, supersampling=1) as wide:
        frame = generate_frame(2, 1, SMALL, BoxCatalogue(), wide, lens)
    assert frame.image.shape == (96, 320, 3)
    assert frame.camera is camera
    extents = {seen.bbox_xyxy_px for seen in find_visible(frame.ids).values()}
    assert frame.labels
    assert all(item.bbox_xyxy_px in extents for item in frame.labels)


def test_calibration_round_trip(tmp_path):
    camera = CameraModel.from_projection(
        [[700.5, 0, 600, 44.8], [0, 701, 170, 0.2], [0, 0, 1, 0.003]], 1242, 375
    )
    write_calibration(tmp_path / 'calib.txt', camera)
    for number in (0, 2, 3):
        again = read_calibration(tmp_path / 'calib.txt', 1242, 375, camera=number)
        assert again.key == camera.key


def test_a_run_that_failed_before_its_first_frame_leaves_the_folder_free(boxes, tmp_path):
    failed = job(tmp_path)
    module.check_record(failed)
    again = job(tmp_path, pitch=2.0)
    assert generate(again, 1) == 3
    with pytest.raises(ValueError, match='holds frames that were made otherwise'):
        generate(failed, 1)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--frames', '0'], '--frames must be at least 1'),
        (['--seed', '-1'], '--seed must be at least 0'),
        (['--size', '10', '10'], 'width must be 64 to 4096 px, got 10'),
        (['--camera', 'nowhere.yaml'], 'nowhere.yaml'),
        (['--meshes', 'nowhere'], 'nowhere'),
        (['--street', 'urban'], '--street and --rate are for --drive'),
        (['--mesh-calibration', 'nowhere.yaml'], '--mesh-calibration needs --meshes'),
        (['--config', 'broken.yaml'], 'broken.yaml: expected YAML'),
        (['--camera', 'k.txt', '--size', '640', '192'], 'point at 610 of the width'),
    ],
)
def test_command_says_what_it_cannot_use(tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'broken.yaml').write_text('width: [1\n')
    (tmp_path / 'k.txt').write_text('P2: 721.5 0 609.6 44.9 0 721.5 172.9 0.2 0 0 1 0.003\n')
    assert main(['synth', str(tmp_path / 'out'), *arguments]) == 2
    assert message in capsys.readouterr().err
