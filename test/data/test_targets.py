import dataclasses

import numpy as np
import pytest
import torch
from perfect_outputs import labelled_car, small_camera, small_model

from smoke_ros.config.data import DataConfig
from smoke_ros.config.model import FAMILIES
from smoke_ros.data.augmentation import Augmentation, ShiftScale
from smoke_ros.data.dataset import KittiDataset
from smoke_ros.data.targets import draw_gaussian, gaussian_radius, make_targets
from smoke_ros.geometry import box_corners
from smoke_ros.preprocess import InputGeometry

GEOMETRY = InputGeometry.centred((256, 96), (256, 96))

#: Its centre projects to u = 128 - 200 * 3 / 4 = -22, left of the image; its 2D box is cut there.
TRUNCATED = labelled_car((-3.0, 0.2, 4.0), bbox=(0.0, 10.0, 80.0, 80.0))

REFERENCE_SAMPLES = {
    'plain': (Augmentation(), Augmentation()),
    'flip': (Augmentation(flip=True), Augmentation(flip=True)),
    'flip_affine': (
        Augmentation(flip=True, shift_scale=ShiftScale((-0.2, 0.0), 0.7)),
        Augmentation(flip=True, shift_scale=ShiftScale((0.1, -0.1), 0.7)),
    ),
}


def targets_of(objects, max_objects=4, camera=None, **options):
    model = small_model(**options)
    return make_targets(
        objects, camera or small_camera(), GEOMETRY, model, max_objects=max_objects
    )


@pytest.mark.parametrize('name', REFERENCE_SAMPLES)
@pytest.mark.parametrize('row', [0, 1])
def test_the_authors_targets(name, row, shared_dir):
    reference = np.load(shared_dir / 'reference/official_seed1.npz')
    dataset = KittiDataset(
        DataConfig(root=str(shared_dir / 'kitti/object')), FAMILIES['official'], True
    )
    frame = reference['labelled_frames'][row]
    image = dataset.folder.image(frame)
    camera = dataset.folder.camera(frame, (image.shape[1], image.shape[0]))
    drawn = REFERENCE_SAMPLES[name][row]
    targets = dataset.make_sample(image, camera, dataset.folder.labels(frame), drawn).targets
    expected = {
        key: reference[f'target/{name}/{key}'][row]
        for key in ('trans_mat', 'proj_p', 'reg_mask', 'heatmap_sum', 'heatmap_ones', 'corners')
    }
    np.testing.assert_array_equal(targets.keypoints, expected['proj_p'])
    np.testing.assert_array_equal(targets.regressed, expected['reg_mask'] == 1)
    np.testing.assert_array_equal((targets.heatmap == 1).sum((1, 2)), expected['heatmap_ones'])
    np.testing.assert_allclose(targets.heatmap.sum((1, 2)), expected['heatmap_sum'], atol=1e-3)
    feature_from_image = np.linalg.inv(targets.image_from_feature.double())
    np.testing.assert_allclose(feature_from_image, expected['trans_mat'], atol=1e-4)
    assert_same_boxes(targets, expected['corners'])


def assert_same_boxes(targets, corners):
    """Compare corners in any order: ours differ, and of a mirrored box the authors' front is."""
    ours = box_corners(targets.locations, targets.dimensions, targets.rotation_y).numpy()
    for slot in range(30):
        if targets.present[slot]:
            theirs = corners[slot].T
            distances = np.abs(ours[slot][:, None] - theirs[None]).max(axis=-1)
            assert max(distances.min(axis=0).max(), distances.min(axis=1).max()) < 1e-3
        else:
            assert not corners[slot].any()


def test_an_object_in_view():
    targets = targets_of([labelled_car((2.0, 0.5, 10.0), 0.4, name='Pedestrian')])
    # u = 128 + 200 * 0.2 = 168, v = 40 + 200 * 0.05 = 50, a quarter of each on the map.
    assert targets.keypoints[0].tolist() == [42, 12]
    np.testing.assert_allclose(targets.centres_feat[0], (42.0, 12.5), rtol=1e-6)
    assert targets.class_ids[0] == 2
    assert targets.heatmap[2, 12, 42] == 1
    assert (targets.heatmap == 1).sum() == 1
    assert targets.heatmap[:2].sum() == 0
    assert targets.present.tolist() == [True, False, False, False]
    assert targets.regressed.tolist() == targets.present.tolist()
    np.testing.assert_allclose(targets.locations[0], (2.0, 0.5, 10.0))
    assert float(targets.rotation_y[0]) == pytest.approx(0.4)
    assert targets.K.tolist() == small_camera().K.tolist()


