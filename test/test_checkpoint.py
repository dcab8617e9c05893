import errno
import os
import pickle
import resource

import pytest
import torch
from reference_weights import STATE_KEYS, save_checkpoint_of, seeded_state

from smoke_ros.checkpoint import (
    TrainingRecord,
    build_from,
    load_checkpoint,
    rename,
    save_checkpoint,
)
from smoke_ros.config.model import FAMILIES, ModelConfig
from smoke_ros.errors import CheckpointError
from smoke_ros.network.smoke import build_network

FAMILY_NAMES = sorted(FAMILIES)


@pytest.fixture(scope='module')
def reference(shared_dir):
    return shared_dir / 'reference'


@pytest.fixture(scope='module')
def small_model():
    return ModelConfig(
        classes=('Tram', 'Dog'), dimension_reference=((20.0, 3.5, 2.6), (1.0, 0.6, 0.3)),
        input_width=128, input_height=64, trained_on='a test',
    )  # fmt: skip


def test_the_network_is_of_the_size_it_should_be():
    network = build_network(ModelConfig())
    assert sum(p.numel() for p in network.parameters()) == 19_510_443
    assert len(network.state_dict()) == 233


@pytest.mark.parametrize('family', FAMILY_NAMES)
def test_every_tensor_of_a_public_family_has_its_place(reference, family):
    expected = {n: t.shape for n, t in build_network(FAMILIES[family]).state_dict().items()}
    state = seeded_state(reference, family)
    assert {rename(n, family): t.shape for n, t in state.items()} == expected


@pytest.mark.parametrize('family', FAMILY_NAMES)
@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_the_family_is_known_by_content(reference, tmp_path, family, prefix):
    state = {prefix + n: t for n, t in seeded_state(reference, family).items()}
    path = tmp_path / 'renamed.dat'
    torch.save({STATE_KEYS[family]: state, 'iteration': 7}, path)
    checkpoint = load_checkpoint(path)
    assert checkpoint.family == family
    assert checkpoint.model == FAMILIES[family]
    build_from(checkpoint, str(path))


def test_ours_comes_back_as_it_was_written(tmp_path, small_model):
    network = build_network(small_model)
    record = TrainingRecord('my drives', ('000001', '000002'), {'learning_rate': 1e-3})
    path = tmp_path / 'mine.pth'
    save_checkpoint(path, network, small_model, record)
    checkpoint = load_checkpoint(path)
    assert checkpoint.model == small_model
    assert checkpoint.training == record
    loaded = build_from(checkpoint, str(path)).state_dict()
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded[name], tensor)


def test_names_of_frames_are_names_though_they_look_like_numbers(tmp_path, small_model):
    record = TrainingRecord('my drives', ('12e3', '1234e567', '000001'))
    save_checkpoint(tmp_path / 'mine.pth', build_network(small_model), small_model, record)
    assert load_checkpoint(tmp_path / 'mine.pth').training.frames == record.frames


def test_half_precision_halves_the_file_and_loads_as_single(tmp_path, small_model):
    network = build_network(small_model)
    save_checkpoint(tmp_path / 'full.pth', network, small_model)
    save_checkpoint(tmp_path / 'half.pth', network, small_model, dtype=torch.float16)
    sizes = [(tmp_path / f'{name}.pth').stat().st_size for name in ('half', 'full')]
    assert sizes[0] < 0.55 * sizes[1]
    state = load_checkpoint(tmp_path / 'half.pth').state
    assert {t.dtype for t in state.values()} == {torch.float32}


def test_a_checkpoint_that_does_not_fit_names_the_tensors(reference, tmp_path):
    state = seeded_state(reference, 'official')
    gone = 'heads.predictor.class_head.3.bias'
    del state[gone]
    state['heads.predictor.extra.weight'] = torch.zeros(1)
    state['backbone.body.base.level0.1.bias'] = torch.zeros(17)
    torch.save({'model': state}, tmp_path / 'odd.pth')
    with pytest.raises(CheckpointError) as caught:
        build_from(load_checkpoint(tmp_path / 'odd.pth'), 'odd.pth')
    message = str(caught.value)
    assert '1 missing: heads.heatmap.3.bias' in message
    assert '1 left over: heads.predictor.extra.weight' in message
    assert 'backbone.level0.1.bias (expected (16,), got (17,))' in message


