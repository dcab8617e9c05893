"""``smoke-ros export --format weights``."""

import numpy as np
import pytest
import torch
import yaml
from perfect_outputs import small_model

from smoke_ros.checkpoint import TrainingRecord, load_checkpoint, save_checkpoint
from smoke_ros.cli import main
from smoke_ros.coder import decode_depth
from smoke_ros.errors import CheckpointError
from smoke_ros.models import load_model
from smoke_ros.network.smoke import build_network


@pytest.fixture
def trained(tmp_path):
    """Return a weights file as training leaves it, with what is nobody else's business."""
    model = small_model(architecture='efficientnet_lite0', norm='bn', trained_on='mine')
    record = TrainingRecord('mine', ('a', 'b'), {'data': {'root': '/home/somebody'}})
    path = tmp_path / 'last.pth'
    network = build_network(model)
    save_checkpoint(path, network, model, record, resume={'iteration': 3})
    return path


def export(trained, *arguments):
    path = trained.with_name('given.pth')
    code = main(['export', str(trained), '--format', 'weights', '--out', str(path), *arguments])
    return code, path


def test_a_file_to_give_away_is_small_and_tells_nothing_private(trained):
    code, path = export(trained, '--half', '--set', 'trained_on=drives of ours')
    assert code == 0
    assert path.stat().st_size < 0.6 * trained.stat().st_size
    content = torch.load(path, weights_only=True)
    assert 'resume' not in content
    assert b'somebody' not in path.read_bytes()
    checkpoint = load_checkpoint(path)
    assert checkpoint.model.trained_on == checkpoint.training.split == 'drives of ours'
    assert checkpoint.training.frames == ()


def test_it_is_the_same_network_to_half_precision(trained):
    _, path = export(trained, '--half')
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 3, 96, 256))).float()
    with torch.no_grad():
        before = load_model(trained).network.eval()(images)
        after = load_model(path).network.eval()(images)
    for old, new in zip(before, after, strict=True):
        torch.testing.assert_close(new, old, atol=5e-3, rtol=0)


def test_statistics_beyond_half_precision_survive_it(tmp_path):
    model = small_model(architecture='efficientnet_lite0', norm='bn')
    network = build_network(model)
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    norms[-1].running_var.fill_(1e5)  # float16 ends at 65504
    save_checkpoint(tmp_path / 'whole.pth', network, model)
    code, path = export(tmp_path / 'whole.pth', '--half')
    assert code == 0
    state = load_checkpoint(path).state
    assert all(tensor.isfinite().all() for tensor in state.values())
    before, after = network.eval().state_dict(), load_model(path).network.eval().state_dict()
    name = next(n for n, t in before.items() if n.endswith('running_var') and t.max() > 9e4)
    torch.testing.assert_close(after[name], before[name], rtol=0, atol=0)


def test_weights_beyond_half_precision_are_refused(tmp_path):
    model = small_model(architecture='efficientnet_lite0', norm='bn')
    network = build_network(model)
    with torch.no_grad():
        network.heads.heatmap[0].weight[0, 0, 0, 0] = 1e5
    with pytest.raises(
        CheckpointError, match=r'heads\.heatmap\.0\.weight.*torch\.float16.*100000'
    ):
        save_checkpoint(tmp_path / 'half.pth', network, model, dtype=torch.float16)
    assert not (tmp_path / 'half.pth').exists()


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    model = small_model(architecture='efficientnet_lite0', norm='bn')
    network = build_network(model)
    with torch.no_grad():
        network.heads.heatmap[-1].bias[0] = float('inf')
    save_checkpoint(tmp_path / 'broken.pth', network, model)
    with pytest.raises(CheckpointError, match=r'finite weights.*heads\.heatmap'):
        load_checkpoint(tmp_path / 'broken.pth')


def test_options_that_need_no_training_may_change(trained):
    code, path = export(
        trained,
        '--set',
        'duplicate_overlap=0.6',
        '--set',
        'top_k=20',
        '--input-width',
        '128',
        '--input-height',
        '64',
    )
    assert code == 0
    model = load_checkpoint(path).model
    assert (model.duplicate_overlap, model.top_k) == (0.6, 20)
    assert (model.input_width, model.input_height) == (128, 64)


