"""Known answers, the authors' figures and numerical gradients of the losses."""

import dataclasses

import numpy as np
import pytest
import torch
from perfect_outputs import labelled_car, perfect_outputs, small_camera, small_model
from reference_weights import save_checkpoint_of

from smoke_ros.checkpoint import build_from, load_checkpoint
from smoke_ros.coder import RegressionLayout, decode_depth, encode_depth
from smoke_ros.config.data import DataConfig
from smoke_ros.config.loss import LossConfig
from smoke_ros.config.model import FAMILIES
from smoke_ros.data.augmentation import Augmentation, ShiftScale
from smoke_ros.data.dataset import KittiDataset, collate
from smoke_ros.data.targets import Targets, make_targets
from smoke_ros.losses import (
    SmokeLoss,
    background_counts,
    count_positives,
    focal_loss,
    pixels_around,
)
from smoke_ros.preprocess import InputGeometry

KEYPOINTS = ('projected_center', 'center_2d', 'center_3d')
KINDS = ('disentangled', 'l1', 'smooth_l1')

OBJECTS = (
    labelled_car((2.0, 0.5, 15.0), 1.9, bbox=(130.0, 30.0, 190.0, 60.0)),
    labelled_car((-4.0, 0.7, 12.0), -2.8, name='Cyclist', bbox=(40.0, 30.0, 80.0, 70.0)),
)

#: What was drawn for the reference's samples, read off its affines.
REFERENCE_SAMPLES = {
    'plain': (Augmentation(), Augmentation()),
    'flip': (Augmentation(flip=True), Augmentation(flip=True)),
    'flip_affine': (
        Augmentation(flip=True, shift_scale=ShiftScale((-0.2, 0.0), 0.7)),
        Augmentation(flip=True, shift_scale=ShiftScale((0.1, -0.1), 0.7)),
    ),
}


def make_batch(model, objects=OBJECTS, max_objects=4, **options):
    camera = small_camera(projection_offset=(40.0, 2.0, 0.01))
    geometry = InputGeometry.centred((256, 96), (256, 96))
    targets = make_targets(objects, camera, geometry, model, max_objects=max_objects, **options)
    return Targets.stack([targets])


@pytest.fixture(scope='module')
def official_network(shared_dir, tmp_path_factory):
    path = tmp_path_factory.mktemp('weights') / 'official.pth'
    checkpoint = load_checkpoint(save_checkpoint_of(shared_dir / 'reference', 'official', path))
    return build_from(checkpoint, str(path)).train()


@pytest.mark.parametrize('name', REFERENCE_SAMPLES)
def test_the_authors_losses(name, shared_dir, official_network):
    reference = np.load(shared_dir / 'reference/official_seed1.npz')
    model = FAMILIES['official']
    dataset = KittiDataset(DataConfig(root=str(shared_dir / 'kitti/object')), model, True)
    samples = []
    frames = reference['labelled_frames'].tolist()
    for frame, drawn in zip(frames, REFERENCE_SAMPLES[name], strict=True):
        image = dataset.folder.image(frame)
        camera = dataset.folder.camera(frame, (image.shape[1], image.shape[0]))
        samples.append(dataset.make_sample(image, camera, dataset.folder.labels(frame), drawn))
    batch = collate(samples)
    with torch.no_grad():
        terms = SmokeLoss(model)(*official_network(batch.images), batch.targets)
    heatmap, regression = reference[f'loss/{name}']
    assert float(terms.parts['heatmap']) == pytest.approx(heatmap, rel=1e-4)
    rest = float(terms.total - terms.parts['heatmap'])
    # The heatmap's loss is a thousand times as large: the difference keeps four digits.
    assert rest == pytest.approx(regression, rel=5e-4)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('keypoint', KEYPOINTS)
