import dataclasses
import logging

import numpy as np
import pytest
import torch
from perfect_outputs import small_model
from torch.utils.data import DataLoader

from smoke_ros.checkpoint import TrainingRecord
from smoke_ros.config.data import DataConfig
from smoke_ros.config.detector import DetectorConfig
from smoke_ros.data.augmentation import Augmentation, ShiftScale
from smoke_ros.data.classes import check_classes
from smoke_ros.data.dataset import KittiDataset, Sample, collate, part_outside
from smoke_ros.detector import Detector
from smoke_ros.errors import KittiFormatError
from smoke_ros.models import LoadedModel
from smoke_ros.network.smoke import build_network
from smoke_ros.preprocess import InputGeometry, normalise, warp_by_pillow


def make_dataset(root, *, training=True, seed=0, model=None, **options):
    return KittiDataset(
        DataConfig(root=str(root), **options), model or small_model(), training, seed
    )


def same(first: Sample, second: Sample) -> bool:
    names = [field.name for field in dataclasses.fields(first.targets)]
    return torch.equal(first.image, second.image) and all(
        torch.equal(getattr(first.targets, name), getattr(second.targets, name)) for name in names
    )


def damage(root, frame):
    path = root / f'training/image_2/{frame}.png'
    path.write_bytes(path.read_bytes()[:5000])


def test_samples_of_all_labelled_frames(kitti_root):
    dataset = make_dataset(kitti_root, training=False)
    assert dataset.frames == ('a', 'b', 'c', 'd')
    assert dataset.label_counts == {
        'Car': 2,
        'Cyclist': 1,
        'Pedestrian': 1,
        'Van': 1,
        'DontCare': 1,
    }
    assert dataset.box_counts == {'Car': 2, 'Cyclist': 1, 'Pedestrian': 1, 'Van': 1}
    sample = dataset[1]
    assert sample.frame_id == 'b'
    assert sample.image.shape == (3, 96, 256)
    assert sample.image.dtype == torch.float32
    # The van is background, as for the authors; the box is KITTI's, lifted to its centre.
    assert sample.targets.present.sum() == 1
    torch.testing.assert_close(sample.targets.locations[0], torch.tensor((-4.0, 0.7, 12.0)))
    assert (sample.camera.width, sample.camera.K[0, 0]) == (256, 200.0)
    assert not dataset[2].targets.present.any()


def test_the_image_is_normalised_as_for_the_detector(kitti_root):

    dataset = make_dataset(kitti_root, training=False)
    geometry = InputGeometry.centred((256, 96), (256, 96))
    expected = normalise(warp_by_pillow(dataset.folder.image('a'), geometry), dataset.model)
    assert torch.equal(dataset[0].image, expected[0])


def test_a_split(kitti_root):
    assert make_dataset(kitti_root, split='train').frames == ('b', 'd')


def test_a_sample_depends_on_seed_epoch_and_index_alone(kitti_root):
    dataset, again = make_dataset(kitti_root, seed=3), make_dataset(kitti_root, seed=3)
    for epoch in (0, 7):
        dataset.set_epoch(epoch)
        forwards = [dataset[i] for i in range(4)]
        again.set_epoch(epoch)
        backwards = [again[i] for i in reversed(range(4))][::-1]
        assert all(map(same, forwards, backwards))


def test_epochs_and_seeds_vary_samples_and_validation_does_not(kitti_root):
    dataset = make_dataset(kitti_root)
    first = dataset[0]

    def changes(other):
        return not same(first, other)

    epochs = []
    for epoch in range(1, 7):
        dataset.set_epoch(epoch)
        epochs.append(changes(dataset[0]))
    assert any(epochs)
    assert any(changes(make_dataset(kitti_root, seed=seed)[0]) for seed in range(1, 7))
    fixed = make_dataset(kitti_root, training=False)
    plain = fixed[0]
    fixed.set_epoch(4)
    assert same(plain, fixed[0])


