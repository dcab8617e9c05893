"""Image messages, compressed (JPEG, PNG) or not, to OpenCV images."""

from __future__ import annotations

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from smoke_ros.jpeg import decode_jpeg, is_jpeg
from smoke_ros.ros.images import PACKED, BgrImage, image_to_bgr, scale_to_8_bits

#: An image with a shorter side shows nothing that the network could know.
SMALLEST_IMAGE_PX = 32

#: What a file begins with, what its data begins with, and what follows on that if it is whole.
_JPEG = (b'\xff\xd8', b'\xff\xda', b'\xff\xd9')
_PNG = (b'\x89PNG', b'IDAT', b'IEND')


def message_to_bgr(message: Image | CompressedImage) -> BgrImage:
    """Decode an image for the detector, whichever kind of message it is.

    Returns
    -------
    (H, W, 3) uint8 in BGR.

    Raises
    ------
    ValueError
        If it cannot be decoded, or is too small to show anything.
    """
    image_bgr = image_to_bgr(message) if isinstance(message, Image) else compressed_to_bgr(message)
    height, width = image_bgr.shape[:2]
    if min(height, width) < SMALLEST_IMAGE_PX:
        raise ValueError(
            f'{width}x{height} pixels are too few, expected at least {SMALLEST_IMAGE_PX} a side'
        )
    return image_bgr


def compressed_to_bgr(message: CompressedImage) -> BgrImage:
    """Decode a compressed image message.

    ``format`` is read as image_transport writes it, ``'rgb8; jpeg compressed bgr8'``: the image's
    encoding before it was compressed, the kind of file, and the order of the colours in it.

    Returns
    -------
    (H, W, 3) uint8 in BGR.

    Raises
    ------
    ValueError
        If the data is not a whole JPEG, PNG or other file that OpenCV reads, or if it holds depth
        rather than a picture.
    """
    encoding, _, stored = message.format.partition(';')
    if 'compressedDepth' in message.format:
        raise ValueError(f'format {message.format!r} is that of a depth image, expected a picture')
    file = bytes(message.data)
    _check_whole(file, message.format)
    try:
        pixels = _decode(file)
    except (cv2.error, ValueError) as error:  # such as a size that is beyond all reason
        reason = ' '.join(str(error).split())
        raise ValueError(f'the image of format {message.format!r}: {reason}') from error
    if pixels is None:
        raise ValueError(f'{len(file)} bytes of format {message.format!r} are not an image')
    if pixels.dtype != np.uint8:
        _refuse_depth(pixels, encoding.strip(), message.format)
        pixels = scale_to_8_bits(pixels)
    conversion = _conversion_to_bgr(pixels, encoding.strip(), stored)
    return pixels if conversion is None else cv2.cvtColor(pixels, conversion)


def _decode(file: bytes) -> BgrImage | None:
    pixels = decode_jpeg(file) if is_jpeg(file) else None
    if pixels is not None:
        return pixels
    return cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)


def _check_whole(file: bytes, name: str) -> None:
    """Refuse a file whose end is missing: decoders fill up what is not there with grey.

    Any padding may follow the end. That of a JPEG's preview does not count: data follow on it.
    """
    if not file:
        raise ValueError(f'the image of format {name!r} has no data')
    for start, data_start, end in (_JPEG, _PNG):
        if file.startswith(start) and not _is_ended(file, data_start, end):
            raise ValueError(f'the image of format {name!r} is cut off after {len(file)} bytes')


def _is_ended(file: bytes, data_start: bytes, end: bytes) -> bool:
    at = file.rfind(end)
    return at >= 0 and data_start not in file[at:]


def _refuse_depth(pixels: np.ndarray, encoding: str, name: str) -> None:
    if pixels.dtype != np.uint16 or not encoding.endswith('16'):
        raise ValueError(
            f'format {name!r} holds values of type {pixels.dtype}, as depth images do; expected '
            '8 bits, or 16 bits of an encoding such as mono16'
        )


def _conversion_to_bgr(pixels: BgrImage, encoding: str, stored: str) -> int | None:
    """Return OpenCV's conversion of a decoded file to BGR; None where it is BGR already."""
    if pixels.ndim == 2:
        is_bayer = encoding.startswith('bayer_') and encoding in PACKED
        return PACKED[encoding].to_bgr if is_bayer else cv2.COLOR_GRAY2BGR
    is_rgb = 'compressed rgb' in stored
    if pixels.shape[2] == 4:
        return cv2.COLOR_RGBA2BGR if is_rgb else cv2.COLOR_BGRA2BGR
    return cv2.COLOR_RGB2BGR if is_rgb else None