@pytest.mark.parametrize('orientation', ['sincos', 'quaternion'])
def test_perfect_outputs_have_no_regression_loss(kind, keypoint, orientation):
    model = small_model(keypoint=keypoint, orientation=orientation, uses_projection_offset=True)
    targets = make_batch(model)
    heatmap, regression = perfect_outputs(targets, model)
    terms = SmokeLoss(model, LossConfig(regression=kind))(heatmap, regression, targets)
    for name, value in terms.parts.items():
        assert name == 'heatmap' or float(value) == pytest.approx(0.0, abs=1e-5), name
    assert float(terms.total) == pytest.approx(float(terms.parts['heatmap']), abs=1e-4)


@pytest.mark.parametrize('keypoint', KEYPOINTS)
def test_each_group_of_channels_has_its_own_term(keypoint):
    model = small_model(keypoint=keypoint)
    targets = make_batch(model)
    heatmap, regression = perfect_outputs(targets, model)
    layout = RegressionLayout.from_config(model)
    wrong = {
        'orientation': layout.orientation, 'location': layout.depth,
        'centre_offset': layout.centre_offset, 'box_2d': layout.box_2d,
    }  # fmt: skip
    for term, channels in wrong.items():
        if channels is None:
            continue
        changed = regression.clone()
        changed[:, channels] = changed[:, channels].roll(1, 1) + (
            0 if term == 'orientation' else 1
        )
        parts = SmokeLoss(model)(heatmap, changed, targets).parts
        assert parts[term] > 1e-2
        others = [float(value) for name, value in parts.items() if name not in ('heatmap', term)]
        assert max(others) < 1e-5


@pytest.mark.parametrize(
    ('kind', 'expected'),
    # 8 corners, each 0.5 m off along z alone; smooth L1 halves the square.
    [('disentangled', 8 * 0.5 / 300), ('l1', 8 * 0.5 / 300), ('smooth_l1', 8 * 0.125 / 300)],
)
def test_half_a_metre_of_depth(kind, expected):
    model = small_model()
    # On the optical axis, where depth moves a box along z alone.
    targets = make_batch(model, [labelled_car((0.0, 0.0, 20.0))])
    heatmap, regression = perfect_outputs(targets, model)
    regression[:, 0] += 0.5 / model.depth_reference[1]
    parts = SmokeLoss(model, LossConfig(regression=kind))(heatmap, regression, targets).parts
    name = 'location' if kind == 'disentangled' else 'corners'
    assert float(parts[name]) == pytest.approx(expected, rel=1e-4)


def test_a_predicted_height_also_moves_the_predicted_location():
    # As the authors: the bottom face is half the predicted height below the predicted centre.
    model = small_model()
    targets = make_batch(model, [labelled_car((0.0, 0.0, 20.0), dimensions=(4.0, 1.5, 1.7))])
    heatmap, regression = perfect_outputs(targets, model)
    regression[:, 4] += np.log(2.0)  # height 3.0
    parts = SmokeLoss(model)(heatmap, regression, targets).parts
    assert float(parts['dimensions']) == pytest.approx(4 * 1.5 / 300, rel=1e-4)
    assert float(parts['location']) == pytest.approx(8 * 0.75 / 300, rel=1e-4)
    assert float(parts['orientation']) == pytest.approx(0.0, abs=1e-5)


def test_entangled_losses_differ_from_the_disentangled():
    model = small_model()
    targets = make_batch(model)
    torch.manual_seed(2)
    heatmap, regression = perfect_outputs(targets, model)
    regression += 0.1 * torch.randn_like(regression)
    totals = {
        kind: float(
            SmokeLoss(model, LossConfig(regression=kind))(heatmap, regression, targets).total
        )
        for kind in KINDS
    }
    assert len({round(total, 6) for total in totals.values()}) == 3


def test_shifted_samples_train_the_heatmap_only():
    model = small_model()
    targets = make_batch(model, learns_regression=False)
    heatmap, regression = perfect_outputs(targets, model)
    regression = (regression + 1).requires_grad_()
    terms = SmokeLoss(model)(heatmap.requires_grad_(), regression, targets)
    terms.total.backward()
    assert float(terms.total.detach()) == float(terms.parts['heatmap'].detach()) > 0
    assert regression.grad.abs().sum() == 0  # there, for DistributedDataParallel
    assert heatmap.grad.abs().sum() > 0


