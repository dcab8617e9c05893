import dataclasses
import logging
import shutil

import pytest
import torch
from tiny_smoke import MODEL, TinySmoke, make_network, write_frames

from smoke_ros.checkpoint import Checkpoint, TrainingRecord
from smoke_ros.config.data import DataConfig
from smoke_ros.data.dataset import KittiDataset
from smoke_ros.structures import CameraModel
from smoke_ros.training.initial_weights import InitialWeights
from smoke_ros.training.prepare import describe_data, measure_focal_length, prepare

FRAMES = ('000000', '000001', '000002', '000003')


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setattr('smoke_ros.training.prepare.build_network', TinySmoke)


def sections(frames, **model) -> dict:
    options = {
        'classes': ['Car', 'Pedestrian'], 'input_width': 128, 'input_height': 64, **model
    }  # fmt: skip
    return {
        'model': options,
        'data': {'root': str(frames), 'class_map': []},
        'training': {'iterations': 4, 'batch_size': 4, 'drops': [3]},
    }


def last_of(job) -> Checkpoint:
    return Checkpoint('smoke_ros', job.run.model, job.network.state_dict(), job.record)


def test_job_knows_its_data(frames):
    job = prepare(sections(frames), 'here')
    assert job.record.frames == FRAMES
    assert job.record.split == job.run.model.trained_on == 'frames all (4 images)'
    assert job.record.config == job.run.as_mapping()
    assert (len(job.training), job.validation) == (4, None)


def test_reference_focal_length_is_that_of_the_data(frames):
    job = prepare(sections(frames), 'here')
    assert job.run.model.reference_focal_px == pytest.approx(100.0)  # 200 px at half the width
    loose = sections(frames)
    loose['data']['focal_tolerance'] = 0.1
    assert prepare(loose, 'here').run.model.focal_tolerance == 0.1
    given = prepare(sections(frames, reference_focal_px=120.0), 'here')
    assert given.run.model.reference_focal_px == 120.0
    for made in (job, given):
        expected = 100.0 / made.run.model.reference_focal_px
        made.training.training = False  # no window of the image with a scale of its own
        assert made.training[0].targets.depth_scale == pytest.approx(expected)


def test_mixed_cameras_are_told_of(tmp_path, caplog):
    write_frames(tmp_path)
    wide = CameraModel.from_intrinsics(
        [[150.0, 0.0, 128.0], [0.0, 150.0, 64.0], [0.0, 0.0, 1.0]], 256, 128
    )
    text = (tmp_path / 'calib' / '000000.txt').read_text()
    write_frames(tmp_path / 'wide', wide)
    for frame in FRAMES[1:]:
        (tmp_path / 'calib' / f'{frame}.txt').write_text(text)
    mixed = (tmp_path / 'wide' / 'calib' / '000000.txt').read_text()
    (tmp_path / 'calib' / '000003.txt').write_text(mixed)
    dataset = KittiDataset(DataConfig(root=str(tmp_path), class_map=()), MODEL, training=False)
    with caplog.at_level(logging.INFO):
        assert measure_focal_length(dataset, MODEL) == pytest.approx(100.0)
    assert 'differ by 25%' in caplog.text
    assert '(75 to 100 px): depth is learnt as at 100.0 px' in caplog.text


def test_seed_makes_the_initial_weights(frames):
    first, again = (prepare(sections(frames), 'here').network for _ in range(2))
    other_sections = sections(frames)
    other_sections['training']['seed'] = 1
    other = prepare(other_sections, 'here').network
    assert torch.equal(first.heads.heatmap[0].weight, again.heads.heatmap[0].weight)
    assert not torch.equal(first.heads.heatmap[0].weight, other.heads.heatmap[0].weight)


def test_drops_that_never_come_are_told_of(frames, caplog):
    asked = sections(frames)
    prepare(asked, 'here')
    asked['training'] |= {'drops': [3, 4, 9], 'schedule': 'cosine'}
    prepare(asked, 'here')
    assert 'never drops' not in caplog.text
    asked['training']['schedule'] = 'step'
    prepare(asked, 'here')
    assert 'the learning rate never drops at 4 and 9, of 4 iterations: set' in caplog.text


def test_validation_on_what_is_learnt_is_told_of(frames, caplog):
    validated = {**sections(frames), 'validation': {'root': str(frames), 'class_map': []}}
    prepare(validated, 'here')
    assert '4 of 4 validation frames are trained on as well' in caplog.text


def test_names_in_the_validations_labels_are_checked_too(frames, tmp_path):
    others = write_frames(tmp_path / 'others')
    label = others / 'label_2' / '000001.txt'
    label.write_text(label.read_text().replace('Car', 'Lorry'))
    validated = {**sections(frames), 'validation': {'root': str(others)}}
    with pytest.raises(ValueError, match=r'others: the labels have Lorry \(1\), which no class'):
        prepare(validated, 'here')
    # A class may be missing there.
    validated['validation']['class_map'] = ['Lorry=background']
    for path in (others / 'label_2').iterdir():
        path.write_text(path.read_text().replace('Pedestrian', 'Lorry'))
    job = prepare(validated, 'here')
    assert len(job.validation) == 4
    # A run that was begun could not be given another class_map.
    label.write_text(label.read_text().replace('Lorry', 'Tram'))
    assert prepare(validated, 'here', last_of(job)).validation.label_counts['Tram'] == 1