def test_worker_processes_make_the_same_samples(kitti_root):
    dataset = make_dataset(kitti_root, colour_jitter=0.2)
    dataset.set_epoch(2)
    loader = DataLoader(dataset, batch_size=2, num_workers=2, collate_fn=collate)
    batches = list(loader)
    expected = [collate([dataset[0], dataset[1]]), collate([dataset[2], dataset[3]])]
    for batch, alone in zip(batches, expected, strict=True):
        assert torch.equal(batch.images, alone.images)
        assert torch.equal(batch.targets.heatmap, alone.targets.heatmap)
        assert batch.frame_ids == alone.frame_ids


def test_a_batch(kitti_root):
    dataset = make_dataset(kitti_root, training=False, max_objects=5)
    batch = collate([dataset[0], dataset[3]]).to('cpu')
    assert batch.images.shape == (2, 3, 96, 256)
    assert batch.targets.heatmap.shape == (2, 3, 24, 64)
    assert batch.targets.present.sum(1).tolist() == [1, 2]
    assert batch.targets.keypoints.shape == (2, 5, 2)
    assert batch.targets.K.shape == (2, 3, 3)
    assert batch.frame_ids == ('a', 'd')
    assert len(batch.cameras) == 2


def test_names_in_labels_can_be_merged_and_ignored(kitti_root):
    merged = make_dataset(kitti_root, training=False, class_map=('Van=Car',))[1].targets
    assert merged.class_ids[merged.present].tolist() == [1, 0]
    assert not merged.ignored.any()
    ignored = make_dataset(kitti_root, training=False, class_map=('DontCare=ignore',))[1].targets
    rows, columns = ignored.ignored.nonzero(as_tuple=True)
    # 5..60 by 5..40 px, the pixels that it touches.
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (1, 10, 1, 15)


def test_a_mirrored_sample_is_consistent(kitti_root):
    dataset = make_dataset(kitti_root, flip_probability=1.0, shift_scale_probability=0.0)
    plain = make_dataset(kitti_root, training=False)
    flipped = dataset[0]
    assert flipped.targets.locations[0, 0] == -plain[0].targets.locations[0, 0]
    assert flipped.camera.K[0, 2] == 255 - 128
    # The authors' centre moves by one pixel to the right with the mirror.
    torch.testing.assert_close(flipped.image[:, :, 1:], plain[0].image.flip(-1)[:, :, :-1])


def test_a_damaged_image_gives_way_to_the_next_with_a_counted_warning(kitti_root, caplog):
    damage(kitti_root, 'b')
    dataset = make_dataset(kitti_root, training=False)
    assert len(dataset) == 4  # found only when it is read
    with caplog.at_level(logging.WARNING):
        assert dataset[1].frame_id == 'c'
        assert dataset[1].frame_id == 'c'
    assert dataset.damaged == ('b',)
    assert len(caplog.records) == 1
    assert 'b.png' in caplog.text
    assert '1 of 4 frames' in caplog.text


def test_the_training_process_learns_what_its_workers_found(kitti_root):
    damage(kitti_root, 'd')
    dataset = make_dataset(kitti_root)
    batches = list(DataLoader(dataset, batch_size=4, num_workers=1, collate_fn=collate))
    assert batches[0].frame_ids == ('a', 'b', 'c', 'a')
    assert dataset.damaged == ('d',)


def test_no_image_can_be_read(kitti_root):
    for frame in 'abcd':
        damage(kitti_root, frame)
    with pytest.raises(ValueError, match='none of the 4 images can be read'):
        make_dataset(kitti_root)[0]


def test_strict_refuses_a_damaged_image(kitti_root):
    damage(kitti_root, 'b')
    with pytest.raises(KittiFormatError, match=r'b\.png: expected an image'):
        make_dataset(kitti_root, strict=True)[1]


@pytest.mark.parametrize(
    ('options', 'is_needed'),
    [({'model': small_model(keypoint='center_3d')}, True), ({'smallest_height': 5.0}, True),
     ({'most_truncated': 0.9}, True), ({}, False)],
)  # fmt: skip
def test_objects_without_a_2d_box_count_where_none_is_needed(kitti_root, options, is_needed):
    for path in (kitti_root / 'training/label_2').iterdir():
        lines = [line.split() for line in path.read_text().splitlines()]
        flat = [' '.join([*words[:4], '0', '0', '0', '0', *words[8:]]) for words in lines]
        path.write_text(''.join(f'{line}\n' for line in flat))
    dataset = make_dataset(kitti_root, training=False, **options)
    assert bool(dataset.box_counts) != is_needed
    if is_needed:
        with pytest.raises(ValueError, match=r'Car.* and a 2D box \(with an area\)'):
            check_classes(dataset.config, dataset.model, dataset.label_counts, dataset.box_counts)