def test_depth_of_a_camera_with_another_focal_length_is_learnt_scaled():
    model = small_model()
    plain, scaled = make_batch(model), make_batch(model, depth_scale=2.0)
    for targets in (plain, scaled):
        heatmap, regression = perfect_outputs(targets, model)
        parts = SmokeLoss(model)(heatmap, regression, targets).parts
        assert float(parts['location']) == pytest.approx(0.0, abs=1e-4)
    x, y = scaled.keypoints[0, 0].tolist()
    depth = decode_depth(regression[0, 0, y, x], model.depth_reference)
    assert float(depth) == pytest.approx(float(scaled.locations[0, 0, 2]) / 2.0, rel=1e-5)


def test_pixels_around_a_keypoint_by_hand():
    heatmaps = torch.zeros(2, 4, 5)
    heatmaps[0, 1, 1], heatmaps[0, 1, 2], heatmaps[0, 2, 1], heatmaps[0, 1, 0] = 1.0, 0.6, 0.5, 0.4
    heatmaps[1, 3, 4], heatmaps[1, 3, 3] = 1.0, 0.9  # in the corner: no column 5, no row 4
    keypoints = torch.tensor([[1, 1], [4, 3]])
    taken, pixels, weights = pixels_around(keypoints, heatmaps, 1)
    found = {
        (int(item), *pixel.tolist()): float(weight)
        for item, pixel, weight in zip(taken, pixels, weights, strict=True)
    }
    assert found == pytest.approx({
        (0, 1, 1): 1 / 2.1, (0, 2, 1): 0.6 / 2.1, (0, 1, 2): 0.5 / 2.1,
        (1, 4, 3): 1 / 1.9, (1, 3, 3): 0.9 / 1.9,
    })  # fmt: skip


def test_pixels_beside_a_keypoint_learn_the_same_box():
    model = small_model()
    targets = make_batch(model, [labelled_car((0.0, 0.0, 20.0))], smallest_radius=4)
    heatmap, regression = perfect_outputs(targets, model)
    layout = RegressionLayout.from_config(model)
    x, y = targets.keypoints[0, 0].tolist()
    at_keypoint = regression[0, :, y, x].clone()
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            regression[0, :, y + dy, x + dx] = at_keypoint
            # The same point, seen from another pixel.
            regression[0, layout.keypoint_offset, y + dy, x + dx] -= torch.tensor([dx, dy])
    loss = SmokeLoss(model, LossConfig(regression_reach=2))
    terms = loss(heatmap, regression, targets)
    assert float(terms.total - terms.parts['heatmap']) == pytest.approx(0.0, abs=1e-5)
    regression[0, layout.depth, y, x + 1] += 1.0
    wrong = loss(heatmap, regression, targets).parts['location']
    assert 0 < float(wrong) < 8 * model.depth_reference[1] / 300
    assert float(SmokeLoss(model)(heatmap, regression, targets).parts['location']) < 1e-5


def test_weight_of_the_dimensions():
    model = small_model()
    targets = make_batch(model)
    heatmap, regression = perfect_outputs(targets, model)
    plain, heavy = (
        SmokeLoss(model, LossConfig(dimensions_weight=weight))(heatmap, regression + 1, targets)
        for weight in (1.0, 5.0)
    )
    assert float(heavy.parts['dimensions']) == pytest.approx(5 * float(plain.parts['dimensions']))
    assert float(heavy.parts['location']) == float(plain.parts['location'])


@pytest.mark.parametrize('share', [0.5, 2.0])
def test_a_tenth_too_far_counts_alike_near_and_far(share):
    model = small_model()
    depth = share * model.depth_reference[0]
    targets = make_batch(model, [labelled_car((0.0, 0.0, depth))])
    heatmap, regression = perfect_outputs(targets, model)
    regression[:, 0] += 0.1 * depth / model.depth_reference[1]
    loss = SmokeLoss(model, LossConfig(relative_location=True))
    parts = loss(heatmap, regression, targets).parts
    assert float(parts['location']) == pytest.approx(
        0.8 * model.depth_reference[0] / 300, rel=1e-4
    )


