"""A Rerun recording of a replay: images, boxes in space, and the view from above.

rerun-sdk is optional: everything else of a replay goes without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from smoke_ros.colours import class_colour
from smoke_ros.config.drawing import DrawingConfig
from smoke_ros.drawing import draw_birds_eye
from smoke_ros.drawing.canvas import ClassifiedBox, Image
from smoke_ros.overlap import box_rows
from smoke_ros.replay.records import FrameRecord
from smoke_ros.structures import Box3D

APPLICATION = 'smoke_ros'
JPEG_QUALITY = 85
BIRDS_EYE_SIZE = (480, 600)
#: Where the image stands in space: in front of all objects, large enough to be seen.
IMAGE_PLANE_M = 4.0
#: From behind and above the camera, optical frame.
EYE_M, EYE_TARGET_M = (0.0, -8.0, -14.0), (0.0, 1.0, 16.0)
WHITE = (1.0, 1.0, 1.0)

#: Below each topic's name: the image, whose pinhole projects the boxes beside it; the view from
#: above as a picture.
IMAGE, DETECTIONS, TRUTH, ABOVE = 'image', 'detections', 'ground_truth', 'birds_eye'


class RerunLog:
    """Writes one ``.rrd`` file, frame by frame.

    Parameters
    ----------
    path
        Of the recording; an older one is replaced.
    topics
        Image topics that the viewer lays out.

    Raises
    ------
    ValueError
        If rerun-sdk is not installed.
    """

    def __init__(self, path: Path, topics: Sequence[str]) -> None:
        try:
            import rerun
            import rerun.blueprint
        except ImportError as error:
            raise ValueError(
                'a Rerun recording needs the Python package rerun-sdk, which is optional: '
                'pip install rerun-sdk'
            ) from error
        path.parent.mkdir(parents=True, exist_ok=True)
        self._rerun: Any = rerun
        self._stream: Any = rerun.RecordingStream(APPLICATION)
        self._stream.save(str(path), default_blueprint=_layout(rerun.blueprint, topics))
        for topic in topics:
            # Which way is up in space; the viewer would take z for it.
            self._stream.log(_root(topic), rerun.ViewCoordinates.RDF, static=True)

    def log(self, record: FrameRecord, image_bgr: Image) -> None:
        """Add a frame.

        Parameters
        ----------
        record
            The frame with its boxes; one without a camera has an image only.
        image_bgr
            (H, W, 3) uint8. Boxes are projected without the lens's distortion.
        """
        rr, stream, root = self._rerun, self._stream, _root(record.topic)
        stream.set_time('stamp', timestamp=np.datetime64(record.stamp_ns, 'ns'))
        stream.set_time('frame', sequence=record.index)
        jpeg = cv2.imencode('.jpg', image_bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        picture = rr.EncodedImage(contents=jpeg.tobytes(), media_type='image/jpeg')
        stream.log(f'{root}/{IMAGE}', picture)
        camera = record.camera()
        if camera is None:
            return
        pinhole = rr.Pinhole(
            image_from_camera=camera.K, resolution=[camera.width, camera.height],
            camera_xyz=rr.ViewCoordinates.RDF, image_plane_distance=IMAGE_PLANE_M,
        )  # fmt: skip
        stream.log(f'{root}/{IMAGE}', pinhole)
        truth = record.ground_truth or ()
        stream.log(f'{root}/{DETECTIONS}', self._boxes(record.detections, record.detections))
        boxes = [item for item in truth if item.has_dimensions]
        stream.log(f'{root}/{TRUTH}', self._boxes(boxes, None))
        above = draw_birds_eye(
            record.detections, BIRDS_EYE_SIZE, DrawingConfig().range_m, camera, ground_truth=truth
        )
        stream.log(f'{root}/{ABOVE}', rr.Image(above, color_model='BGR'))

    def _boxes(self, boxes: Sequence[Box3D], classified: Sequence[ClassifiedBox] | None) -> Any:
        """Return boxes as Rerun's, coloured and labelled by their classes, else white."""
        rows = box_rows(boxes)
        half = 0.5 * rows[:, 6]
        still = np.zeros(len(rows))
        quaternions = np.column_stack((still, np.sin(half), still, np.cos(half)))
        labels = None
        colours: list[tuple[float, float, float]] = [WHITE] * len(rows)
        if classified is not None:
            labels = [f'{box.class_name} {box.score:.2f}' for box in classified]
            colours = [class_colour(box.class_name) for box in classified]
        return self._rerun.Boxes3D(
            centers=rows[:, :3], half_sizes=0.5 * rows[:, 3:6],
            quaternions=quaternions, colors=np.round(255.0 * np.array(colours)).astype(np.uint8),
            labels=labels,
        )  # fmt: skip

    def close(self) -> None:
        """Write what is left."""
        self._stream.flush()
        self._stream.disconnect()

    def __enter__(self) -> RerunLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _layout(blueprint: Any, topics: Sequence[str]) -> Any:
    """Lay out the image with its boxes, the scene in space, and the view from above, by topic."""
    rows = [
        blueprint.Horizontal(
            blueprint.Vertical(
                blueprint.Spatial2DView(
                    origin=f'{_root(topic)}/{IMAGE}',
                    contents=[f'{_root(topic)}/{name}/**' for name in (IMAGE, DETECTIONS, TRUTH)],
                    name=f'{topic}: image',
                ),
                blueprint.Spatial3DView(
                    origin=_root(topic),
                    contents=[f'{_root(topic)}/{name}/**' for name in (IMAGE, DETECTIONS, TRUTH)],
                    name=f'{topic}: in space',
                    eye_controls=blueprint.EyeControls3D(
                        position=EYE_M, look_target=EYE_TARGET_M, eye_up=(0.0, -1.0, 0.0)
                    ),
                ),
            ),
            blueprint.Spatial2DView(origin=f'{_root(topic)}/{ABOVE}', name=f'{topic}: from above'),
            column_shares=[2, 1],
        )
        for topic in topics
    ]
    return blueprint.Blueprint(rows[0] if len(rows) == 1 else blueprint.Tabs(*rows))


def _root(topic: str) -> str:
    return topic.strip('/') or 'camera'