class Payload:
    """What a hostile weights file could hold."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path):
    trace = tmp_path / 'it_ran'
    torch.save({'model': Payload(str(trace))}, tmp_path / 'evil.pth')
    (tmp_path / 'plain.pkl').write_bytes(pickle.dumps(Payload(str(trace))))
    for name in ('evil.pth', 'plain.pkl'):
        with pytest.raises(CheckpointError, match=f'{name}: refused'):
            load_checkpoint(tmp_path / name)
    assert not trace.exists()


def test_a_truncated_file_is_refused(reference, tmp_path):
    path = save_checkpoint_of(reference, 'official', tmp_path / 'cut.pth')
    content = path.read_bytes()
    for length in (0, 10, len(content) // 2, len(content) - 100):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=r'cut\.pth'):
            load_checkpoint(path)


def test_what_is_no_smoke_checkpoint_is_refused(tmp_path):
    torch.save({'state_dict': {'conv1.weight': torch.zeros(3)}}, tmp_path / 'resnet.pth')
    with pytest.raises(CheckpointError, match=r'not a SMOKE checkpoint.*got conv1.weight'):
        load_checkpoint(tmp_path / 'resnet.pth')
    torch.save([1, 2], tmp_path / 'list.pth')
    with pytest.raises(CheckpointError, match='expected a dictionary, got list'):
        load_checkpoint(tmp_path / 'list.pth')


@pytest.mark.parametrize(
    'content',
    [
        {0: torch.zeros(3)},
        {0: 1, 'a': 2},
        {'smoke_ros': {'format': 1, 'model': {}, 'training': {}}, 'state': [1]},
        {'smoke_ros': {'format': 1, 'model': {}, 'training': {}}, 'state': {'a': 'text'}},
        {'smoke_ros': {'format': 1, 'model': None, 'training': {}}, 'state': {}},
        {'smoke_ros': {'format': 1, 'model': [], 'training': {}}, 'state': {}},
        {'smoke_ros': {'format': 1, 'model': {}, 'training': ''}, 'state': {}},
        {'smoke_ros': {'format': 1, 'model': {}, 'training': {}}, 'state': {1: torch.zeros(3)}},
        {'smoke_ros': {'format': 1, 'training': {}}, 'state': {}},
    ],
)
def test_what_is_in_disorder_is_refused(tmp_path, content):
    torch.save(content, tmp_path / 'odd.pth')
    with pytest.raises(CheckpointError, match=r'odd\.pth: '):
        load_checkpoint(tmp_path / 'odd.pth')


def test_an_option_that_is_wrong_is_named_once(tmp_path):
    header = {'format': 1, 'model': {'top_k': 'many'}, 'training': {}}
    torch.save({'smoke_ros': header, 'state': {}}, tmp_path / 'odd.pth')
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path / 'odd.pth')
    assert str(caught.value) == f"{tmp_path}/odd.pth: model: top_k must be of type int, got 'many'"


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, 'Permission denied')

    (tmp_path / 'theirs.pth').write_bytes(b'')
    monkeypatch.setattr(torch, 'load', refuse)
    with pytest.raises(CheckpointError, match=r'theirs\.pth: may not be read') as caught:
        load_checkpoint(tmp_path / 'theirs.pth')
    assert 'damaged' not in str(caught.value)


def test_damaged_files_of_old_versions_of_pytorch_are_refused(tmp_path):
    whole = tmp_path / 'whole.pth'
    state = {f'heads.predictor.{i}': torch.rand(3) for i in range(40)}
    torch.save({'model': state}, whole, _use_new_zipfile_serialization=False)
    content = whole.read_bytes()
    cut = tmp_path / 'cut.pth'
    for length in range(0, len(content), 41):
        cut.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=r'cut\.pth: '):
            load_checkpoint(cut)


def test_weights_of_public_families_that_are_no_numbers_are_refused(tmp_path):
    state = {'bbox_head.a': torch.ones(3), 'bbox_head.b': torch.tensor([1.0, float('nan')])}
    torch.save({'state_dict': state}, tmp_path / 'diverged.pth')
    with pytest.raises(CheckpointError, match=r'expected finite weights, got others in .*b'):
        load_checkpoint(tmp_path / 'diverged.pth')


def test_a_newer_format_is_named(tmp_path):
    torch.save({'smoke_ros': {'format': 99}, 'state': {}}, tmp_path / 'new.pth')
    with pytest.raises(CheckpointError, match='expected checkpoint format 1, got 99'):
        load_checkpoint(tmp_path / 'new.pth')


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match='no weights file at'):
        load_checkpoint(tmp_path / 'none.pth')


def test_an_interrupted_save_leaves_the_old_file(tmp_path, small_model, monkeypatch):
    path = tmp_path / 'mine.pth'
    path.write_text('old')
    monkeypatch.setattr(torch, 'save', lambda *_: (_ for _ in ()).throw(OSError('disk full')))
    with pytest.raises(OSError, match='disk full'):
        save_checkpoint(path, build_network(small_model), small_model)
    assert path.read_text() == 'old'
    assert [p.name for p in tmp_path.iterdir()] == ['mine.pth']


def test_a_disk_without_room_is_told_of(tmp_path, small_model):
    path = tmp_path / 'mine.pth'
    path.write_text('old')
    network = build_network(small_model)
    # To a process, a limit of a file's size is what a full disk is.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r'mine\.pth: cannot be written.* room on the disk'):
            save_checkpoint(path, network, small_model)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [p.read_text() for p in tmp_path.iterdir()] == ['old']
