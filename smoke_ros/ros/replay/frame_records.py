"""From a frame of a bag to its record and its result file, for offline and live replays alike."""

from __future__ import annotations

from smoke_ros.data.kitti import detection_to_object, write_objects
from smoke_ros.replay.records import FAILED, PROCESSED, FrameRecord, read_frames
from smoke_ros.ros.bag_frames import BagFrame, DecodedFrame, Selection
from smoke_ros.ros.replay.labels import LabelFolder
from smoke_ros.ros.replay.request import ReplayRequest
from smoke_ros.ros.replay.run_folder import frames_path, results_folder
from smoke_ros.ros.tolerant_bag import TolerantBag


def begin_record(
    frame: BagFrame, decoded: DecodedFrame, request: ReplayRequest, labels: LabelFolder | None
) -> FrameRecord:
    """Return the record of a frame that can be used, without what is found in it.

    Its ground truth is that of the label files where there are any, else that of the bag.

    Raises
    ------
    KittiFormatError
        If its label file is damaged.
    """
    truth = decoded.truth
    if labels is not None:
        topic = frame.topics.image
        truth = labels.read(topic, frame.index, frame.stamp_ns, decoded.label_offset)
    return FrameRecord.of_camera(
        decoded.camera,
        bag=str(request.bag),
        topic=frame.topics.image,
        index=frame.index,
        stamp_ns=frame.stamp_ns,
        status=PROCESSED,
        ground_truth=None if truth is None else tuple(truth),
    )


def check_labels(bag: TolerantBag, request: ReplayRequest, labels: LabelFolder | None) -> None:
    """Note it as a problem where no frame of a whole bag has found its label.

    Of a part of a bag, none need be labelled; frames that failed did not look for theirs.
    """
    if labels is None or request.selection != Selection():
        return
    is_tried = False
    for record in read_frames(frames_path(request.out)):
        if record.ground_truth is not None:
            return
        is_tried = is_tried or record.status != FAILED
    if is_tried:
        bag.note(f'{request.labels}: no image has found its label among {labels.describe_match()}')


def failed_record(frame: BagFrame, request: ReplayRequest, reason: str) -> FrameRecord:
    """Return the record of a frame that cannot be used."""
    return FrameRecord(
        bag=str(request.bag),
        topic=frame.topics.image,
        index=frame.index,
        stamp_ns=frame.stamp_ns,
        status=FAILED,
        reason=reason,
    )


def write_results(request: ReplayRequest, record: FrameRecord) -> None:
    """Write the detections of a frame as one of KITTI's result files."""
    folder = results_folder(request.out, record.topic)
    objects = [detection_to_object(detection) for detection in record.detections]
    write_objects(folder / f'{record.index:06d}.txt', objects)