def test_class_without_labels_is_refused_before_training(frames):
    with pytest.raises(ValueError, match='no Cyclist is labelled'):
        prepare(sections(frames, classes=['Car', 'Pedestrian', 'Cyclist']), 'here')


def test_labels_without_class_are_refused_before_training(frames):
    with pytest.raises(ValueError, match=r'the labels have Pedestrian \(2\)'):
        prepare(sections(frames, classes=['Car']), 'here')


def test_fine_tuned_model_has_seen_what_its_initial_weights_have(frames, monkeypatch):
    seen = TrainingRecord('others train (2 images)', ('000003', '000077'))
    old = dataclasses.replace(MODEL, reference_focal_px=140.0)
    weights = InitialWeights('old.pth', make_network(seed=3).state_dict(), old, seen)
    monkeypatch.setattr('smoke_ros.training.prepare.read_initial_weights', lambda _: weights)
    chosen = sections(frames)
    chosen['training']['init'] = 'old.pth'
    job = prepare(chosen, 'here')
    assert job.record.frames == (*FRAMES, '000077')
    assert job.record.split == (
        'frames all (4 images); started from old.pth: others train (2 images)'
    )
    # Taken over with the weights.
    assert job.run.model.depth_reference == MODEL.depth_reference
    assert job.run.model.reference_focal_px == 140.0  # the data's is 100
    for name, tensor in job.network.state_dict().items():
        assert torch.equal(tensor, weights.state[name]), name


@pytest.mark.parametrize(
    ('seen', 'of_a_detector', 'expected'),
    [
        (TrainingRecord('KITTI object trainval'), True, True),
        (TrainingRecord('others', ('000077',)), True, False),
        (TrainingRecord('others; started from official', ('7',), other_frames=True), True, True),
        (TrainingRecord(MODEL.trained_on), True, False),  # nothing, its weights are random
        (TrainingRecord('ImageNet'), False, False),
    ],
)
def test_fine_tuned_model_tells_whether_it_has_seen_what_is_not_named(
    frames, monkeypatch, seen, of_a_detector, expected
):
    state = make_network(seed=3).state_dict()
    weights = InitialWeights('old.pth', state, MODEL if of_a_detector else None, seen)
    monkeypatch.setattr('smoke_ros.training.prepare.read_initial_weights', lambda _: weights)
    chosen = sections(frames)
    chosen['training']['init'] = 'old.pth'
    assert prepare(chosen, 'here').record.other_frames == expected


def test_resuming_takes_no_initial_weights_but_their_record(frames, monkeypatch):
    seen = TrainingRecord('others', ('000077',))
    weights = InitialWeights('old.pth', make_network(seed=3).state_dict(), MODEL, seen)
    monkeypatch.setattr('smoke_ros.training.prepare.read_initial_weights', lambda _: weights)
    chosen = sections(frames)
    chosen['training']['init'] = 'old.pth'
    before = prepare(chosen, 'here')
    monkeypatch.setattr(
        'smoke_ros.training.prepare.read_initial_weights', lambda _: pytest.fail('was read')
    )
    after = prepare(chosen, 'here', last_of(before))
    assert (after.run, after.record) == (before.run, before.record)


def test_resuming_with_other_options_is_refused(frames):
    last = last_of(prepare(sections(frames), 'here'))
    changed = sections(frames)
    changed['training']['learning_rate'] = 0.1
    with pytest.raises(ValueError, match=r'training\.learning_rate \(was 0\.00025, is 0\.1\)'):
        prepare(changed, 'here', last)
    harmless = sections(frames)
    harmless['training']['workers'] = 1
    prepare(harmless, 'here', last)


def test_resuming_where_the_data_has_moved(frames, tmp_path):
    last = last_of(prepare(sections(frames), 'here'))
    moved = shutil.copytree(frames, tmp_path / 'scratch')
    assert prepare(sections(moved), 'here', last).record.frames == FRAMES


def test_resuming_on_other_frames_is_refused(frames, tmp_path):
    job = prepare(sections(frames), 'here')
    split = tmp_path / 'three.txt'
    split.write_text('000000\n000001\n000002\n')
    changed = sections(frames)
    changed['data']['split'] = str(split)
    with pytest.raises(ValueError, match=r'frames all \(4 images\), the data is now frames three'):
        prepare(changed, 'here', last_of(job))
    record = dataclasses.replace(job.record, frames=('000000', '000001', '000002', '000009'))
    last = dataclasses.replace(last_of(job), training=record)
    with pytest.raises(ValueError, match='frames of other names'):
        prepare(sections(frames), 'here', last)


def test_data_is_named_by_its_folder_and_split(tmp_path):
    root = tmp_path / 'town'
    write_frames(root / 'training')
    (root / 'ImageSets').mkdir()
    (root / 'ImageSets' / 'train.txt').write_text('000001\n000003\n')
    config = DataConfig(root=str(root), split='train', class_map=())
    dataset = KittiDataset(config, MODEL, training=False)
    assert describe_data(config, dataset) == 'town train (2 images)'
