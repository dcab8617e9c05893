import cv2
import numpy as np
import pytest
from PIL import Image as Picture

from smoke_ros.data.layout import KittiFolder, read_image, read_split
from smoke_ros.errors import KittiFormatError


def test_the_folder_or_the_one_above(kitti_root):
    inside, above = KittiFolder(kitti_root / 'training'), KittiFolder(kitti_root)
    assert inside.folder == above.folder
    assert inside.frames() == ['a', 'b', 'c', 'd']
    assert inside.frames('train') == above.frames('train') == ['b', 'd']
    assert inside.frames(str(kitti_root / 'ImageSets/train.txt')) == ['b', 'd']


def test_a_frames_files(kitti_root):
    folder = KittiFolder(kitti_root)
    assert folder.image('a').shape == (96, 256, 3)
    assert folder.image_size('a') == (256, 96)
    assert [item.class_name for item in folder.labels('b')] == ['Cyclist', 'Van', 'DontCare']
    camera = folder.camera('a', (256, 96))
    assert (camera.K[0, 2], camera.projection_offset) == (128.0, (5.0, 0.0, 0.0))


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a data set in KITTI's layout"):
        KittiFolder(tmp_path)
    (tmp_path / 'label_2').mkdir()
    with pytest.raises(FileNotFoundError, match='expected labels'):
        KittiFolder(tmp_path).frames()


def test_a_missing_split_says_where_it_was_looked_for(kitti_root):
    with pytest.raises(FileNotFoundError, match=r"no split 'val'.*ImageSets/val\.txt"):
        KittiFolder(kitti_root).frames('val')


@pytest.mark.parametrize(
    ('text', 'message'),
    [('', 'got an empty file'), ('a\nb\na\n', 'a was named before, in line 1'),
     ('a b\n', 'expected one frame name')],
)  # fmt: skip
def test_malformed_splits(tmp_path, text, message):
    path = tmp_path / 'split.txt'
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_split(path)


def test_binary_data_is_no_split(tmp_path):
    (tmp_path / 'split.txt').write_bytes(b'\x89PNG\xff')
    with pytest.raises(ValueError, match=r'split\.txt: expected text, got binary data'):
        read_split(tmp_path / 'split.txt')


def test_jpeg_images_are_read_and_cut_ones_refused(kitti_root):
    folder = kitti_root / 'training/image_2'
    image = np.full((96, 256, 3), (20, 120, 220), dtype=np.uint8)
    cv2.imwrite(str(folder / 'e.jpg'), image)
    read = KittiFolder(kitti_root).image('e')
    assert np.abs(read.astype(int) - image).max() <= 3
    path = folder / 'f.jpg'
    path.write_bytes((folder / 'e.jpg').read_bytes()[:700])
    with pytest.raises(KittiFormatError, match=r'f\.jpg: expected an image'):
        read_image(path)
    whole = cv2.imencode('.jpg', np.random.default_rng(0).integers(0, 255, (96, 256, 3)))[1]
    path.write_bytes(whole.tobytes()[:4000] + whole.tobytes()[6000:])
    with pytest.raises(KittiFormatError, match=r'f\.jpg: expected an image: Corrupt JPEG data'):
        read_image(path)


def test_colour_order_and_grey_images(tmp_path):
    image = np.zeros((2, 2, 3), dtype=np.uint8)
    image[..., 2] = 255
    cv2.imwrite(str(tmp_path / 'red.png'), image)
    assert read_image(tmp_path / 'red.png')[0, 0].tolist() == [0, 0, 255]
    cv2.imwrite(str(tmp_path / 'grey.png'), image[..., 2])
    assert read_image(tmp_path / 'grey.png')[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.webp'])
def test_no_image_is_turned_as_its_header_says(tmp_path, suffix):
    path = tmp_path / f'turned{suffix}'
    picture = Picture.new('RGB', (40, 20))
    exif = picture.getexif()
    exif[0x0112] = 6  # the camera lay on its side
    picture.save(path, exif=exif)
    assert read_image(path).shape == (20, 40, 3)


def test_what_a_killed_write_left_is_no_frame(kitti_root):
    folder = KittiFolder(kitti_root)
    before = folder.frames()
    (folder.folder / 'label_2' / '.000000.txt.vuvstrew.txt').touch()
    assert KittiFolder(kitti_root).frames() == before