@pytest.mark.parametrize('keypoint', KEYPOINTS)
def test_perfect_corner_points_have_no_loss(keypoint):
    model = small_model(keypoint=keypoint, corner_points=True, uses_projection_offset=True)
    targets = make_batch(model)
    heatmap, regression = perfect_outputs(targets, model)
    terms = SmokeLoss(model)(heatmap, regression, targets)
    assert 'corner_points' in terms.parts
    assert float(terms.total - terms.parts['heatmap']) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize('depth', [10.0, 20.0])
def test_a_corner_counts_by_the_extent_in_the_image(depth):
    model = small_model(corner_points=True)
    # Sideways: 4 m by 1.5 m, nearest 0.85 m before its centre; 200 px, stride 4.
    targets = make_batch(model, [labelled_car((0.0, 0.0, depth), 0.0)])
    heatmap, regression = perfect_outputs(targets, model)
    layout = RegressionLayout.from_config(model)
    regression[:, layout.corner_points.start] += 2.0
    loss = SmokeLoss(model, LossConfig(corner_points_weight=3.0))
    parts = loss(heatmap, regression, targets).parts
    extent = 50.0 / (depth - 0.85) * np.sqrt(4.0 * 1.5)
    assert float(parts['corner_points']) == pytest.approx(3.0 * 2.0 / extent / 300, rel=1e-5)
    others = [float(v) for name, v in parts.items() if name not in ('heatmap', 'corner_points')]
    assert max(others) < 1e-5


def test_corners_behind_the_camera_are_not_learnt():
    model = small_model(corner_points=True, keypoint='center_3d')
    # Along the axis, 1.5 m away and 4 m long.
    passing = labelled_car((0.6, 0.5, 1.5), np.pi / 2, bbox=(0.0, 10.0, 250.0, 90.0))
    targets = make_batch(model, [passing])
    assert targets.regressed.any()
    regression = torch.zeros(1, 28, 24, 64, dtype=torch.float64, requires_grad=True)
    heatmap = torch.full((1, 3, 24, 64), 0.5)
    terms = SmokeLoss(model)(heatmap, regression, targets)
    assert float(terms.parts['corner_points'].detach()) == 0.0
    terms.total.backward()
    assert torch.isfinite(regression.grad).all()


def test_images_without_objects():
    model = small_model()
    targets = make_batch(model, [])
    heatmap = torch.full((1, 3, 24, 64), 0.5, requires_grad=True)
    regression = torch.zeros(1, 8, 24, 64, requires_grad=True)
    terms = SmokeLoss(model)(heatmap, regression, targets)
    expected = 3 * 24 * 64 * 0.25 * np.log(2)
    assert float(terms.total.detach()) == pytest.approx(expected, rel=1e-5)
    assert count_positives(targets) == 0


def test_the_focal_loss_by_hand():
    target = torch.tensor([[1.0, 0.5, 0.0]])
    prediction = torch.tensor([[0.8, 0.4, 0.1]])
    hit = -np.log(0.8) * 0.2**2
    near = -np.log(0.6) * 0.4**2 * 0.5**4
    background = -np.log(0.9) * 0.1**2
    whole = hit + near + background
    assert float(focal_loss(prediction, target, 1)) == pytest.approx(whole, rel=1e-5)
    assert float(focal_loss(prediction, target, 4)) == pytest.approx(whole / 4, rel=1e-5)
    # Where background does not count, a keypoint still does.
    counts = torch.tensor([[False, True, False]])
    assert float(focal_loss(prediction, target, 1, counts)) == pytest.approx(hit + near, rel=1e-5)
    flat = float(focal_loss(prediction, target, 1, alpha=0.0, beta=0.0))
    assert flat == pytest.approx(-np.log(0.8) - np.log(0.6) - np.log(0.9), rel=1e-5)


