"""Image messages to OpenCV images and back.

cv_bridge converts 8-bit colours and greys. Around it is what a node in the field needs beside:
``step`` is honoured (cv_bridge's Python releases take padded rows for pixels), Bayer, YUV and
16-bit images are converted on every ROS distribution, and a message that does not add up is
refused with what was expected and what came, before a byte of it is read.
"""

from __future__ import annotations

import array
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from cv_bridge import CvBridge
from sensor_msgs.msg import Image
from std_msgs.msg import Header

#: (H, W, 3) uint8 in BGR; OpenCV's type hints do not follow what its functions do to dtypes.
BgrImage: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class PackedEncoding:
    """An encoding whose pixels lie one after the other."""

    dtype: str
    channels: int
    #: OpenCV's conversion to BGR; None where it is BGR.
    to_bgr: int | None


_BRIDGE = CvBridge()

#: Encodings that cv_bridge converts, and their channels.
BRIDGED = {'rgb8': 3, 'bgra8': 4, 'rgba8': 4, 'mono8': 1}


def _packed_encodings() -> dict[str, PackedEncoding]:
    encodings = {
        # OpenCV names Bayer patterns by their second row and column, ROS by their first.
        'bayer_rggb': (1, cv2.COLOR_BayerBG2BGR),
        'bayer_bggr': (1, cv2.COLOR_BayerRG2BGR),
        'bayer_gbrg': (1, cv2.COLOR_BayerGR2BGR),
        'bayer_grbg': (1, cv2.COLOR_BayerGB2BGR),
        'mono': (1, cv2.COLOR_GRAY2BGR),
        'bgr': (3, None),
        'rgb': (3, cv2.COLOR_RGB2BGR),
        'bgra': (4, cv2.COLOR_BGRA2BGR),
        'rgba': (4, cv2.COLOR_RGBA2BGR),
    }
    table = {
        f'{name}{bits}': PackedEncoding(f'u{bits // 8}', channels, to_bgr)
        for name, (channels, to_bgr) in encodings.items()
        for bits in (8, 16)
        if f'{name}{bits}' not in BRIDGED
    }
    # Encodings that name a type alone are taken as OpenCV orders colours.
    for name, dtype in (('8U', 'u1'), ('16U', 'u2'), ('32F', 'f4'), ('64F', 'f8')):
        table[f'{name}C1'] = PackedEncoding(dtype, 1, cv2.COLOR_GRAY2BGR)
        table[f'{name}C3'] = PackedEncoding(dtype, 3, None)
        table[f'{name}C4'] = PackedEncoding(dtype, 4, cv2.COLOR_BGRA2BGR)
    # 16UC1 is how depth cameras announce millimetres; a grey image is a mono16.
    del table['16UC1']
    for name in ('uyvy', 'yuv422'):
        table[name] = PackedEncoding('u1', 2, cv2.COLOR_YUV2BGR_UYVY)
    for name in ('yuyv', 'yuv422_yuy2'):
        table[name] = PackedEncoding('u1', 2, cv2.COLOR_YUV2BGR_YUY2)
    return table


#: Encodings whose pixels lie one after the other and that are converted here.
PACKED = _packed_encodings()

#: Encodings with a plane of brightness and one of colour -> rows of `step` bytes in both together,
#: for every row of the image.
_PLANAR = {'nv21': 1.5, 'nv24': 3.0}

#: Names of all encodings that are understood.
ENCODINGS = (*BRIDGED, *PACKED, *_PLANAR)

#: BT.601 with video levels, as OpenCV converts the other YUV formats: B, G, R from (Y, U, V, 1).
_BGR_FROM_YUV = np.array(
    [[1.164, 2.018, 0.0], [1.164, -0.391, -0.813], [1.164, 0.0, 1.596]], np.float32
)
_BGR_FROM_YUV_1 = np.column_stack((_BGR_FROM_YUV, _BGR_FROM_YUV @ (-16.0, -128.0, -128.0)))


def image_to_bgr(message: Image) -> BgrImage:
    """Convert an image message.

    16-bit images are scaled to 8 bits over their whole range, floating-point ones from [0, 1].

    Parameters
    ----------
    message
        In any of :data:`ENCODINGS`.

    Returns
    -------
    (H, W, 3) uint8 in BGR. It shares memory with the message where that is bgr8.

    Raises
    ------
    ValueError
        If the encoding is none of these, or size, step and data do not fit each other.
    """
    if message.width < 1 or message.height < 1:
        raise ValueError(f'the image is empty ({message.width}x{message.height} pixels)')
    if message.encoding in BRIDGED:
        return _bridged_to_bgr(message, message.width * BRIDGED[message.encoding])
    if message.encoding in PACKED:
        return _packed_to_bgr(message, PACKED[message.encoding])
    if message.encoding in _PLANAR:
        return _planar_to_bgr(message)
    if message.encoding == '16UC1':
        raise ValueError(
            "encoding '16UC1' is what depth images have: a grey image is to be sent as 'mono16'"
        )
    raise ValueError(
        f'unknown encoding {message.encoding!r}; understood are {", ".join(ENCODINGS)}'
    )