def test_no_objects():
    targets = targets_of([])
    assert targets.heatmap.shape == (3, 24, 64)
    assert targets.heatmap.sum() == 0
    assert not targets.present.any()
    assert not targets.ignored.any()


@pytest.mark.parametrize('x', [-3.0, 3.0])
@pytest.mark.parametrize('y', [-0.9, 0.0, 1.2])
def test_plain_smoke_drops_what_has_its_centre_outside(x, y):
    # At 4 m the map reaches from x = -2.56 m to 2.56 m, and from y = -0.8 m to 1.12 m.
    outside = [labelled_car((x, y, 4.0))] + ([labelled_car((0.0, y, 4.0))] if y else [])
    assert not targets_of(outside).present.any()


def test_a_dropped_object_leaves_its_slot_empty():
    targets = targets_of([TRUNCATED, labelled_car((0.0, 0.0, 10.0))])
    # The second object keeps the second slot.
    assert targets.present.tolist() == [False, True, False, False]
    assert (targets.heatmap == 1).sum() == 1


def test_the_2d_centre_of_a_truncated_object():
    targets = targets_of([TRUNCATED], keypoint='center_2d')
    assert targets.keypoints[0].tolist() == [10, 11]  # (40, 45) / 4
    assert targets.heatmap[0, 11, 10] == 1
    np.testing.assert_allclose(targets.boxes_feat[0], (0.0, 2.5, 20.0, 20.0))
    np.testing.assert_allclose(targets.centres_feat[0], (-5.5, 12.5))


def test_the_3d_centre_of_a_truncated_object_is_moved_to_the_edge():
    targets = targets_of([TRUNCATED], keypoint='center_3d')
    assert targets.keypoints[0].tolist() == [0, 12]
    assert targets.heatmap[0, 12, 0] == 1
    inside = targets_of([labelled_car((2.0, 0.5, 10.0), bbox=(150.0, 40.0, 190.0, 60.0))],
                        keypoint='center_3d')  # fmt: skip
    assert inside.keypoints[0].tolist() == [42, 12]


@pytest.mark.parametrize('keypoint', ['center_2d', 'center_3d'])
def test_objects_without_a_2d_box_in_the_image_are_not_seen(keypoint):
    absent = labelled_car((0.0, 0.0, 10.0))
    beside = labelled_car((-9.0, 0.0, 6.0), bbox=(-90.0, 10.0, -5.0, 60.0))
    assert not targets_of([absent, beside], keypoint=keypoint).present.any()


@pytest.mark.parametrize('keypoint', ['projected_center', 'center_2d', 'center_3d'])
def test_objects_behind_the_camera_or_without_a_size_are_dropped(keypoint):
    box = (100.0, 20.0, 150.0, 60.0)
    behind = labelled_car((0.0, 0.0, -10.0), bbox=box)
    unknown = labelled_car((0.0, 0.0, 10.0), dimensions=(-1.0, -1.0, -1.0), bbox=box)
    assert not targets_of([behind, unknown], keypoint=keypoint).present.any()


def test_a_box_around_the_camera_has_a_keypoint():
    # Two corners are behind the camera, two at its very plane.
    near = labelled_car((0.0, 0.0, 2.0), np.pi / 2, dimensions=(4.0, 1.5, 1.7))
    targets = targets_of([near])
    assert targets.present[0]
    assert torch.isfinite(targets.heatmap).all()


def test_the_nearest_are_learnt_where_there_are_too_many():
    crowd = [labelled_car((x, 0.0, z)) for x, z in ((-2, 30), (0, 10), (2, 50), (3, 20))]
    targets = targets_of([*crowd, TRUNCATED], max_objects=2)
    assert targets.locations[:, 2].tolist() == [10.0, 20.0]
    assert (targets.heatmap == 1).sum() == 4


