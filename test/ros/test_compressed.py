import cv2
import numpy as np
import pytest

pytest.importorskip('sensor_msgs')

from sensor_msgs.msg import CompressedImage

from smoke_ros.ros.compressed import compressed_to_bgr

IMAGE = np.zeros((24, 32, 3), np.uint8)
IMAGE[:, :16] = (200, 30, 20)
IMAGE[:, 16:] = (30, 60, 220)
GREY = np.full((24, 32), 77, np.uint8)


def compressed(image, kind, name):
    encoded, data = cv2.imencode(kind, image)
    assert encoded
    return CompressedImage(format=name, data=data.tobytes())


@pytest.mark.parametrize('name', ['png', 'bgr8; png compressed bgr8', 'rgb8; png compressed bgr8'])
def test_png(name):
    np.testing.assert_array_equal(compressed_to_bgr(compressed(IMAGE, '.png', name)), IMAGE)


@pytest.mark.parametrize('name', ['jpeg', 'bgr8; jpeg compressed bgr8'])
def test_jpeg(name):
    image = compressed_to_bgr(compressed(IMAGE, '.jpg', name))
    assert image.shape == IMAGE.shape
    assert abs(image[12, [4, 28]].astype(int) - IMAGE[12, [4, 28]]).max() < 6


def test_colours_stored_in_rgb_order():
    message = compressed(IMAGE[..., ::-1], '.png', 'rgb8; png compressed rgb8')
    np.testing.assert_array_equal(compressed_to_bgr(message), IMAGE)


def test_alpha_is_dropped():
    message = compressed(np.dstack((IMAGE, GREY)), '.png', 'bgra8; png compressed bgra8')
    np.testing.assert_array_equal(compressed_to_bgr(message), IMAGE)


@pytest.mark.parametrize('kind', ['.png', '.jpg'])
def test_grey(kind):
    image = compressed_to_bgr(compressed(GREY, kind, 'mono8; compressed'))
    assert image.shape == (24, 32, 3)
    assert abs(image.astype(int) - 77).max() <= 1


def test_bayer():
    raw = np.zeros((24, 32), np.uint8)
    raw[::2, ::2] = 200  # the r of rggb
    image = compressed_to_bgr(compressed(raw, '.png', 'bayer_rggb8; png compressed '))
    assert image[12, 16].tolist() == [0, 0, 200]


def test_mono16_is_scaled():
    message = compressed(GREY.astype(np.uint16) * 257, '.png', 'mono16; png compressed ')
    np.testing.assert_array_equal(compressed_to_bgr(message), np.dstack((GREY, GREY, GREY)))


@pytest.mark.parametrize('name', ['16UC1; png compressed ', 'png'])
def test_refuses_16_bit_depth(name):
    with pytest.raises(ValueError, match='uint16, as depth images do; expected 8 bits'):
        compressed_to_bgr(compressed(GREY.astype(np.uint16), '.png', name))


def test_refuses_compressed_depth():
    with pytest.raises(ValueError, match='is that of a depth image'):
        compressed_to_bgr(CompressedImage(format='16UC1; compressedDepth png', data=b'abc'))