def _bridged_to_bgr(message: Image, row_bytes: int) -> BgrImage:
    _check_layout(message, row_bytes, message.height)
    # Not big-endian: bytes have no order, and cv_bridge's swapping of it fails with NumPy 2.
    packed = Image(
        height=message.height, width=message.width, encoding=message.encoding, step=row_bytes
    )
    packed.data = message.data
    if message.step != row_bytes:
        rows: npt.NDArray[np.uint8] = np.ndarray(
            (message.height, row_bytes), np.uint8, buffer=message.data, strides=(message.step, 1)
        )
        packed.data = array.array('B', rows.tobytes())
    return np.asarray(_BRIDGE.imgmsg_to_cv2(packed, 'bgr8'))


def _packed_to_bgr(message: Image, encoding: PackedEncoding) -> BgrImage:
    order = '>' if message.is_bigendian else '<'
    dtype = np.dtype(order + encoding.dtype)
    _check_layout(message, message.width * encoding.channels * dtype.itemsize, message.height)
    if encoding.channels == 2 and message.width % 2:
        raise ValueError(f'{message.encoding} needs an even width, got {message.width}')
    shape: tuple[int, ...] = (message.height, message.width)
    strides: tuple[int, ...] = (message.step, encoding.channels * dtype.itemsize)
    if encoding.channels > 1:
        shape, strides = (*shape, encoding.channels), (*strides, dtype.itemsize)
    pixels: BgrImage = np.ndarray(shape, dtype, buffer=message.data, strides=strides)
    pixels = _to_8_bits(pixels, message.encoding)
    if encoding.to_bgr is None:
        return np.ascontiguousarray(pixels)
    return cv2.cvtColor(pixels, encoding.to_bgr)


def _to_8_bits(pixels: np.ndarray, encoding: str) -> BgrImage:
    """Scale 16-bit and floating-point images to 8 bits."""
    if pixels.dtype.itemsize == 1:
        return pixels
    pixels = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder('='))
    if pixels.dtype == np.uint16:
        return scale_to_8_bits(pixels)
    low, high = pixels.min(), pixels.max()
    if not (low >= 0.0 and high <= 1.0):  # also refuses NaN
        raise ValueError(
            f'an image in {encoding} must have values from 0 to 1, got {low:g} to {high:g}: '
            'is it a depth image?'
        )
    return cv2.convertScaleAbs(pixels, alpha=255.0)


def scale_to_8_bits(pixels: np.ndarray) -> BgrImage:
    """Scale 16-bit values to 8 bits, over their whole range."""
    return cv2.convertScaleAbs(pixels, alpha=255.0 / 65535.0)


def _planar_to_bgr(message: Image) -> BgrImage:
    height, width, step = message.height, message.width, message.step
    if message.encoding == 'nv21' and (width % 2 or height % 2):
        raise ValueError(f'nv21 needs an even width and height, got {width}x{height}')
    rows = round(_PLANAR[message.encoding] * height)
    _check_layout(message, width, rows, may_lack_padding=False)
    planes = np.frombuffer(message.data, np.uint8).reshape(rows, step)
    if message.encoding == 'nv21':
        return cv2.cvtColor(np.ascontiguousarray(planes[:, :width]), cv2.COLOR_YUV2BGR_NV21)
    # A row of colour, U and V for every pixel, takes two steps.
    colour = planes[height:].reshape(height, 2 * step)[:, : 2 * width].reshape(height, width, 2)
    yuv = np.dstack((planes[:height, :width], colour))
    return cv2.transform(yuv, _BGR_FROM_YUV_1)


def _check_layout(
    message: Image, row_bytes: int, rows: int, *, may_lack_padding: bool = True
) -> None:
    """Check that the data holds ``rows`` of ``row_bytes`` each, ``step`` apart."""
    if message.step < row_bytes:
        raise ValueError(
            f'step must be at least {row_bytes} for {message.width} pixels of '
            f'{message.encoding}, got {message.step}'
        )
    expected = rows * message.step
    # Some drivers leave out the padding after the last row.
    spared = message.step - row_bytes if may_lack_padding else 0
    if len(message.data) not in (expected, expected - spared):
        raise ValueError(
            f'data of {message.width}x{message.height} pixels of {message.encoding} in rows of '
            f'{message.step} bytes must be {expected} bytes, got {len(message.data)}'
        )


def bgr_to_image(image_bgr: BgrImage, header: Header) -> Image:
    """Make a bgr8 image message of an (H, W, 3) uint8 image."""
    height, width, _ = image_bgr.shape
    message = Image(
        header=header, height=height, width=width, encoding='bgr8', is_bigendian=0, step=3 * width
    )
    # An array of bytes is taken as it is; rclpy would check a bytes object value by value.
    message.data = array.array('B', image_bgr.tobytes())
    return message
