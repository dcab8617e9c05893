import numpy as np
import pytest

pytest.importorskip('sensor_msgs')

import cv2
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from smoke_ros.ros.images import ENCODINGS, PACKED, bgr_to_image, image_to_bgr

#: One colour per corner, well apart: blue, green, red, grey.
QUADRANTS = ((200, 30, 20), (40, 180, 60), (30, 60, 220), (90, 90, 90))


def picture(width=32, height=24):
    image = np.zeros((height, width, 3), np.uint8)
    for index, colour in enumerate(QUADRANTS):
        row, column = divmod(index, 2)
        image[row * height // 2 :, column * width // 2 :] = colour
    return image


def message_of(pixels, encoding, padding=0, **fields):
    """Make an image message of rows with `padding` bytes after each."""
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    rows = pixels.view(np.uint8).reshape(height, -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=255)
    message = Image(width=width, height=height, encoding=encoding, step=padded.shape[1])
    message.data = padded.tobytes()
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def assert_centres(image, expected, tolerance):
    """Compare the middles of the quadrants, where no neighbour bleeds in."""
    height, width = expected.shape[:2]
    for row in (height // 4, 3 * height // 4):
        for column in (width // 4, 3 * width // 4):
            found = image[row, column].astype(int)
            assert abs(found - expected[row, column]).max() <= tolerance, (row, column, found)


def mosaic(image, pattern):
    """Lay a picture out as a Bayer sensor sees it; `pattern` names rows 0 and 1."""
    channel = {'b': 0, 'g': 1, 'r': 2}
    raw = np.empty(image.shape[:2], np.uint8)
    for index, letter in enumerate(pattern):
        row, column = divmod(index, 2)
        raw[row::2, column::2] = image[row::2, column::2, channel[letter]]
    return raw


def sixteen(pixels):
    return pixels.astype(np.uint16) * 257


def yuv_of(image):
    """BT.601 with video levels, (H, W, 3): the definition, not OpenCV's."""
    b, g, r = (image[..., i].astype(float) for i in range(3))
    y = 16 + 0.257 * r + 0.504 * g + 0.098 * b
    u = 128 - 0.148 * r - 0.291 * g + 0.439 * b
    v = 128 + 0.439 * r - 0.368 * g - 0.071 * b
    return np.stack((y, u, v), -1).round().astype(np.uint8)


IMAGE = picture()
GREY = np.full((24, 32), 77, np.uint8)

LAYOUTS = {
    'bgr8': IMAGE, '8UC3': IMAGE, 'rgb8': IMAGE[..., ::-1],
    'bgra8': np.dstack((IMAGE, GREY)), '8UC4': np.dstack((IMAGE, GREY)),
    'rgba8': np.dstack((IMAGE[..., ::-1], GREY)),
    'bgr16': sixteen(IMAGE), '16UC3': sixteen(IMAGE), 'rgb16': sixteen(IMAGE[..., ::-1]),
    'bgra16': sixteen(np.dstack((IMAGE, GREY))), '16UC4': sixteen(np.dstack((IMAGE, GREY))),
    'rgba16': sixteen(np.dstack((IMAGE[..., ::-1], GREY))),
    '32FC3': IMAGE.astype(np.float32) / 255, '64FC3': IMAGE.astype(np.float64) / 255,
    '32FC4': np.dstack((IMAGE, GREY)).astype(np.float32) / 255,
    '64FC4': np.dstack((IMAGE, GREY)).astype(np.float64) / 255,
}  # fmt: skip
GREYS = {
    'mono8': GREY, '8UC1': GREY, 'mono16': sixteen(GREY),
    '32FC1': GREY.astype(np.float32) / 255, '64FC1': GREY.astype(np.float64) / 255,
}  # fmt: skip
BAYER = [name for name in ENCODINGS if name.startswith('bayer_')]
YUV = ['uyvy', 'yuv422', 'yuyv', 'yuv422_yuy2', 'nv21', 'nv24']


def test_every_encoding_is_tested():
    assert {*LAYOUTS, *GREYS, *BAYER, *YUV} == set(ENCODINGS)


@pytest.mark.parametrize('padding', [0, 8])
@pytest.mark.parametrize('encoding', LAYOUTS)
def test_colour(encoding, padding):
    message = message_of(LAYOUTS[encoding], encoding, padding)
    np.testing.assert_array_equal(image_to_bgr(message), IMAGE)


@pytest.mark.parametrize('padding', [0, 8])
@pytest.mark.parametrize('encoding', GREYS)
def test_grey(encoding, padding):
    image = image_to_bgr(message_of(GREYS[encoding], encoding, padding))
    np.testing.assert_array_equal(image, np.dstack((GREY, GREY, GREY)))


@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize('encoding', BAYER)
def test_bayer(encoding, padding):
    raw = mosaic(IMAGE, encoding[6:10])
    raw = sixteen(raw) if encoding.endswith('16') else raw
    assert_centres(image_to_bgr(message_of(raw, encoding, padding)), IMAGE, 1)


@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize('encoding', ['uyvy', 'yuv422', 'yuyv', 'yuv422_yuy2'])
def test_packed_yuv(encoding, padding):
    yuv = yuv_of(IMAGE)
    chroma = np.where(np.arange(32) % 2, yuv[..., 2], yuv[..., 1])  # u, v, u, v, ...
    luma_first = encoding.startswith('yuy') or encoding.endswith('yuy2')
    pair = (yuv[..., 0], chroma) if luma_first else (chroma, yuv[..., 0])
    assert_centres(image_to_bgr(message_of(np.stack(pair, -1), encoding, padding)), IMAGE, 3)


@pytest.mark.parametrize('padding', [0, 6])
def test_nv21(padding):
    yuv = yuv_of(IMAGE)
    chroma = np.stack((yuv[::2, ::2, 2], yuv[::2, ::2, 1]), -1).reshape(12, 32)  # v first
    message = message_of(np.vstack((yuv[..., 0], chroma)), 'nv21', padding, height=24)
    assert_centres(image_to_bgr(message), IMAGE, 3)


def test_nv24():
    yuv = yuv_of(IMAGE)
    chroma = yuv[..., 1:].reshape(48, 32)  # u first, for every pixel
    message = message_of(np.vstack((yuv[..., 0], chroma)), 'nv24', height=24)
    assert_centres(image_to_bgr(message), IMAGE, 3)


@pytest.mark.parametrize('encoding', ['mono16', 'rgb16', 'bayer_rggb16', '32FC3'])
def test_big_endian(encoding):
    pixels = {**LAYOUTS, **GREYS, 'bayer_rggb16': sixteen(mosaic(IMAGE, 'rggb'))}[encoding]
    expected = image_to_bgr(message_of(pixels, encoding))
    swapped = message_of(pixels.astype(pixels.dtype.newbyteorder('>')), encoding, is_bigendian=1)
    np.testing.assert_array_equal(image_to_bgr(swapped), expected)


@pytest.mark.parametrize('encoding', ['bgr8', 'rgb8', 'bgra8', 'rgba8', 'mono8', 'bayer_rggb8'])
def test_bytes_have_no_order(encoding):
    pixels = {**LAYOUTS, **GREYS, 'bayer_rggb8': mosaic(IMAGE, 'rggb')}[encoding]
    expected = image_to_bgr(message_of(pixels, encoding))
    marked = message_of(pixels, encoding, is_bigendian=1)
    np.testing.assert_array_equal(image_to_bgr(marked), expected)


def test_mono16_is_scaled_over_its_whole_range():
    pixels = np.array([[0, 128, 32768, 65535]], np.uint16)
    assert image_to_bgr(message_of(pixels, 'mono16'))[0, :, 0].tolist() == [0, 0, 128, 255]


def test_padding_after_the_last_row_may_be_missing():
    message = message_of(IMAGE, 'bgr8', padding=8)
    message.data = message.data[:-8]
    np.testing.assert_array_equal(image_to_bgr(message), IMAGE)


def test_bgr8_is_not_copied():
    message = message_of(IMAGE, 'bgr8')
    assert np.shares_memory(image_to_bgr(message), np.frombuffer(message.data, np.uint8))


def test_agrees_with_cv_bridge():
    bridge = pytest.importorskip('cv_bridge').CvBridge()
    for encoding in ('bgr8', 'rgb8', 'bgra8', 'rgba8', 'mono8', 'bayer_rggb8', 'bayer_bggr8'):
        pixels = {**LAYOUTS, **GREYS}.get(encoding)
        pixels = mosaic(IMAGE, encoding[6:10]) if pixels is None else pixels
        message = message_of(pixels, encoding)
        expected = bridge.imgmsg_to_cv2(message, 'bgr8')
        np.testing.assert_array_equal(image_to_bgr(message), expected, err_msg=encoding)


def test_size_of_one_pixel_and_of_8k():
    one = message_of(np.array([[[1, 2, 3]]], np.uint8), 'bgr8')
    assert image_to_bgr(one).tolist() == [[[1, 2, 3]]]
    large = message_of(np.full((4320, 7680), 9, np.uint8), 'mono8')
    assert image_to_bgr(large).shape == (4320, 7680, 3)


@pytest.mark.parametrize(
    ('fields', 'words'),
    [
        ({'encoding': 'bgr9'}, r"unknown encoding 'bgr9'; understood are .*bgr8"),
        ({'encoding': ''}, r"unknown encoding ''"),
        ({'encoding': '16UC1', 'step': 64}, r"'16UC1' is what depth images have.*'mono16'"),
        ({'width': 0}, r'empty \(0x24 pixels\)'),
        ({'height': 0}, r'empty \(32x0 pixels\)'),
        ({'step': 0}, r'step must be at least 96 for 32 pixels of bgr8, got 0'),
        ({'step': 95}, r'step must be at least 96 .* got 95'),
        ({'step': 97}, r'rows of 97 bytes must be 2328 bytes, got 2304'),
        ({'data': b''}, r'must be 2304 bytes, got 0'),
        ({'data': bytes(2303)}, r'must be 2304 bytes, got 2303'),
        ({'data': bytes(2305)}, r'must be 2304 bytes, got 2305'),
        ({'width': 4_000_000_000}, r'step must be at least 12000000000'),
        ({'encoding': 'uyvy', 'width': 31, 'step': 96}, r'uyvy needs an even width, got 31'),
        ({'encoding': 'nv21', 'height': 23}, r'nv21 needs an even width and height, got 32x23'),
        ({'encoding': 'nv21', 'step': 32}, r'must be 1152 bytes, got 2304'),
    ],
)
def test_refuses_what_does_not_add_up(fields, words):
    with pytest.raises(ValueError, match=words):
        image_to_bgr(message_of(IMAGE, **{'encoding': 'bgr8', **fields}))


@pytest.mark.parametrize('value', [-0.1, 1.1, 40.0, np.nan])
def test_refuses_floats_that_are_no_picture(value):
    pixels = np.full((4, 4), 0.5, np.float32)
    pixels[1, 2] = value
    with pytest.raises(ValueError, match=r'values from 0 to 1.*depth image'):
        image_to_bgr(message_of(pixels, '32FC1'))


def test_round_trip():
    header = Header(frame_id='camera')
    message = bgr_to_image(IMAGE, header)
    assert (message.encoding, message.step, message.header) == ('bgr8', 96, header)
    np.testing.assert_array_equal(image_to_bgr(message), IMAGE)


def test_bayer_patterns_follow_ros_names():
    # A blue picture has its values where the pattern's name has its b.
    blue = np.zeros((4, 4, 3), np.uint8)
    blue[..., 0] = 200
    for name in ('bayer_rggb8', 'bayer_bggr8', 'bayer_gbrg8', 'bayer_grbg8'):
        converted = cv2.cvtColor(mosaic(blue, name[6:10]), PACKED[name].to_bgr)
        assert converted[..., 0].mean() > 150 > 50 > converted[..., 2].mean()