def test_a_fourth_column_moves_the_keypoint_only_where_the_model_uses_it():
    camera = small_camera(projection_offset=(100.0, 0.0, 0.0))
    car = labelled_car((0.0, 0.0, 10.0))
    plain = targets_of([car], camera=camera)
    shifted = targets_of([car], camera=camera, uses_projection_offset=True)
    assert plain.keypoints[0].tolist() == [32, 10]
    assert shifted.keypoints[0].tolist() == [34, 10]  # 100 / 10 px = 2.5 feature pixels
    assert plain.projection_offset.tolist() == [0.0, 0.0, 0.0]
    assert shifted.projection_offset.tolist() == [100.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ('height', 'width', 'radius'),
    # By hand for a square of side s: 2 s (1 - sqrt(1 - 0.3 / 1.7)) / 2 and the other two roots.
    [(0.0, 0.0, 0), (10.0, 10.0, 0), (40.0, 40.0, 3), (100.0, 100.0, 8)],
)
def test_gaussian_radius(height, width, radius):
    assert gaussian_radius(height, width) == radius
    moves = (
        height * (1 - np.sqrt(1 - 0.3 / 1.7)),
        height * (1 - np.sqrt(0.7)) / 2,
        height * (-1 + np.sqrt(1 / 0.7)) / 2,
    )
    assert int(min(moves)) == radius


def test_gaussians_keep_the_higher_value_and_are_cut_at_the_edge():
    heatmap = np.zeros((5, 8), dtype=np.float32)
    draw_gaussian(heatmap, (0, 0), 2)
    draw_gaussian(heatmap, (2, 0), 1)
    sigma = 5 / 6
    assert heatmap[0, 0] == heatmap[0, 2] == 1
    first, second = np.exp(-1 / (2 * sigma**2)), np.exp(-1 / (2 * 0.5**2))
    assert heatmap[0, 1] == pytest.approx(max(first, second))
    assert heatmap[2, 0] == pytest.approx(np.exp(-4 / (2 * sigma**2)))
    assert heatmap[3:].sum() == 0
    assert heatmap[:, 4:].sum() == 0


def test_a_gaussian_has_at_least_the_radius_that_is_asked_for():
    far = labelled_car((0.0, 0.2, 60.0))
    for asked, pixels in ((0, 1), (1, 9), (2, 25)):
        targets = make_targets(
            [far], small_camera(), GEOMETRY, small_model(), max_objects=1, smallest_radius=asked
        )
        assert int((targets.heatmap > 0).sum()) == pixels
        assert int((targets.heatmap == 1).sum()) == 1


def test_boxes_that_need_overlap_less_have_wider_gaussians():
    near = labelled_car((0.0, 0.2, 5.0))
    widths = []
    for overlap in (0.9, 0.7, 0.5, 0.3):
        targets = make_targets(
            [near], small_camera(), GEOMETRY, small_model(), max_objects=1, min_overlap=overlap
        )
        _, _, xs = (targets.heatmap > 0).nonzero(as_tuple=True)
        widths.append(int(xs.max() - xs.min()) + 1)
    assert widths == sorted(set(widths))


@pytest.mark.parametrize(
    ('option', 'ignored'),
    [({'smallest_height': 41.0}, 1), ({'smallest_height': 39.0}, 0), ({'most_occluded': 1}, 1),
     ({'most_occluded': 2}, 0)],
)  # fmt: skip
def test_what_is_too_small_or_hidden_is_neither_learnt_nor_background(option, ignored, kitti_root):
    hidden = dataclasses.replace(
        labelled_car((0.0, 0.2, 20.0), bbox=(100.0, 10.0, 160.0, 50.0)), occlusion=2
    )
    dataset = KittiDataset(DataConfig(root=str(kitti_root), **option), small_model(), True)
    image = np.zeros((96, 256, 3), np.uint8)
    targets = dataset.make_sample(image, small_camera(), [hidden], Augmentation()).targets
    assert int(targets.present.sum()) == 1 - ignored
    assert bool(targets.ignored.any()) == bool(ignored)