@pytest.mark.parametrize('kind', ['.png', '.jpg'])
def test_refuses_a_file_that_is_cut_off(kind):
    message = compressed(np.random.default_rng(0).integers(0, 255, (99, 99, 3)), kind, 'x')
    message.data = message.data[: len(message.data) // 2]
    with pytest.raises(ValueError, match=rf'cut off after {len(message.data)} bytes'):
        compressed_to_bgr(message)


def test_refuses_a_size_beyond_all_reason():
    message = compressed(GREY, '.jpg', 'jpeg')
    data = bytearray(message.data)
    at = data.index(b'\xff\xc0')  # start of frame: length, precision, height, width
    data[at + 5 : at + 9] = b'\xff\xdc\xff\xdc'
    message.data = bytes(data)
    with pytest.raises(ValueError, match="format 'jpeg'"):
        compressed_to_bgr(message)


@pytest.mark.parametrize('padding', [bytes(100), bytes(100_000), b'\xff' * 8192])
@pytest.mark.parametrize('kind', ['.png', '.jpg'])
def test_accepts_padding(kind, padding):
    message = compressed(IMAGE, kind, kind[1:])
    message.data = bytes(message.data) + padding
    assert compressed_to_bgr(message).shape == IMAGE.shape


def test_the_end_of_a_preview_inside_a_jpeg_is_not_the_end_of_the_image():
    noise = np.random.default_rng(0).integers(0, 255, (99, 99, 3))
    data = bytes(compressed(noise, '.jpg', '').data)
    preview = bytes(compressed(GREY, '.jpg', '').data)
    segment = b'\xff\xe1' + (len(preview) + 2).to_bytes(2, 'big') + preview
    with_preview = data[:2] + segment + data[2:]
    whole = compressed_to_bgr(CompressedImage(format='jpeg', data=with_preview))
    assert whole.shape == (99, 99, 3)
    cut = with_preview[: len(with_preview) - 1000] + bytes(500)
    with pytest.raises(ValueError, match=f'cut off after {len(cut)} bytes'):
        compressed_to_bgr(CompressedImage(format='jpeg', data=cut))


def damaged_jpegs():
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    whole = cv2.imencode('.jpg', cv2.GaussianBlur(noise, (0, 0), 2.0))[1].tobytes()
    middle = len(whole) // 2
    return {
        'a hole': whole[:middle] + whole[middle + 2000 :],
        'nothing behind the middle': whole[:middle] + b'\xff\xd9',
        'zeros': whole[:middle] + bytes(2000) + whole[middle + 2000 :],
    }


@pytest.mark.parametrize('name', damaged_jpegs())
def test_refuses_a_jpeg_in_whose_middle_data_are_missing(name):
    data = damaged_jpegs()[name]
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None
    with pytest.raises(ValueError, match="format 'jpeg': Corrupt JPEG data"):
        compressed_to_bgr(CompressedImage(format='jpeg', data=data))


@pytest.mark.parametrize('stray', [b'\x12\x34\x56', bytes(300)])
def test_takes_a_jpeg_with_stray_bytes_before_its_end(stray):
    data = compressed(IMAGE, '.jpg', '').data.tobytes()
    message = CompressedImage(format='jpeg', data=data[:-2] + stray + data[-2:])
    np.testing.assert_array_equal(
        compressed_to_bgr(message), compressed_to_bgr(compressed(IMAGE, '.jpg', 'jpeg'))
    )


def test_without_a_strict_decoder_jpegs_are_read_all_the_same(monkeypatch):
    strict = compressed_to_bgr(compressed(IMAGE, '.jpg', 'jpeg'))
    monkeypatch.setattr('smoke_ros.jpeg.simplejpeg', None)
    lenient = compressed_to_bgr(compressed(IMAGE, '.jpg', 'jpeg'))
    np.testing.assert_array_equal(strict, lenient)


@pytest.mark.parametrize(('data', 'words'), [(b'', 'has no data'), (b'abc', '3 bytes .* not an')])
def test_refuses_what_is_no_image(data, words):
    with pytest.raises(ValueError, match=words):
        compressed_to_bgr(CompressedImage(format='jpeg', data=data))


def test_refuses_a_jpeg_whose_header_says_too_large_a_size():
    data = bytearray(compressed(IMAGE, '.jpg', '').data.tobytes())
    at = data.index(b'\xff\xc0') + 5  # height and width follow, 16 bits each
    data[at : at + 4] = b'\xff\xdc\xff\xdc'
    with pytest.raises(ValueError, match='65500x65500 pixels: damaged'):
        compressed_to_bgr(CompressedImage(format='jpeg', data=bytes(data)))
