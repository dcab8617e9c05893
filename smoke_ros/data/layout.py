"""Where a data set in KITTI's layout keeps what, and which of its frames are asked for.

::

    ROOT/image_2/000001.png     or .jpg, .jpeg
    ROOT/label_2/000001.txt
    ROOT/calib/000001.txt
    ROOT/ImageSets/train.txt    a frame name on each line; may also lie beside ROOT

ROOT may also be the folder above, whose ``training`` holds these.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Picture

from smoke_ros.data.kitti import KittiObject, read_calibration, read_objects
from smoke_ros.errors import KittiFormatError
from smoke_ros.files import list_files, read_text, replacing
from smoke_ros.jpeg import BEGINNING, decode_jpeg, is_jpeg
from smoke_ros.preprocess import Image
from smoke_ros.structures import CameraModel

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg')

#: Kinds of trouble with a frame for which it can be left out.
UNREADABLE = (KittiFormatError, OSError)


class KittiFolder:
    """A folder in KITTI's layout; files are read when they are asked for.

    Attributes
    ----------
    folder
        The one that holds image_2, label_2 and calib.
    """

    def __init__(self, root: Path | str) -> None:
        root = Path(root).expanduser()
        places = [root, root / 'training']
        found = [place for place in places if (place / 'label_2').is_dir()]
        if not found:
            raise FileNotFoundError(
                f"{root}: expected a data set in KITTI's layout, with a folder label_2 or "
                'training/label_2'
            )
        self.folder = found[0]
        images = list_files(self.folder / 'image_2', IMAGE_SUFFIXES)
        self._suffixes = {path.stem: path.suffix for path in images}

    def frames(self, split: str = '') -> list[str]:
        """Return the names of a split's frames, or of all that have a label.

        Parameters
        ----------
        split
            A name in ImageSets, or the path of a file with a frame name on each line.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no such split, it is malformed, or there is no frame at all.
        """
        if split:
            return read_split(self._split_path(split))
        names = [path.stem for path in list_files(self.folder / 'label_2', ('.txt',))]
        if not names:
            raise FileNotFoundError(f'{self.folder / "label_2"}: expected labels FRAME.txt')
        return names

    def _split_path(self, split: str) -> Path:
        folders = [self.folder / 'ImageSets', self.folder.parent / 'ImageSets']
        places = [Path(split).expanduser(), *(folder / f'{split}.txt' for folder in folders)]
        for place in places:
            if place.is_file():
                return place
        raise FileNotFoundError(
            f'no split {split!r}: expected one of the files {", ".join(map(str, places))}'
        )

    def labels(self, frame: str) -> list[KittiObject]:
        """Read a frame's labelled objects."""
        return read_objects(self.folder / 'label_2' / f'{frame}.txt')

    def camera(self, frame: str, image_size: tuple[int, int]) -> CameraModel:
        """Read a frame's calibration; width and height are its image's."""
        return read_calibration(self.folder / 'calib' / f'{frame}.txt', *image_size)

    def image(self, frame: str) -> Image:
        """Read a frame's image, BGR.

        Raises
        ------
        FileNotFoundError, KittiFormatError
            If there is none, or it is damaged.
        """
        return read_image(self._image_path(frame))

    def image_size(self, frame: str) -> tuple[int, int]:
        """Read an image's width and height from its header."""
        with Picture.open(self._image_path(frame)) as picture:
            return picture.size

    def _image_path(self, frame: str) -> Path:
        if frame not in self._suffixes:
            raise FileNotFoundError(
                f'{self.folder / "image_2" / frame}: no image ({", ".join(IMAGE_SUFFIXES)})'
            )
        return self.folder / 'image_2' / (frame + self._suffixes[frame])


def read_image(path: Path) -> Image:
    """Read an 8-bit image, (height, width, 3) BGR; see :meth:`KittiFolder.image`."""
    # As it is stored, whatever EXIF says of how to turn it: the calibration is for these pixels.
    with path.open('rb') as file:
        beginning = file.read(len(BEGINNING))
        whole = beginning + file.read() if is_jpeg(beginning) else None
    if whole is None:
        # Twice as fast as Pillow.
        image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if image is None:
            raise KittiFormatError(f'{path}: expected an image, it is damaged or of another kind')
        return image  # type: ignore[return-value]
    try:
        pixels = decode_jpeg(whole)
        if pixels is not None:
            return pixels if pixels.ndim == 3 else cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)  # type: ignore[return-value]
        # OpenCV gives half a JPEG file as an image with a grey half.
        with Picture.open(path) as picture:
            return cv2.cvtColor(np.asarray(picture.convert('RGB')), cv2.COLOR_RGB2BGR)  # type: ignore[return-value]
    except (OSError, ValueError) as error:
        raise KittiFormatError(f'{path}: expected an image: {error}') from error


def write_image(path: Path, image: np.ndarray, parameters: Sequence[int] = ()) -> None:
    """Write an image atomically, in the format of its suffix.

    Parameters
    ----------
    path
        Where to write it; its folder is made.
    image
        What OpenCV writes in that format, such as (height, width, 3) uint8, BGR.
    parameters
        As for cv2.imwrite.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with replacing(path) as temporary:
        if not cv2.imwrite(str(temporary), image, parameters):
            raise OSError(f'{path}: OpenCV could not write it')


def read_split(path: Path) -> list[str]:
    """Read the frame names of an ImageSets file, one on each line.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it names no frame, or one twice, or a line is not a name.
    """
    names: dict[str, int] = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) > 1:
            raise ValueError(f'{path}:{number}: expected one frame name, got {line.strip()!r}')
        if words[0] in names:
            raise ValueError(
                f'{path}:{number}: frame {words[0]} was named before, in line {names[words[0]]}'
            )
        names[words[0]] = number
    if not names:
        raise ValueError(f'{path}: expected a frame name on each line, got an empty file')
    return list(names)
