"""JPEG files to pixels, and none of what a decoder makes up for data that are not there.

A camera's packets get lost, and a file keeps its end: libjpeg then shifts or fills what follows,
says so on the terminal, and OpenCV and Pillow hand the picture on as if it were whole.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

try:
    import simplejpeg
except ImportError:  # of no ROS release; whoever has only OpenCV sees damaged pictures, too
    simplejpeg = None

#: As OpenCV's limit: for more, memory would be asked for by the gigabyte.
MOST_PIXELS = 1 << 30

BEGINNING = b'\xff\xd8\xff'
_END = b'\xff\xd9'

#: Cameras put a few bytes too many before the end, or any number of zeros.
_MOST_STRAY_BYTES = 16
_STRAY = re.compile(r'(\d+) extraneous bytes before marker 0xd9')


def is_jpeg(data: bytes) -> bool:
    """Return whether a file begins as a JPEG does."""
    return data.startswith(BEGINNING)


def decode_jpeg(data: bytes) -> npt.NDArray[Any] | None:
    """Decode a file as it is stored, whatever EXIF says of how to turn it.

    Returns
    -------
    (H, W, 3) uint8 BGR, or (H, W) grey; None for a file of a kind that is rare, such as CMYK, and
    where simplejpeg is not installed: another decoder may read it then.

    Raises
    ------
    ValueError
        If data are missing or damaged, as far as that can be told.
    """
    if simplejpeg is None:
        return None
    height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    if height * width > MOST_PIXELS:
        raise ValueError(f'its header says {width}x{height} pixels: damaged')
    if colours not in ('YCbCr', 'Gray', 'RGB'):
        return None
    order = 'GRAY' if colours == 'Gray' else 'BGR'
    try:
        pixels = simplejpeg.decode_jpeg(data, order)
    except ValueError as error:
        if not _is_padded(data, str(error)):
            raise
        pixels = simplejpeg.decode_jpeg(data, order, strict=False)
    return np.asarray(pixels[..., 0] if order == 'GRAY' else pixels)


def _is_padded(data: bytes, warning: str) -> bool:
    """Return whether all that libjpeg complains of are bytes that are of no consequence."""
    found = _STRAY.search(warning)
    if found is None:
        return False
    count, end = int(found[1]), data.rfind(_END)
    return count <= _MOST_STRAY_BYTES or not any(data[end - count : end])