def test_overlaps_of_duplicates_are_set_for_all_classes_or_for_each(trained):
    code, path = export(trained, '--set', 'duplicate_overlaps=0.5,0.6,0.6')
    assert code == 0
    assert load_checkpoint(path).model.overlap_limits == (0.5, 0.6, 0.6)
    again = path.with_name('again.pth')
    assert main(['export', str(path), '--format', 'weights', '--set', 'duplicate_overlap=0.7',
                 '--out', str(again)]) == 0  # fmt: skip
    assert load_checkpoint(again).model.overlap_limits == (0.7, 0.7, 0.7)


def test_depths_are_scaled_against_a_bias(trained):
    code, path = export(trained, '--scale-depths', '1.03', '--shift-depths', '-0.4')
    assert code == 0
    before, after = (load_checkpoint(each).model.depth_reference for each in (trained, path))
    offsets = np.array([-1.5, 0.0, 2.0])
    np.testing.assert_allclose(
        decode_depth(offsets, after), 1.03 * decode_depth(offsets, before) - 0.4, rtol=1e-6
    )


@pytest.mark.parametrize(('arguments', 'message'), [
    (['--scale-depths', '0'], '--scale-depths takes a factor from 0.5 to 2, got 0'),
    (['--shift-depths', '9'], '--shift-depths takes at most 5 m, either way, got 9'),
    (['--set', 'classes=Car'], '--set takes NAME=VALUE with one of trained_on'),
    (['--set', 'top_k=many'], "--set top_k takes int, got 'many'"),
    (['--set', 'duplicate_overlap=7'], 'duplicate_overlap'),
    (['--set', 'duplicate_overlaps=0.5'], 'one overlap from 0 to 1 for each of the 3 classes'),
    (['--set', 'duplicate_overlaps=a,b'], "takes numbers and commas, got 'a,b'"),
    (['--with-decode'], 'go with --format onnx'),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(trained, capsys, arguments, message):
    code, path = export(trained, *arguments)
    assert code != 0 and not path.exists()
    assert message in capsys.readouterr().err


def test_a_graph_merges_no_boxes(trained, tmp_path, capsys):
    out = tmp_path / 'merging.onnx'
    assert main(['export', str(trained), '--set', 'duplicate_overlap=0.5', '--out', str(out)]) != 0
    assert 'duplicate_overlap goes with --format weights' in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize('kind', ['onnx', 'weights'])
def test_the_model_is_not_written_over(trained, kind, monkeypatch, capsys):
    monkeypatch.setattr(
        'smoke_ros.export_command.export_onnx', lambda *args: args[-1].write_bytes(b'a graph')
    )
    before = trained.read_bytes()
    assert main(['export', str(trained), '--format', kind, '--out', str(trained)]) == 2
    assert f'{trained} is the model itself: give another --out' in capsys.readouterr().err
    assert trained.read_bytes() == before


@pytest.fixture
def named(trained, monkeypatch):
    """Have a registry that knows the weights file as 'ours'."""
    model = load_checkpoint(trained).model
    entry = {
        'source': trained.name, 'classes': list(model.classes),
        'input_size': [model.input_width, model.input_height],
    }  # fmt: skip
    path = trained.with_name('registry.yaml')
    path.write_text(yaml.safe_dump({'ours': entry}))
    monkeypatch.setattr('smoke_ros.models.resource', lambda name: path)
    return trained


def test_nor_is_a_model_that_is_given_by_name(named, capsys):
    before = named.read_bytes()
    assert main(['export', 'ours', '--format', 'weights', '--out', str(named)]) == 2
    assert f'{named} is the model itself: give another --out' in capsys.readouterr().err
    assert named.read_bytes() == before


def test_a_file_that_is_called_like_a_model_is_checked_itself(named, monkeypatch, capsys):
    monkeypatch.chdir(named.parent)
    monkeypatch.setattr(
        'smoke_ros.export_command.save_checkpoint', lambda path, *_: path.write_bytes(b'cut off')
    )
    assert main(['export', 'ours', '--format', 'weights', '--out', 'ours']) == 2
    assert 'damaged' in capsys.readouterr().err