@pytest.mark.parametrize(
    ('words', 'options', 'counts'),
    [
        (('0.00', '3'), {}, True),
        (('0.00', '3'), {'most_occluded': 2}, False),
        (('0.60', '0'), {'most_truncated': 0.6}, True),
        (('0.60', '0'), {'most_truncated': 0.5}, False),
    ],
)
def test_what_is_always_ignored_does_not_count_as_labelled(kitti_root, words, options, counts):
    for path in (kitti_root / 'training/label_2').iterdir():
        lines = [line.split() for line in path.read_text().splitlines()]
        path.write_text(''.join(' '.join([w[0], *words, *w[3:]]) + '\n' for w in lines))
    dataset = make_dataset(kitti_root, training=False, **options)
    assert (dataset.box_counts['Car'] == 2) == counts
    assert bool(dataset[0].targets.present.any()) == counts
    if not counts:
        with pytest.raises(ValueError, match=r'no Car, .*that most_occluded .* let be learnt'):
            check_classes(dataset.config, dataset.model, dataset.label_counts, dataset.box_counts)


#: Windows of half the width of the image.
HALVES = {'crop_low': 0.5, 'shift_scale_regression': True}


@pytest.mark.parametrize(
    ('options', 'counted'),
    [
        ({'smallest_height': 30.0}, {'Car': 2, 'Cyclist': 1, 'Pedestrian': 1, 'Van': 1}),
        ({'smallest_height': 31.0}, {'Cyclist': 1}),
        # A window of half the width shows everything twice as large.
        ({'smallest_height': 60.0, **HALVES}, {'Car': 2, 'Cyclist': 1, 'Pedestrian': 1, 'Van': 1}),
        ({'smallest_height': 61.0, **HALVES}, {'Cyclist': 1}),
        ({'smallest_height': 61.0, **HALVES, 'crop_width': 128, 'crop_height': 32}, {}),
    ],
)  # fmt: skip
def test_what_is_too_small_wherever_it_is_seen_does_not_count(kitti_root, options, counted):
    dataset = make_dataset(kitti_root, training=False, **options)
    assert dataset.box_counts == counted
    if 'Car' not in counted:
        with pytest.raises(ValueError, match=r'no Car, .* px high in the input .smallest_height'):
            check_classes(dataset.config, dataset.model, dataset.label_counts, dataset.box_counts)


def test_what_another_calibration_moves_out_of_the_input_does_not_count(kitti_root):
    for path in (kitti_root / 'training/calib').iterdir():
        path.write_text('P2: 600 0 384 5 0 600 120 0 0 0 1 0\n')  # of images three times as large
    dataset = make_dataset(kitti_root, training=False)
    assert not dataset.box_counts
    with pytest.raises(ValueError, match=r'an input of 256x96 px; .* another size of image'):
        check_classes(dataset.config, dataset.model, dataset.label_counts, dataset.box_counts)


def test_a_2d_box_upside_down_is_none_at_all(kitti_root):
    path = kitti_root / 'training/label_2/a.txt'
    words = path.read_text().split()
    words[5], words[7] = words[7], words[5]
    path.write_text(' '.join(words) + '\n')
    assert make_dataset(kitti_root, training=False)[0].targets.present.sum() == 1


def test_an_object_known_in_the_image_alone_is_no_background(kitti_root):
    path = kitti_root / 'training/label_2/a.txt'
    words = path.read_text().splitlines()[0].split()
    assert words[0] == 'Car'
    words[8:15] = ['-1', '-1', '-1', '-1000', '-1000', '-1000', '-10']
    path.write_text(' '.join(words) + '\n')
    targets = make_dataset(kitti_root, training=False)[0].targets
    assert not targets.present.any() and targets.ignored.any()


