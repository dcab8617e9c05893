"""A network learns a few frames by heart: labels, targets, losses, steps, files and decoding."""

import sys
from pathlib import Path

import pytest
import torch
from tiny_smoke import TinySmoke

# Not installed with the package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.overfit import SECTIONS, overfit, print_results


def assert_learnt(results) -> None:
    print_results(results)
    assert all(found.is_found for result in results for found in result.objects)
    assert not any(result.false for result in results)


def test_tiny_network_learns_small_frames(frames, tmp_path, monkeypatch):
    for module in ('training.prepare', 'checkpoint'):
        monkeypatch.setattr(f'smoke_ros.{module}.build_network', TinySmoke)
    sections = {
        'model': {
            'classes': ['Car', 'Pedestrian'], 'input_width': 128, 'input_height': 64,
            'depth_reference': [12.0, 5.0],
        },
        'data': {'class_map': [], 'flip_probability': 0.0, 'shift_scale_probability': 0.0},
        'loss': SECTIONS['loss'],
        'training': {**SECTIONS['training'], 'iterations': 200, 'learning_rate': 5e-3},
    }  # fmt: skip
    results = overfit(frames, tmp_path / 'run', sections)
    assert sum(len(result.objects) for result in results) == 6
    assert_learnt(results)
    assert max(found.heading_error_deg for r in results for found in r.objects) < 10.0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_full_network_learns_six_frames_of_kitti(shared_dir, tmp_path):
    folder = shared_dir / 'kitti' / 'object'
    if not folder.is_dir():
        pytest.skip(f'needs labelled KITTI frames: no folder {folder}')
    torch.set_num_threads(2)
    results = overfit(folder, tmp_path / 'run', SECTIONS)
    classes = [found.item.class_name for result in results for found in result.objects]
    assert (classes.count('Car'), classes.count('Pedestrian')) == (5, 2)
    assert_learnt(results)
