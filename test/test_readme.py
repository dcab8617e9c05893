"""What the README tells a user to type has to work."""

import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
from label_network import encode_boxes, label_model

from smoke_ros import cli
from smoke_ros.config.model import ModelConfig
from smoke_ros.detector import Detector
from smoke_ros.preprocess import InputGeometry
from smoke_ros.structures import Box3D, CameraModel

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / 'README.md').read_text()
K = [[721.5, 0, 609.6], [0, 721.5, 172.9], [0, 0, 1]]
CAMERA_YAML = f"""\
image_width: 1242
image_height: 375
camera_matrix: {{rows: 3, cols: 3, data: {np.ravel(K).tolist()}}}
distortion_model: plumb_bob
distortion_coefficients: {{rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}}
"""
LABEL = 'Car 0 0 0 600 170 640 200 1.5 1.6 3.9 0.0 1.7 20.0 -1.57\n'


def blocks(language):
    return re.findall(rf'```{language}\n(.*?)```', README, re.DOTALL)


def commands(program):
    lines = [line for block in blocks('sh') for line in block.splitlines()]
    return [line for line in lines if line.startswith(program + ' ')]


@pytest.fixture
def users_folder(tmp_path, monkeypatch):
    """The files that the README's commands take, and a model that sees one car."""
    picture = np.zeros((375, 1242, 3), np.uint8)
    for folder in ('image_2', 'calib', 'label_2'):
        (tmp_path / folder).mkdir()
    cv2.imwrite(str(tmp_path / 'image_2/000000.png'), picture)
    cv2.imwrite(str(tmp_path / 'road.png'), picture)
    numbers = np.hstack([K, np.zeros((3, 1))]).ravel()
    (tmp_path / 'calib/000000.txt').write_text('P2: ' + ' '.join(map(str, numbers)) + '\n')
    (tmp_path / 'label_2/000000.txt').write_text(LABEL)
    (tmp_path / 'camera.yaml').write_text(CAMERA_YAML)
    camera = CameraModel.from_intrinsics(K, 1242, 375)
    geometry = InputGeometry.centred((1242, 375), (1280, 384))
    car = Box3D((0.0, 0.95, 20.0), (3.9, 1.5, 1.6), -1.57)
    loaded = label_model(*encode_boxes(ModelConfig(), camera, geometry, [('Car', 0.8, car)]))
    monkeypatch.setattr(
        Detector, 'from_model', lambda name, device='cpu', config=None: Detector(
            loaded, device, config
        )
    )  # fmt: skip
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_run_in_the_order_they_are_given(users_folder, capsys):
    lines = commands('smoke-ros')
    assert len(lines) >= 3
    for line in lines:
        assert cli.main(shlex.split(line)[1:]) == 0, line
    assert (users_folder / 'pictures/000000.png').exists()
    assert (users_folder / 'road.json').exists()
    assert '<html' in (users_folder / 'report.html').read_text()


def test_the_python_example_runs(users_folder, capsys):
    (example,) = blocks('python')
    exec(compile(example, 'README.md', 'exec'), {})
    assert capsys.readouterr().out.startswith('Car 0.8')


def test_the_make_targets_exist():
    makefile = (ROOT / 'Makefile').read_text()
    mentioned = set(re.findall(r'\bmake ([a-z]+)`', README)) | {
        line.split()[1] for line in commands('make')
    }
    assert {'demo', 'test', 'setup', 'bench'} <= mentioned
    assert all(re.search(rf'^{target}:', makefile, re.MULTILINE) for target in mentioned)


def test_the_launch_arguments_exist():
    lines = commands('ros2 launch smoke_ros')
    assert lines
    for line in lines:
        file, *arguments = line.split()[3:]
        source = (ROOT / 'launch' / file).read_text()
        if "with_name('smoke.launch.py')" in source:  # whose arguments it has too
            source += (ROOT / 'launch' / 'smoke.launch.py').read_text()
        for argument in arguments:
            name = argument.split(':=')[0]
            assert f"'{name}'" in source, f'{file} has no argument {name}'


def test_the_links_lead_somewhere():
    targets = [t for t in re.findall(r'\]\(([^)]+)\)', README) if '://' not in t]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
