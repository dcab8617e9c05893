"""``smoke-ros`` as a user runs it."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from label_network import encode_boxes, label_model

from smoke_ros import cli, detect_command
from smoke_ros.config.model import ModelConfig
from smoke_ros.data.kitti import read_objects
from smoke_ros.detector import Detector
from smoke_ros.evaluation.run_info import RunInfo, read_run_info, write_run_info
from smoke_ros.preprocess import InputGeometry
from smoke_ros.structures import Box3D, CameraModel

CAR = Box3D((2.0, 1.0, 20.0), (3.9, 1.5, 1.6), -1.2)
P2 = '721.5377 0 609.5593 0 0 721.5377 172.854 0 0 0 1 0'
SIZE = (1242, 375)


@pytest.fixture
def frames(tmp_path):
    """Two images with their calibrations."""
    for name in ('000000', '000001'):
        (tmp_path / 'images').mkdir(exist_ok=True)
        (tmp_path / 'calib').mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / f'images/{name}.png'), np.zeros((375, 1242, 3), np.uint8))
        (tmp_path / f'calib/{name}.txt').write_text(f'P2: {P2}\n')
    return tmp_path


@pytest.fixture
def sees_a_car(monkeypatch):
    """Let every model be one that sees CAR."""
    K = np.array(P2.split(), float).reshape(3, 4)[:, :3]
    camera = CameraModel.from_intrinsics(K, *SIZE)
    geometry = InputGeometry.centred(SIZE, (1280, 384))
    maps = encode_boxes(ModelConfig(), camera, geometry, [('Car', 0.8, CAR)])
    monkeypatch.setattr(
        Detector, 'from_model', lambda _name, device, config: Detector(
            label_model(*maps), 'cpu', config
        )
    )  # fmt: skip


def detect(*arguments):
    return cli.main(['detect', *map(str, arguments), '--device', 'cpu'])


def test_images_are_not_drawn_over(frames, sees_a_car, capsys):
    images = frames / 'images'
    before = (images / '000000.png').read_bytes()
    for arguments in ((images, '--draw', images), (images / '000000.png', '--draw', images)):
        assert detect(*arguments, '--calib', frames / 'calib') == 2
        assert '000000.png is read from and would be written over' in capsys.readouterr().err
    assert (images / '000000.png').read_bytes() == before


@pytest.mark.parametrize(
    ('outputs', 'message'),
    [
        (['--kitti', 'calib'], 'calib has .txt files of something else, such as labels'),
        (['--json', 'images/000001.png'], '000001.png is read from and would be written over'),
        (['--json', 'calib/000000.txt'], '000000.txt is read from and would be written over'),
        (['--json', 'o/000000.png', '--draw', 'o'], 'o/000000.png would be written twice'),
        (['--json', 'calib'], 'calib is a folder, expected the name of a file to write'),
        (['--json', 'images/000000.png/x.json'], 'images/000000.png is no folder'),
    ],
)
def test_outputs_spare_what_is_there(
    frames, sees_a_car, monkeypatch, capsys, outputs, message
):  # fmt: skip
    """And what cannot be written is said before all images are looked at."""
    monkeypatch.chdir(frames)
    before = {path: path.read_bytes() for path in frames.rglob('*') if path.is_file()}
    assert detect('images', '--calib', 'calib', *outputs) == cli.EXIT_BAD_INPUT
    assert message in capsys.readouterr().err
    assert {path: path.read_bytes() for path in frames.rglob('*') if path.is_file()} == before


def test_a_drawing_is_a_picture_of_a_known_kind_or_lies_in_a_folder(frames, sees_a_car, capsys):
    image = frames / 'images/000000.png'
    assert detect(image, '--calib', frames / 'calib', '--draw', frames / 'o.pdf') == 2
    assert 'o.pdf: expected a picture (.png' in capsys.readouterr().err


def test_the_boxes_of_a_distorted_image_come_with_its_lens(frames, sees_a_car):
    (frames / 'lens.yaml').write_text(
        'image_width: 1242\nimage_height: 375\n'
        'camera_matrix: {rows: 3, cols: 3, data: [700, 0, 600, 0, 700, 170, 0, 0, 1]}\n'
        'distortion_coefficients: {rows: 1, cols: 5, data: [-0.2, 0, 0, 0, 0]}\n'
    )
    image, out = frames / 'images/000000.png', frames / 'o.json'
    assert detect(image, '--calib', frames / 'lens.yaml', '--json', out) == 0
    document = json.loads(out.read_text())
    (record,) = document['images']
    assert (record['D'], record['distortion_model']) == ([-0.2, 0, 0, 0, 0], 'plumb_bob')
    assert 'of the undistorted image' in document['frame']


def test_a_lens_that_cannot_be_undone_costs_its_image(frames, sees_a_car, caplog):
    (frames / 'calib/000000.txt').unlink()
    (frames / 'calib/000000.yaml').write_text(
        'image_width: 1242\nimage_height: 375\n'
        'camera_matrix: {rows: 3, cols: 3, data: [700, 0, 600, 0, 700, 170, 0, 0, 1]}\n'
        'distortion_coefficients: {rows: 1, cols: 5, data: [1.0e+300, 0, 0, 0, 0]}\n'
    )
    out = frames / 'o.json'
    code = detect(frames / 'images', '--calib', frames / 'calib', '--json', out)
    assert code == detect_command.EXIT_SOME_FAILED
    assert 'cannot be undone: calibrate again' in caplog.text
    (record,) = json.loads(out.read_text())['images']
    assert record['file'].endswith('000001.png')


def test_two_images_of_one_name_are_refused(frames, sees_a_car, capsys):
    cv2.imwrite(str(frames / 'images/000001.jpg'), np.zeros((375, 1242, 3), np.uint8))
    arguments = (frames / 'images', '--calib', frames / 'calib')
    assert detect(*arguments, '--kitti', frames / 'out') == 2
    assert 'several images are called 000001' in capsys.readouterr().err
    assert not (frames / 'out').exists()
    assert detect(*arguments) == 0


def test_a_folder_to_json_kitti_and_pictures(frames, sees_a_car):
    out = frames / 'out'
    code = detect(
        frames / 'images', '--calib', frames / 'calib', '--json', out / 'all.json',
        '--kitti', out / 'kitti', '--draw', out / 'pictures',
    )  # fmt: skip
    assert code == 0
    document = json.loads((out / 'all.json').read_text())
    assert document['model']['name'] == 'labels'
    assert [Path(i['file']).name for i in document['images']] == ['000000.png', '000001.png']
    (found,) = document['images'][1]['detections']
    assert (found['class'], found['score']) == ('Car', pytest.approx(0.8))
    assert found['location'] == pytest.approx(CAR.location, abs=1e-4)
    assert found['dimensions'] == pytest.approx({'length': 3.9, 'height': 1.5, 'width': 1.6})

    (line,) = read_objects(out / 'kitti/000001.txt', with_score=True)
    assert line.location == pytest.approx(CAR.location, abs=1e-3)
    assert line.dimensions == pytest.approx(CAR.dimensions, abs=1e-3)
    assert (line.truncation, line.occlusion) == (-1.0, -1)
    assert read_run_info(out / 'kitti').model == 'labels'
    picture = cv2.imread(str(out / 'pictures/000000.png'))
    assert picture.shape == (375, 1242, 3)
    assert picture.any()


def test_kitti_results_have_the_bottom_face_in_the_files(frames, sees_a_car):
    detect(frames / 'images/000000.png', '--calib', frames / 'calib/000000.txt', '--kitti', frames)
    words = (frames / '000000.txt').read_text().split()
    assert words[0] == 'Car'
    assert [float(w) for w in words[8:11]] == pytest.approx([1.5, 1.6, 3.9], abs=1e-3)
    assert float(words[12]) == pytest.approx(1.0 + 1.5 / 2, abs=1e-3)
    assert len(words) == 16


def test_results_are_of_one_model_and_one_run(frames, sees_a_car, caplog):
    results, images = frames / 'found', ('--calib', frames / 'calib', '--kitti', frames / 'found')
    detect(frames / 'images', *images)
    (frames / 'images/000000.png').write_bytes(b'damaged since')
    detect(frames / 'images', *images)
    assert [path.name for path in results.glob('*.txt')] == ['000001.txt']
    (results / '000007.txt').write_text('')  # of the same model on other images: it stays
    detect(frames / 'images', *images)
    assert {path.name for path in results.glob('*.txt')} == {'000001.txt', '000007.txt'}
    assert 'of another model' not in caplog.text
    write_run_info(results, RunInfo('another'))
    (frames / 'images/000001.png').unlink()
    detect(frames / 'images', *images)
    assert not list(results.glob('*.txt'))
    assert 'removed 2 results of another model' in caplog.text


def test_one_image_is_printed_or_drawn_into_a_file(frames, sees_a_car, capsys):
    image = frames / 'images/000000.png'
    assert detect(image, '--calib', frames / 'calib') == 0
    assert 'Car' in capsys.readouterr().out
    assert detect(image, '--calib', frames / 'calib', '--draw', frames / 'drawn.jpg') == 0
    assert cv2.imread(str(frames / 'drawn.jpg')) is not None


def test_the_threshold_is_used(frames, sees_a_car):
    for arguments, count in (
        (['--score-threshold', '0.7'], 1),
        (['--score-threshold', '0.9'], 0),
        (['--score-threshold', '0.9', '--class-threshold', 'Car=0.7'], 1),
        (['--class-threshold', 'Cyclist=0.7', '--class-threshold', 'Car=0.9'], 0),
    ):
        detect(
            frames / 'images/000000.png', '--calib', frames / 'calib', '--kitti', frames,
            *arguments,
        )  # fmt: skip
        assert len(read_objects(frames / '000000.txt', with_score=True)) == count


def test_half_a_jpeg_is_no_image(frames, sees_a_car, caplog):
    whole = cv2.imencode('.jpg', np.full((375, 1242, 3), 90, np.uint8))[1].tobytes()
    (frames / 'images/000001.png').unlink()
    # By what is in the file: its name may say something else.
    for name in ('000001.jpg', '000000.png'):
        (frames / f'images/{name}').write_bytes(whole[: len(whole) // 2])
    code = detect(frames / 'images', '--calib', frames / 'calib')
    assert code == detect_command.EXIT_SOME_FAILED
    for name in ('000001.jpg', '000000.png'):
        assert f'{name}: expected an image' in caplog.text


def test_a_bad_image_in_a_folder_costs_that_image(frames, sees_a_car, caplog):
    (frames / 'images/000000.png').write_bytes(b'not a picture')
    (frames / 'calib/000001.txt').rename(frames / 'calib/000002.txt')
    cv2.imwrite(str(frames / 'images/000002.png'), np.zeros((375, 1242, 3), np.uint8))
    code = detect(
        frames / 'images', '--calib', frames / 'calib', '--json', frames / 'out.json'
    )  # fmt: skip
    assert code == detect_command.EXIT_SOME_FAILED
    assert 'expected an image, it is damaged or of another kind' in caplog.text
    assert 'no calibration; looked for' in caplog.text
    assert '2 of 3 images could not be used' in caplog.text
    assert len(json.loads((frames / 'out.json').read_text())['images']) == 1


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['nowhere', '--calib', 'calib'], 'nowhere: no such image or folder'),
        (['calib', '--calib', 'calib'], 'calib: no image'),
        (
            ['images/000000.png', '--calib', 'none.yaml'],
            'none.yaml: no such calibration file or folder',
        ),
        (['images', '--calib', 'calib', '--score-threshold', '2'], 'must be 0 to 1, got 2'),
        (['images', '--calib', 'calib', '--class-threshold', 'Bus=1'], 'got Bus'),
        (['images', '--calib', 'calib', '--model', 'kity'], "no model 'kity'"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(frames, arguments, message, monkeypatch, capsys):
    monkeypatch.chdir(frames)
    assert detect(*arguments) == cli.EXIT_BAD_INPUT
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith('smoke-ros detect: ')
    assert error.count('\n') == 1


def test_interrupted_while_it_is_imported(monkeypatch):
    def interrupt(_name):
        raise KeyboardInterrupt

    monkeypatch.setattr('importlib.import_module', interrupt)
    assert cli.main(['detect']) == cli.EXIT_INTERRUPTED


def test_every_command_has_an_example(capsys):
    for command in cli.COMMANDS:
        with pytest.raises(SystemExit) as caught:
            cli.main([command, '--help'])
        assert caught.value.code == 0
        assert f'smoke-ros {command}' in capsys.readouterr().out.split('example', 1)[1]


def test_the_overview_does_not_import_torch():
    code = (
        'import sys; from smoke_ros import cli\n'
        'try: cli.main(["--help"])\n'
        'except SystemExit: print("torch" in sys.modules)'
    )
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert result.stdout.splitlines()[-1] == 'False'


def test_the_library_imports_without_ros():
    blocked = ('rclpy', 'cv_bridge', 'vision_msgs', 'sensor_msgs', 'message_filters', 'rosbags')
    code = (
        'import sys\n'
        f'for name in {blocked!r}: sys.modules[name] = None\n'
        'import pkgutil, importlib, smoke_ros\n'
        'names = [m.name for m in pkgutil.walk_packages(smoke_ros.__path__, "smoke_ros.")]\n'
        'names = [n for n in names if not n.startswith("smoke_ros.ros")]\n'
        'for name in names: importlib.import_module(name)\n'
        'print(len(names))'
    )
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 30


def test_output_that_is_read_no_more_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)  # as `head` does when it has seen enough
    command = [sys.executable, '-m', 'smoke_ros.cli', 'models']
    result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (result.returncode, result.stderr) == (141, '')


def test_of_libraries_only_warnings_are_printed():
    def is_printed(name, level):
        return cli._is_ours_or_warns(logging.LogRecord(name, level, '', 0, '', (), None))

    assert is_printed('smoke_ros.training.loop', logging.INFO)
    assert not is_printed('onnx_ir.passes', logging.INFO)
    assert is_printed('onnx_ir.passes', logging.WARNING)