def test_background_inside_objects_of_other_classes_counts_more():
    """Car at slot 0, cyclist at slot 1: (130, 30, 190, 60) and (40, 30, 80, 70) in the image."""
    model = small_model()
    targets = make_batch(model, ignored=[(0.0, 0.0, 50.0, 95.0)])
    plain = background_counts(targets)
    assert plain.shape == (1, 1, 24, 64) and torch.equal(plain[0, 0] == 1, ~targets.ignored[0])
    counts = background_counts(targets, 5.0)
    boxes = {
        model.classes.index(item.class_name): box.tolist()
        for item, box in zip(OBJECTS, targets.boxes_feat[0], strict=False)
    }
    for channel in range(len(model.classes)):
        expected = torch.ones(24, 64)
        for class_id, (x1, y1, x2, y2) in boxes.items():
            if class_id != channel:
                expected[int(y1) : int(y2) + 1, int(x1) : int(x2) + 1] = 5.0
        expected[targets.ignored[0]] = 0.0
        assert torch.equal(counts[0, channel], expected)
    assert (counts == 5).flatten(2).sum(2).gt(0).all()  # each class has another one's box


def test_confusions_weigh_in_the_heatmap_loss_where_they_are():
    model = small_model()
    targets = make_batch(model)
    regression = torch.zeros(1, 8, 24, 64)
    plain, strict = SmokeLoss(model), SmokeLoss(model, LossConfig(confusion_weight=5.0))

    def excess(channel: int, x: int, y: int) -> float:
        heatmap = torch.full((1, 3, 24, 64), 1e-4)
        heatmap[0, channel, y, x] = 0.5
        parts = [loss(heatmap, regression, targets).parts['heatmap'] for loss in (plain, strict)]
        return float(parts[1] - parts[0])

    car, cyclist = (model.classes.index(item.class_name) for item in OBJECTS)
    x, y = targets.keypoints[0, 0].tolist()
    # A cyclist seen where the car is: 4 times -log(1 - 0.5) 0.5^2, of two keypoints.
    assert excess(cyclist, x, y) == pytest.approx(4 * 0.25 * np.log(2) / 2, rel=1e-3)
    assert excess(car, x, y) == pytest.approx(0.0, abs=1e-6)
    assert excess(cyclist, 0, 0) == pytest.approx(0.0, abs=1e-6)  # on nothing


def test_ignored_regions_do_not_train_the_background():
    model = small_model()
    heatmap = torch.full((1, 3, 24, 64), 0.3)
    regression = torch.zeros(1, 8, 24, 64)
    plain = SmokeLoss(model)(heatmap, regression, make_batch(model, []))
    half = make_batch(model, [], ignored=[(0.0, 0.0, 127.0, 95.0)])
    assert half.ignored.float().mean() == pytest.approx(0.5, abs=0.02)
    part = SmokeLoss(model)(heatmap, regression, half)
    share = 1 - float(half.ignored.float().mean())
    assert float(part.total) == pytest.approx(share * float(plain.total), rel=1e-4)


def test_parts_of_a_batch_add_up_to_the_whole():
    model = small_model()
    crowded, single = make_batch(model), make_batch(model, OBJECTS[:1])
    whole = Targets.stack([Targets(**unbatched(crowded)), Targets(**unbatched(single))])
    torch.manual_seed(3)
    heatmap = torch.rand(2, 3, 24, 64, dtype=torch.float64) * 0.9 + 0.05
    regression = torch.randn(2, 8, 24, 64, dtype=torch.float64)
    loss = SmokeLoss(model)
    positives = count_positives(whole)
    assert positives == 3
    together = loss(heatmap, regression, whole).total
    parts = [
        loss(heatmap[i : i + 1], regression[i : i + 1], targets, positives).total
        for i, targets in enumerate((crowded, single))
    ]
    assert float(sum(parts)) == pytest.approx(float(together), rel=1e-9)


