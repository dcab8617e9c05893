"""kitti2bag and bag2kitti, as a user runs them."""

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy')

from sensor_msgs.msg import CameraInfo, Image
from small_bags import CAR, HEIGHT, WIDTH, K, write_small_bag
from visualization_msgs.msg import MarkerArray

from smoke_ros import cli
from smoke_ros.data.kitti import read_calibration, read_objects
from smoke_ros.data.layout import KittiFolder
from smoke_ros.preprocess import undistortion_maps
from smoke_ros.ros import bag_to_kitti
from smoke_ros.ros.bags import BagReader
from smoke_ros.ros.images import image_to_bgr
from smoke_ros.structures import CameraModel

P2 = '721.5 0 609.5 44.85728 0 721.5 172.8 0.2163791 0 0 1 0.002745884'
LABEL = 'Car 0.10 1 -1.50 10.00 20.00 30.00 40.00 1.5000 1.6000 3.9000 2.0000 1.6500 20.0000 -1.4'
IGNORED = 'DontCare -1 -1 -10 1 2 3 4 -1 -1 -1 -1000 -1000 -1000 -10'


def convert(*arguments):
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture
def frames(tmp_path):
    """Three object frames with noise, of which the last has no label."""
    random = np.random.default_rng(0)
    for kind in ('image_2', 'calib', 'label_2'):
        (tmp_path / 'kitti' / kind).mkdir(parents=True)
    for number in range(3):
        pixels = random.integers(0, 256, (38, 124, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f'kitti/image_2/{number:06d}.png'), pixels)
        (tmp_path / f'kitti/calib/{number:06d}.txt').write_text(f'P2: {P2}\n')
    (tmp_path / 'kitti/label_2/000000.txt').write_text(f'{LABEL}\n{IGNORED}\n')
    (tmp_path / 'kitti/label_2/000001.txt').write_text('')
    return tmp_path


@pytest.mark.parametrize('flags', [(), ('--compressed', '--storage', 'sqlite3')])
def test_there_and_back(frames, flags, capsys):
    assert convert('kitti2bag', frames / 'kitti', frames / 'bag', '--rate', 4, *flags) == 0
    assert '/camera_2/ground_truth  2 messages' in capsys.readouterr().out
    assert convert('bag2kitti', frames / 'bag', frames / 'back') == 0
    assert '3 images, 2 of them with labels' in capsys.readouterr().out
    before, after = KittiFolder(frames / 'kitti'), KittiFolder(frames / 'back')
    for name in ('000000', '000001', '000002'):
        np.testing.assert_array_equal(after.image(name), before.image(name))
    (car, ignored), (old, old_ignored) = after.labels('000000'), before.labels('000000')
    assert after.labels('000001') == [] and not (frames / 'back/label_2/000002.txt').exists()
    size = (124, 38)
    projected = [
        kitti.camera('000000', size).project(item.location)
        for kitti, item in ((before, old), (after, car))
    ]
    np.testing.assert_allclose(*projected, atol=0.01)
    assert (car.truncation, car.occlusion, car.bbox_xyxy_px) == (0.1, 1, (10, 20, 30, 40))
    assert car.dimensions == pytest.approx(old.dimensions)
    assert ignored == old_ignored
    assert after.frames('all') == ['000000', '000001', '000002']
    stamps = [line.split() for line in (frames / 'back/timestamps.txt').read_text().splitlines()]
    assert [int(stamp) for _, stamp, _ in stamps] == [10**9, 125 * 10**7, 15 * 10**8]


def test_the_bag_is_what_a_node_takes(frames):
    convert('kitti2bag', frames / 'kitti', frames / 'bag')
    with BagReader(frames / 'bag') as bag:
        messages = list(bag.messages())
        decoded = [m.decode(bag.topics[m.topic].message_class()) for m in messages]
    infos = [message for message in decoded if isinstance(message, CameraInfo)]
    images = [message for message in decoded if isinstance(message, Image)]
    assert len(infos) == len(images) == 3
    markers = [message.markers[0] for message in decoded if isinstance(message, MarkerArray)]
    assert [len(marker.points) for marker in markers] == [24, 0]
    headers = [getattr(message, 'header', None) for message in [*decoded, *markers]]
    assert {header.frame_id for header in headers if header} == {'camera_2_optical'}
    for info, image in zip(infos, images, strict=True):
        assert info.header.stamp == image.header.stamp
        assert (info.width, info.height) == (image.width, image.height) == (124, 38)
        np.testing.assert_allclose(info.k, [721.5, 0, 609.5, 0, 721.5, 172.8, 0, 0, 1])
        np.testing.assert_allclose(np.reshape(info.p, (3, 4))[:, 3], 0.0)
    expected = cv2.imread(str(frames / 'kitti/image_2/000001.png'))
    np.testing.assert_array_equal(image_to_bgr(images[1]), expected)


