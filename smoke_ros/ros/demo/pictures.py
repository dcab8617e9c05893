"""The drive with what the node said of it drawn in: a video, and a strip of a few frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from smoke_ros.data.layout import write_image
from smoke_ros.drawing import annotate, draw_caption
from smoke_ros.drawing.canvas import Image
from smoke_ros.files import replacing
from smoke_ros.ros.bag_frames import BagFrames, DecodedFrame, FrameDecoder, Selection
from smoke_ros.ros.demo.frames import Drive
from smoke_ros.ros.tolerant_bag import TolerantBag
from smoke_ros.structures import Detection3D

#: MPEG-4, which OpenCV's wheels can write and every player knows.
CODEC = 'mp4v'
STRIP_FRAMES = 4

#: What the node answered, by the stamp of the image in nanoseconds.
Answers = Mapping[int, Sequence[Detection3D]]


def draw_pictures(
    drive: Drive, answers: Answers, video: Path, strip: Path, *, random: bool
) -> None:
    """Draw every frame of a drive into a video, and a few into a picture.

    Parameters
    ----------
    drive
        The bag that was played.
    answers
        Detections by stamp; a frame that is not in it was dropped.
    video, strip
        The files to write, .mp4 and .png.
    random
        Whether the weights are: then nothing is drawn that could be taken for a detection.
    """
    stamps = [frame_stamp for frame_stamp, _ in _frames(drive, decode=False)]
    answered = [] if random else [stamp for stamp in stamps if stamp in answers]
    chosen = _choose(answered or stamps)
    period_s = (stamps[-1] - stamps[0]) * 1e-9 / max(1, len(stamps) - 1)
    rows = []
    with replacing(video) as temporary:
        writer: cv2.VideoWriter | None = None
        frames = _frames(drive, decode=True)
        for stamp, frame in tqdm(frames, total=len(stamps), desc='drawing', disable=None):
            assert frame is not None
            found = answers.get(stamp)
            picture = annotate(frame.image_bgr, [] if random else found or [], frame.camera)
            draw_caption(picture, _caption((stamp - stamps[0]) * 1e-9, found, random))
            if writer is None:
                writer = _open_video(temporary, picture, 1.0 / period_s if period_s else 10.0)
            writer.write(picture)
            if stamp in chosen:
                rows.append(picture)
        if writer is not None:
            writer.release()
    write_image(strip, np.concatenate(rows))


def _frames(drive: Drive, *, decode: bool) -> Iterator[tuple[int, DecodedFrame | None]]:
    """Yield the stamp of each image, and the image where that is wanted."""
    decoder = FrameDecoder('auto', None)
    with TolerantBag(drive.bag) as bag:
        for frame in BagFrames(bag, [drive.camera], Selection()):
            yield frame.stamp_ns, decoder.decode(frame) if decode else None


def _choose(stamps: Sequence[int]) -> set[int]:
    """Choose a few, evenly spread, the first and the last among them."""
    places = np.linspace(0, len(stamps) - 1, min(STRIP_FRAMES, len(stamps)))
    return {stamps[round(place)] for place in places}


def _caption(time_s: float, found: Sequence[Detection3D] | None, random: bool) -> str:
    if random:
        said = 'random weights: nothing can be detected'
    elif found is None:
        said = 'dropped for a newer frame'
    else:
        said = '1 object' if len(found) == 1 else f'{len(found)} objects'
    return f'{time_s:.1f} s  {said}'


def _open_video(path: Path, picture: Image, rate_hz: float) -> cv2.VideoWriter:
    height, width = picture.shape[:2]
    codec = cv2.VideoWriter.fourcc(*CODEC)
    writer = cv2.VideoWriter(str(path), codec, rate_hz, (width, height))
    if not writer.isOpened():
        raise OSError(f'OpenCV cannot write {CODEC} video here: {path}')
    return writer
