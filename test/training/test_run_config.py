import dataclasses

import pytest

from smoke_ros.config.data import DataConfig
from smoke_ros.config.model import FAMILIES, ModelConfig
from smoke_ros.config.training import TrainingConfig
from smoke_ros.data.classes import label_meanings
from smoke_ros.resources import resource
from smoke_ros.training.run_config import (
    RunConfig,
    differences,
    make_run_config,
    read_sections,
)


@pytest.fixture
def yaml_file(tmp_path):
    def write(text: str):
        path = tmp_path / 'run.yaml'
        path.write_text(text)
        return path

    return write


def test_sections_and_overrides(yaml_file):
    path = yaml_file('model: {norm: bn}\ntraining: {batch_size: 8, drops: [5, 9]}\nvalidation:\n')
    overrides = ('training.batch_size=4', 'training.learning_rate=1e-3', 'data.split=train')
    run = make_run_config(read_sections(path, overrides), 'here')
    assert (run.model.norm, run.data.split) == ('bn', 'train')
    assert (run.training.batch_size, run.training.drops) == (4, (5, 9))
    assert run.training.learning_rate == 1e-3
    assert run.training.bias_factor == TrainingConfig().bias_factor


def test_validation_is_as_the_data_but_for_what_it_says(yaml_file):
    path = yaml_file('data: {root: a, split: train, strict: true}\nvalidation: {split: val}')
    run = make_run_config(read_sections(path), 'here')
    assert (run.validation.root, run.validation.split, run.validation.strict) == ('a', 'val', True)
    assert make_run_config({}, 'here').validation is None


def test_a_section_may_be_another_file(yaml_file, tmp_path):
    (tmp_path / 'measured.yaml').write_text('depth_reference: [20.0, 5.0]\n')
    sections = read_sections(yaml_file('model: measured.yaml'), ['model.norm=bn'])
    model = make_run_config(sections, 'here').model
    assert (model.depth_reference, model.norm) == ((20.0, 5.0), 'bn')
    with pytest.raises(FileNotFoundError, match='other'):
        read_sections(yaml_file('model: other.yaml'))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('modell: {}', "unknown section 'modell'; known are model, data"),
        ('- model', 'expected names with values, got list'),
        ('model: 3', 'model must have options with values, got 3'),
        ('model: {norm: [', 'expected YAML'),
    ],
)
def test_malformed_files_are_refused(yaml_file, text, message):
    with pytest.raises(ValueError, match=message):
        read_sections(yaml_file(text))


@pytest.mark.parametrize(
    ('override', 'message'),
    [
        ('batch_size=4', 'expected SECTION.OPTION=VALUE'),
        ('training.batch_size', 'expected SECTION.OPTION=VALUE'),
        ('trainer.batch_size=4', "unknown section 'trainer'"),
    ],
)
def test_malformed_overrides_are_refused(yaml_file, override, message):
    with pytest.raises(ValueError, match=message):
        read_sections(yaml_file(''), [override])


def test_unknown_and_bad_options_name_file_and_section():
    with pytest.raises(ValueError, match=r'run\.yaml: training: unknown option batchsize'):
        make_run_config({'training': {'batchsize': 3}}, 'run.yaml')
    with pytest.raises(ValueError, match=r'run\.yaml: loss: regression must be one of'):
        make_run_config({'loss': {'regression': 'l3'}}, 'run.yaml')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'batch_size': 6, 'accumulate': 4}, r'multiple of accumulate \(4\), got 6'),
        ({'drops': [9, 5]}, r'rising iterations, got \[9, 5\]'),
        ({'drops': [float('nan')]}, r'rising iterations, got \[nan\]'),
        ({'drops': [2.5]}, r'rising iterations, got \[2\.5\]'),
        ({'iterations': 10, 'warmup_iterations': 10}, r'fewer than iterations \(10\), got 10'),
    ],
)
def test_training_options_that_do_not_go_together(options, message):
    with pytest.raises(ValueError, match=message):
        make_run_config({'training': options}, 'here')


def test_model_is_that_of_the_initial_weights_where_nothing_else_is_said():
    base = FAMILIES['mmdet3d']
    assert make_run_config({}, 'here', base).model == base
    model = make_run_config({'model': {'classes': ['Car', 'Pedestrian']}}, 'here', base).model
    assert model.channel_order == 'rgb'
    assert model.dimension_reference == ((3.88, 1.63, 1.53), (0.88, 1.73, 0.67))


def test_overlaps_of_duplicates_go_with_the_classes():
    base = dataclasses.replace(
        FAMILIES['mmdet3d'], duplicate_overlap=0.7, duplicate_overlaps=(0.6, 0.6, 0.5)
    )

    def overlaps(**options):
        return make_run_config({'model': options}, 'here', base).model.overlap_limits

    assert overlaps() == (0.6, 0.6, 0.5)
    assert overlaps(classes=['Car', 'Pedestrian']) == (0.5, 0.6)
    sizes = [[3.88, 1.63, 1.53], [9.0, 3.1, 2.5]]
    assert overlaps(classes=['Car', 'Truck'], dimension_reference=sizes) == (0.5, 0.7)
    assert overlaps(duplicate_overlap=0.9) == (0.9,) * 3
    assert overlaps(duplicate_overlaps=[0.4, 0.4, 0.4]) == (0.4,) * 3