def test_plain_images_with_a_ros_calibration(frames, make):
    (frames / 'camera.yaml').write_text(make.calibration_yaml())
    convert(
        'kitti2bag', frames / 'kitti/image_2', frames / 'bag', '--calib', frames / 'camera.yaml',
        '--labels', frames / 'kitti/label_2',
    )  # fmt: skip
    with BagReader(frames / 'bag') as bag:
        counts = {name: topic.message_count for name, topic in bag.topics.items()}
    assert counts == {
        '/camera/image_raw': 3, '/camera/camera_info': 3, '/camera/ground_truth': 2,
        '/camera/ground_truth_markers': 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['kitti2bag', 'kitti/image_2', 'bag'], 'no calibration with it; give one by --calib'),
        (['kitti2bag', 'kitti', 'bag', '--calib', 'none.yaml'], 'none.yaml: no such file'),
        (['kitti2bag', 'kitti', 'kitti'], 'kitti exists already'),
        (['bag2kitti', 'nowhere', 'out'], 'no bag at nowhere'),
        (['bag2kitti', 'small', 'kitti'], 'kitti is not empty'),
        (['bag2kitti', 'small', 'out', '--topics', '/back'], 'the bag has no such topic; there'),
        (['bag2kitti', 'small', 'out', '--stride', '0'], 'stride must be at least 1, got 0'),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(frames, arguments, message, monkeypatch, capsys):
    monkeypatch.chdir(frames)
    write_small_bag(frames / 'small')
    assert convert(*arguments) == cli.EXIT_BAD_INPUT
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1
    assert not (frames / 'bag').exists()


def test_two_cameras_become_one_set_of_frames(tmp_path):
    write_small_bag(tmp_path / 'bag', 4, cameras=('/front', '/rear'))
    assert convert('bag2kitti', tmp_path / 'bag', tmp_path / 'out', '--stride', 2) == 0
    lines = (tmp_path / 'out/timestamps.txt').read_text().splitlines()
    assert [line.split()[2] for line in lines] == 2 * ['/front/image_rect', '/rear/image_rect']
    images = [cv2.imread(str(tmp_path / f'out/image_2/{n:06d}.png'))[0, 0, 0] for n in range(4)]
    assert images == [0, 0, 2, 2]
    camera = read_calibration(tmp_path / 'out/calib/000003.txt', WIDTH, HEIGHT)
    np.testing.assert_allclose(camera.K, K)
    (car,) = read_objects(tmp_path / 'out/label_2/000003.txt')
    assert car.location == pytest.approx(CAR.location, abs=1e-3)


def test_a_spoilt_image_costs_itself(tmp_path, caplog):
    write_small_bag(tmp_path / 'bag', 3, spoilt=(1,))
    assert convert('bag2kitti', tmp_path / 'bag', tmp_path / 'out') == 1
    assert '/front/image_rect 1: data of 64x48 pixels' in caplog.text
    assert len(list((tmp_path / 'out/image_2').iterdir())) == 2


def test_several_bags_have_a_list_of_frames_each(tmp_path, capsys):
    for name, count in (('monday', 2), ('tuesday', 3)):
        write_small_bag(tmp_path / name, count)
    bags = (tmp_path / 'monday', tmp_path / 'tuesday')
    assert convert('bag2kitti', *bags, tmp_path / 'out') == 0
    lists = {
        path.stem: path.read_text().split() for path in (tmp_path / 'out/ImageSets').iterdir()
    }
    names = [f'{index:06d}' for index in range(5)]
    assert lists == {'all': names, 'monday': names[:2], 'tuesday': names[2:]}
    greys = [cv2.imread(str(tmp_path / f'out/image_2/{name}.png'))[0, 0, 0] for name in names]
    assert greys == [0, 1, 0, 1, 2]
    # Nothing is written where one of them cannot be used.
    for other in (tmp_path / 'absent', tmp_path / 'monday'):
        assert convert('bag2kitti', tmp_path / 'monday', other, tmp_path / 'next') == 2
        assert not (tmp_path / 'next').exists()
    assert 'rename bags so that their names differ' in capsys.readouterr().err