def test_unreadable_frames_are_left_out_with_a_counted_warning(kitti_root, caplog):
    (kitti_root / 'training/label_2/a.txt').write_text('Car 0 0 what\n')
    (kitti_root / 'training/calib/b.txt').write_text('P3: 1 2 3\n')
    (kitti_root / 'training/image_2/c.png').unlink()
    with caplog.at_level(logging.WARNING):
        dataset = make_dataset(kitti_root)
    assert dataset.frames == ('d',)
    assert '3 of 4 frames cannot be read' in caplog.text
    for reason in ('a.txt:1: expected 15 fields', 'b.txt: expected a line P2:', 'c: no image'):
        assert reason in caplog.text
    assert dataset.label_counts == {'Car': 1, 'Pedestrian': 1}


def test_strict_refuses_an_unreadable_label(kitti_root):
    (kitti_root / 'training/label_2/a.txt').write_text('Car 0 0 what\n')
    with pytest.raises(KittiFormatError, match=r'a\.txt:1'):
        make_dataset(kitti_root, strict=True)


def test_a_split_of_frames_that_are_not_there(kitti_root):
    assert make_dataset(kitti_root, split='odd').frames == ('a',)
    with pytest.raises(FileNotFoundError, match='zzz'):
        make_dataset(kitti_root, split='odd', strict=True)


def test_a_camera_that_is_none(kitti_root):
    (kitti_root / 'training/calib/a.txt').write_text('P2: ' + '0 ' * 12)
    with pytest.raises(KittiFormatError, match=r'a\.txt: the camera is not calibrated'):
        make_dataset(kitti_root, strict=True)


@pytest.mark.parametrize(('reference_px', 'expected'), [(100.0, 2.0), (250.0, 0.8), (197.0, 1.0)])
def test_depth_is_learnt_at_one_focal_length_as_detection_takes_it(
    kitti_root, reference_px, expected
):
    """The camera has 200 px; 1.5% are within the tolerance of both."""
    model = small_model(reference_focal_px=reference_px, architecture='efficientnet_lite0')
    sample = make_dataset(kitti_root, model=model, training=False)[0]
    assert float(sample.targets.depth_scale) == pytest.approx(expected)
    loaded = LoadedModel('light', build_network(model), model, TrainingRecord(), '')
    setup = Detector(loaded).camera_setup(sample.camera)
    assert float(sample.targets.depth_scale) == pytest.approx(setup.depth_scale)


@pytest.mark.parametrize('tolerance', [0.0, 0.02, 0.1])
@pytest.mark.parametrize('reference_px', [202.0, 197.0, 190.5])
def test_detection_scales_depth_as_training_with_any_tolerance(
    kitti_root, reference_px, tolerance
):
    model = small_model(
        reference_focal_px=reference_px, architecture='efficientnet_lite0',
        focal_tolerance=tolerance,
    )  # fmt: skip
    dataset = make_dataset(kitti_root, model=model, training=False, focal_tolerance=tolerance)
    sample = dataset[0]
    ratio = 200.0 / reference_px
    expected = ratio if abs(ratio - 1.0) > tolerance else 1.0
    assert float(sample.targets.depth_scale) == pytest.approx(expected)
    loaded = LoadedModel('light', build_network(model), model, TrainingRecord(), '')
    assert Detector(loaded).camera_setup(sample.camera).depth_scale == pytest.approx(expected)
    told = Detector(loaded, config=DetectorConfig(focal_tolerance=0.5))
    assert told.camera_setup(sample.camera).depth_scale == 1.0


@pytest.mark.parametrize('learns', [True, False])
def test_a_scaled_sample_is_what_another_camera_sees(kitti_root, learns):
    """Half the image on the same input: twice the focal length."""
    dataset = make_dataset(kitti_root, shift_scale_regression=learns)
    image = np.zeros((96, 256, 3), np.uint8)
    frame = dataset.frames[0]
    camera = dataset.folder.camera(frame, (256, 96))
    drawn = Augmentation(shift_scale=ShiftScale((0.0, 0.0), 0.5))
    sample = dataset.make_sample(image, camera, dataset.folder.labels(frame), drawn)
    assert float(sample.targets.depth_scale) == pytest.approx(2.0)
    assert sample.targets.regressed.sum() == (1 if learns else 0)
    assert float(sample.targets.locations[0, 2]) == 15.0