def test_new_classes_need_sizes():
    with pytest.raises(ValueError, match=r'no size is known of Truck, Bus; `smoke-ros dataset'):
        make_run_config({'model': {'classes': ['Truck', 'Car', 'Bus']}}, 'here')


def test_classes_are_scored_with_kittis_overlaps_where_it_has_them():
    sizes = [[5, 2, 2], [0.8, 1.7, 0.6], [10, 3, 3]]
    model = {'classes': ['Car', 'Pedestrian', 'Bus'], 'dimension_reference': sizes}
    scored = make_run_config({'model': model}, 'here').evaluation
    assert (scored.classes, scored.overlaps) == (('Car', 'Pedestrian', 'Bus'), (0.7, 0.5, 0.5))
    lower = {**model, 'classes': ['car', 'pedestrian', 'bus']}
    assert make_run_config({'model': lower}, 'here').evaluation.overlaps == (0.7, 0.5, 0.5)
    given = {'classes': ['Bus'], 'overlaps': [0.6], 'devkit_overlaps': [0.3]}
    assert make_run_config({'evaluation': given}, 'here').evaluation.overlaps == (0.6,)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'heading_scale': 0.3}, r'heading_scale 0\.3 is that of a loss whose factor'),
        ({'regression': 'l1', 'dimensions_weight': 5.0}, 'regression disentangled, got l1'),
        ({'regression': 'l1', 'relative_location': True}, 'are for regression disentangled'),
    ],
)
def test_options_of_losses_that_do_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_run_config({'loss': options}, 'here')


def test_the_list_of_frames_may_be_another_file():
    data = DataConfig(split='/here/train.txt')
    old = RunConfig(data=data, validation=data).as_mapping()
    moved = dataclasses.replace(data, split='/there/train.txt')
    assert differences(old, RunConfig(data=moved, validation=moved).as_mapping()) == []


def test_differences_are_named_but_those_that_do_not_matter():
    old = RunConfig()
    training = dataclasses.replace(old.training, batch_size=8, workers=0, checkpoint_every=7)
    new = dataclasses.replace(old, training=training, model=ModelConfig(norm='bn'))
    assert differences(old.as_mapping(), old.as_mapping()) == []
    assert differences(old.as_mapping(), new.as_mapping()) == [
        "model.norm (was 'gn', is 'bn')",
        'training.batch_size (was 32, is 8)',
    ]


def test_an_option_that_an_older_version_did_not_know_was_as_it_is_by_default():
    old, new = RunConfig().as_mapping(), RunConfig().as_mapping()
    del old['data']['shadows'], old['training']['ema_decay']
    assert differences(old, new) == []
    new['data']['shadows'] = 2
    assert differences(old, new) == ['data.shadows (was 0, is 2)']
    # A section that was not there is something else.
    validated = RunConfig(validation=DataConfig(smallest_height=9.0)).as_mapping()
    assert any(name.startswith('validation.') for name in differences(old, validated))


def test_recipe_is_the_papers():
    """Section 4 of the paper and smoke_spec.md: what the file says, and the defaults under it."""
    path = resource('config/train/smoke_dla34_kitti.yaml')
    run = make_run_config(read_sections(path), str(path))
    training = run.training
    assert (training.optimiser, training.learning_rate) == ('adam', 2.5e-4)
    assert (training.batch_size, training.iterations) == (32, 25_000)
    assert (training.schedule, training.drops) == ('step', (10_000, 18_000))
    assert (training.drop_factor, training.bias_factor) == (0.1, 2.0)
    assert (training.warmup_iterations, training.gradient_clip, training.ema_decay) == (0, 0, 0)
    assert (run.data.flip_probability, run.data.shift_scale_probability) == (0.5, 0.3)
    assert (run.data.max_shift, run.data.max_scale) == (0.2, 0.4)
    assert run.loss.regression == 'disentangled'
    assert run.model == FAMILIES['official'].__class__()
    assert (run.data.split, run.validation.split) == ('train', 'val')


def test_recipe_of_the_bundled_model():
    """The light network within its limits, the same depth from size at both of its input sizes."""
    path = resource('config/train/demo.yaml')
    run = make_run_config(read_sections(path), str(path))
    assert run.model.architecture == 'efficientnet_lite0'
    assert run.model.classes == ('Car', 'Cyclist', 'Pedestrian', 'Truck', 'Van')
    assert (run.model.channel_order, run.model.mean, run.model.std) == (
        'rgb', (127.0,) * 3, (128.0,) * 3
    )  # fmt: skip
    large = read_sections(path, ['model.input_width=640', 'model.input_height=192'])
    kitti_px = 721.5377 * 640 / 1242
    for sections in (read_sections(path), large):
        focal_px = make_run_config(sections, str(path)).model.reference_focal_px
        assert focal_px == pytest.approx(kitti_px, abs=0.1)
    assert run.data.focal_tolerance == 0.0
    assert label_meanings(run.data, run.model)['Van'] == 'Van'
    assert label_meanings(run.data, run.model)['Tram'] == 'Truck'
    assert (run.training.freeze_stages, run.training.freeze_norm) == (3, True)
