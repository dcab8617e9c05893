"""The bag that a replay writes: what was found, with the stamps of the images it was found in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from sensor_msgs.msg import Image
from std_msgs.msg import Header
from tqdm import tqdm
from vision_msgs.msg import Detection3DArray
from visualization_msgs.msg import MarkerArray

from smoke_ros.config.error_model import ErrorModel
from smoke_ros.config.node import NodeConfig
from smoke_ros.drawing import annotate
from smoke_ros.replay.records import PROCESSED, FrameRecord
from smoke_ros.replay.rerun_log import RerunLog
from smoke_ros.ros.bag_frames import BagFrame, BagFrames, DecodedFrame, FrameDecoder
from smoke_ros.ros.bags import BagWriter
from smoke_ros.ros.camera_topics import CameraTopics
from smoke_ros.ros.covariance import pose_covariance
from smoke_ros.ros.ground_truth import objects_to_message
from smoke_ros.ros.images import bgr_to_image
from smoke_ros.ros.markers import detections_to_markers, objects_to_markers
from smoke_ros.ros.messages import detections_to_message
from smoke_ros.ros.node_interface import NODE
from smoke_ros.ros.qos import RELIABLE, SENSOR_DATA
from smoke_ros.ros.replay.request import ReplayRequest
from smoke_ros.ros.stamps import stamp_message
from smoke_ros.ros.tolerant_bag import TolerantBag
from smoke_ros.structures import CameraModel, Detection3D, FloatArray

#: Beside the bag.
RERUN_FILE = 'replay.rrd'


def output_prefixes(cameras: Sequence[CameraTopics]) -> dict[str, str]:
    """Return image topic -> what its output topics begin with.

    One camera's are named as the node names them; of several, the camera's name is added.
    """
    if len(cameras) == 1:
        return {cameras[0].image: NODE}
    folders = {camera.namespace for camera in cameras}
    if len(folders) == len(cameras):
        return {camera.image: NODE + camera.namespace for camera in cameras}
    return {camera.image: NODE + camera.image for camera in cameras}


def write_output_bag(
    path: Path,
    bag: TolerantBag,
    cameras: Sequence[CameraTopics],
    records: Iterable[FrameRecord],
    request: ReplayRequest,
    heatmap_pixel_px: Callable[[CameraModel], float],
) -> None:
    """Write the output bag from the recorded frames, in one more pass through the input.

    The pass reads frame_id and time of recording, which the records do not have; images are
    decoded only where annotated ones are asked for.

    Parameters
    ----------
    path
        Of the output bag; it replaces one that is there.
    bag, cameras
        The input.
    records
        Of its frames, in their order.
    request
        What was replayed.
    heatmap_pixel_px
        Of a camera, what the covariances depend on: see :func:`pose_covariance`.
    """
    prefixes = output_prefixes(cameras)
    decoder = FrameDecoder(request.rectification, request.calibration)
    shown = dict.fromkeys(prefixes, 0)
    frames = BagFrames(bag, cameras, request.selection)
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(BagWriter(path, request.storage, overwrite=True))
        rerun = None
        if request.rerun:
            rerun = stack.enter_context(RerunLog(path.with_name(RERUN_FILE), list(prefixes)))
        _announce(out, prefixes, annotated=request.annotated)
        pairs = zip(records, frames, strict=False)
        for record, frame in tqdm(pairs, unit='frame', desc='writing the bag', disable=None):
            assert (record.topic, record.index) == (frame.topics.image, frame.index)
            if record.status == PROCESSED:
                _write_frame(out, prefixes[record.topic], record, frame, shown, heatmap_pixel_px)
                if request.annotated or rerun:
                    decoded = decoder.decode(frame)
                if request.annotated:
                    _write_annotated(out, prefixes[record.topic], record, frame, decoded)
                if rerun:
                    rerun.log(record, decoded.image_bgr)


def _announce(out: BagWriter, prefixes: Mapping[str, str], *, annotated: bool) -> None:
    for prefix in prefixes.values():
        out.add_topic(f'{prefix}/detections', Detection3DArray, RELIABLE)
        out.add_topic(f'{prefix}/markers', MarkerArray, RELIABLE)
        out.add_topic(f'{prefix}/ground_truth', Detection3DArray, RELIABLE)
        out.add_topic(f'{prefix}/ground_truth_markers', MarkerArray, RELIABLE)
        if annotated:
            out.add_topic(f'{prefix}/debug_image', Image, SENSOR_DATA)


def _write_frame(
    out: BagWriter,
    prefix: str,
    record: FrameRecord,
    frame: BagFrame,
    shown: dict[str, int],
    heatmap_pixel_px: Callable[[CameraModel], float],
) -> None:
    header = Header(stamp=stamp_message(frame.stamp_ns), frame_id=frame.frame_id)
    camera = record.camera()
    assert camera is not None

    pixel, errors = heatmap_pixel_px(camera), ErrorModel()

    def covariance(detection: Detection3D) -> FloatArray:
        return pose_covariance(detection, camera, pixel, errors)

    detections = record.detections
    message = detections_to_message(detections, header, covariance)
    out.write(f'{prefix}/detections', message, frame.received_ns)
    lifetime = NodeConfig().marker_lifetime
    markers = detections_to_markers(detections, header, shown[record.topic], lifetime)
    shown[record.topic] = len(detections)
    out.write(f'{prefix}/markers', markers, frame.received_ns)
    if record.ground_truth is not None:
        truth = objects_to_message(record.ground_truth, header)
        out.write(f'{prefix}/ground_truth', truth, frame.received_ns)
        edges = objects_to_markers(record.ground_truth, header, lifetime)
        out.write(f'{prefix}/ground_truth_markers', edges, frame.received_ns)


def _write_annotated(
    out: BagWriter, prefix: str, record: FrameRecord, frame: BagFrame, decoded: DecodedFrame
) -> None:
    picture = annotate(
        decoded.image_bgr, record.detections, decoded.camera,
        ground_truth=record.ground_truth or (),
    )  # fmt: skip
    out.write(f'{prefix}/debug_image', bgr_to_image(picture, decoded.header), frame.received_ns)