@pytest.mark.parametrize(
    ('box', 'truncation', 'outside'),
    [((10, 10, 50, 30), 0.0, 0.0), ((-30, 10, 10, 30), 0.0, 0.75), ((-20, 40, 20, 60), 0.0, 0.75),
     ((0, 10, 40, 30), 0.5, 0.5), ((-20, 10, 20, 30), 0.5, 0.75), ((300, 10, 340, 30), 0.0, 1.0),
     ((0, 10, 40, 30), -1.0, 0.0), ((-20, 10, 20, 30), 2.0, 1.0)],
)  # fmt: skip
def test_the_part_outside_counts_image_and_input(kitti_root, box, truncation, outside):
    dataset = make_dataset(kitti_root, training=False)
    item = dataclasses.replace(
        dataset.folder.labels('a')[0], bbox_xyxy_px=box, truncation=truncation
    )
    geometry = InputGeometry(scale=1.0, shift_x=0.0, shift_y=0.0, width=100, height=50)
    assert part_outside(item, geometry) == pytest.approx(outside)


def test_what_is_mostly_outside_a_window_is_ignored(kitti_root):
    dataset = make_dataset(kitti_root, shift_scale_regression=True, most_truncated=0.6)
    image = np.zeros((96, 256, 3), np.uint8)
    frame = dataset.frames[0]
    camera = dataset.folder.camera(frame, (256, 96))
    (car,) = dataset.folder.labels(frame)
    x1, _, x2, _ = car.bbox_xyxy_px

    def sample(left_px):
        """Cut a window that begins so many pixels into the car."""
        shift = (x1 + left_px) / 256 + 0.25 - 0.5
        drawn = Augmentation(shift_scale=ShiftScale((shift, 0.0), 0.5))
        return dataset.make_sample(image, camera, [car], drawn).targets

    little, much = sample(0.3 * (x2 - x1)), sample(0.9 * (x2 - x1))
    assert little.present.sum() == 1
    assert not little.ignored.any()
    assert much.present.sum() == 0
    assert much.ignored.any()


def test_windows_have_a_size_of_their_own(kitti_root):
    """A quarter of the image on half the input's size: as large as on the whole input."""
    options = {'crop_low': 0.5, 'crop_high': 0.5, 'crop_width': 128, 'crop_height': 32}
    dataset = make_dataset(kitti_root, shift_scale_regression=True, **options)
    sample = dataset[0]
    assert sample.image.shape == (3, 32, 128)
    assert sample.targets.heatmap.shape[1:] == (8, 32)
    assert sample.targets.ignored.shape == (8, 32)
    assert float(sample.targets.depth_scale) == 1.0
    whole = make_dataset(kitti_root, training=False, shift_scale_regression=True, **options)[0]
    assert whole.image.shape == (3, 96, 256)


@pytest.mark.parametrize('options', [{'crop_width': 100, 'crop_height': 32}, {'crop_width': 64}])
def test_windows_that_the_network_cannot_take_are_refused(options):
    with pytest.raises(ValueError, match='crop_width'):
        DataConfig(**options)


def test_a_loop_over_the_samples_ends(kitti_root):
    dataset = make_dataset(kitti_root, training=False)
    assert [sample.frame_id for sample in dataset] == ['a', 'b', 'c', 'd']
    with pytest.raises(IndexError, match='from 0 to 3, got -1'):
        dataset[-1]


@pytest.mark.parametrize('name', ['max_shift', 'max_scale'])
def test_shifts_and_scales_are_made_in_steps(name):
    for value in (0.0, 0.1, 0.3):
        assert getattr(DataConfig(**{name: value}), name) == value
    for value in (0.05, 0.25):
        with pytest.raises(ValueError, match=rf'{name} must be a multiple of 0\.1.*got {value}'):
            DataConfig(**{name: value})


@pytest.mark.parametrize('options', [{'crop_high': 0.5}, {'crop_width': 64, 'crop_height': 32}])
def test_windows_need_their_size(options):
    with pytest.raises(ValueError, match=r'those of windows, which crop_low 0 does not cut'):
        DataConfig(**options)