def unbatched(targets):
    fields = [field.name for field in dataclasses.fields(targets)]
    return {name: getattr(targets, name)[0] for name in fields}


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(
    ('keypoint', 'orientation'),
    [('projected_center', 'sincos'), ('projected_center', 'quaternion'),
     ('center_2d', 'sincos'), ('center_3d', 'sincos')],
)  # fmt: skip
def test_gradients_of_the_whole_loss(kind, keypoint, orientation):
    model = small_model(
        input_width=64, input_height=64, keypoint=keypoint, orientation=orientation,
        classes=('Car',), dimension_reference=((3.9, 1.6, 1.5),),
    )  # fmt: skip
    car = labelled_car((0.1, 0.3, 15.0), 1.9, bbox=(20.0, 20.0, 50.0, 50.0))
    geometry = InputGeometry.centred((256, 96), (64, 64))
    targets = make_targets([car], small_camera(), geometry, model, max_objects=2)
    targets = Targets.stack([targets])
    torch.manual_seed(4)
    layout = RegressionLayout.from_config(model)
    x, y = targets.keypoints[0, 0].tolist()
    # Away from the kinks of L1: a distance of 0 in no corner.
    raw = torch.randn(layout.channels, dtype=torch.float64, requires_grad=True)
    score = torch.full((1,), 0.3, dtype=torch.float64, requires_grad=True)
    loss = SmokeLoss(model, LossConfig(regression=kind))

    def total(values, heat):
        # The rest of the maps is constant: the check stays small.
        regression = torch.zeros(1, layout.channels, 16, 16, dtype=torch.float64)
        unit = torch.nn.functional.normalize(values[layout.orientation], dim=0)
        before, after = values[: layout.orientation.start], values[layout.orientation.stop :]
        regression[0, :, y, x] = torch.cat((before, unit, after))
        heatmap = heat.expand(1, 1, 16, 16)
        return loss(heatmap, regression, targets).total

    assert torch.autograd.gradcheck(total, (raw, score))


@pytest.mark.parametrize('too_far', [1.0, 1.1, 0.8])
def test_a_spread_is_best_where_it_is_the_error(too_far):
    model = small_model(depth_spread=True)
    targets = make_batch(model, [labelled_car((0.0, 0.0, 20.0), 0.0)])
    heatmap, regression = perfect_outputs(targets, model)
    layout = RegressionLayout.from_config(model)
    regression = regression.double()
    regression[:, layout.depth] = encode_depth(20.0 * too_far, model.depth_reference)
    loss = SmokeLoss(model, LossConfig(depth_spread_weight=300.0))
    error = max(abs(np.log(too_far)), 0.003)
    spread = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)

    def at(value):
        filled = regression.clone()
        filled[:, layout.depth_spread] = value
        return loss(heatmap, filled, targets).parts['depth_spread']

    # The negative logarithm of Laplace's density, less that of 2.
    for value in (-3.0, -1.0, 0.5):
        expected = error * np.exp(-value) + value
        assert float(at(torch.tensor(value))) == pytest.approx(expected, rel=1e-4)
    best = torch.tensor(np.log(error), requires_grad=True)
    at(best).backward()
    assert float(best.grad) == pytest.approx(0.0, abs=1e-4)
    at(spread).backward()
    assert float(spread.grad) == pytest.approx(1.0 - error, rel=1e-4)


def test_depths_do_not_learn_from_how_surprising_they_are():
    model = small_model(depth_spread=True)
    targets = make_batch(model, [labelled_car((0.0, 0.0, 20.0), 0.0)])
    heatmap, regression = perfect_outputs(targets, model)
    layout = RegressionLayout.from_config(model)
    regression = regression.requires_grad_()
    SmokeLoss(model)(heatmap, regression, targets).parts['depth_spread'].backward()
    assert regression.grad[:, layout.depth_spread].abs().max() > 0
    regression.grad[:, layout.depth_spread] = 0
    assert not regression.grad.any()