def test_bags_may_be_named_after_days(tmp_path):
    """What follows a folder's last dot belongs to its name, as it does with replay."""
    days = [tmp_path / '2026.05.01', tmp_path / '2026.05.02']
    for day in days:
        write_small_bag(day, 1)
    assert convert('bag2kitti', *days, tmp_path / 'out') == 0
    lists = {path.name for path in (tmp_path / 'out/ImageSets').iterdir()}
    assert lists == {'all.txt', '2026.05.01.txt', '2026.05.02.txt'}


def test_a_part_without_images_is_no_success(tmp_path, caplog):
    write_small_bag(tmp_path / 'bag', 3)
    assert convert('bag2kitti', tmp_path / 'bag', tmp_path / 'out', '--start', 99) == 1
    assert 'no image in what was asked for, of /front/image_rect' in caplog.text


def test_the_tables_of_two_lenses_are_made_once(monkeypatch):
    made = []

    def note(camera, geometry):
        made.append(camera)
        return undistortion_maps(camera, geometry)

    monkeypatch.setattr(bag_to_kitti, 'undistortion_maps', note)
    cameras = [CameraModel(K, WIDTH, HEIGHT, 'plumb_bob', (k, 0, 0, 0, 0)) for k in (-0.3, -0.2)]
    lens = bag_to_kitti._Lens()
    for _ in range(3):
        for camera in cameras:
            lens.undistorted(np.zeros((HEIGHT, WIDTH, 3), np.uint8), camera)
    assert made == cameras


def test_distortion_is_undone(tmp_path):
    (tmp_path / 'pictures').mkdir()
    ray, D = np.array([[0.4, 0.3, 1.0]]), np.array([-0.4, 0.1, 0.0, 0.0, 0.0])
    seen = cv2.projectPoints(ray, np.zeros(3), np.zeros(3), K, D)[0].ravel()
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    spot = 255.0 * np.exp(-((x - seen[0]) ** 2 + (y - seen[1]) ** 2) / 4.0)
    cv2.imwrite(str(tmp_path / 'pictures/a.png'), spot.astype(np.uint8))
    (tmp_path / 'camera.yaml').write_text(
        f'image_width: {WIDTH}\nimage_height: {HEIGHT}\ndistortion_model: plumb_bob\n'
        'camera_matrix: {rows: 3, cols: 3, data: [50, 0, 32, 0, 50, 24, 0, 0, 1]}\n'
        'distortion_coefficients: {rows: 1, cols: 5, data: [-0.4, 0.1, 0, 0, 0]}\n'
    )
    convert(
        'kitti2bag', tmp_path / 'pictures', tmp_path / 'bag', '--calib', tmp_path / 'camera.yaml'
    )
    assert convert('bag2kitti', tmp_path / 'bag', tmp_path / 'out') == 0
    straight = cv2.imread(str(tmp_path / 'out/image_2/000000.png'))[..., 0].astype(float)
    centre = (straight * x).sum() / straight.sum(), (straight * y).sum() / straight.sum()
    pinhole = read_calibration(tmp_path / 'out/calib/000000.txt', WIDTH, HEIGHT).project(ray)[0]
    assert np.linalg.norm(seen - pinhole) > 1.5
    np.testing.assert_allclose(centre, pinhole, atol=0.2)


@pytest.mark.parametrize('depth', [np.uint8, np.uint16])
def test_compressed_images_are_what_their_format_says(frames, depth):
    for path in (frames / 'kitti/image_2').iterdir():
        pixels = cv2.imread(str(path)).astype(depth) * (257 if depth == np.uint16 else 1)
        cv2.imwrite(str(path), pixels)
    assert convert('kitti2bag', frames / 'kitti', frames / 'bag', '--compressed') == 0
    with BagReader(frames / 'bag') as bag:
        (message, *_) = bag.messages(['/camera_2/image_rect/compressed'])
        image = message.decode(bag.topics[message.topic].message_class())
    stored = (frames / 'kitti/image_2/000000.png').read_bytes()
    assert image.format == 'bgr8; png compressed bgr8'
    assert (bytes(image.data) == stored) == (depth == np.uint8)
    found = cv2.imdecode(np.frombuffer(image.data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(found, cv2.imread(str(frames / 'kitti/image_2/000000.png')))
