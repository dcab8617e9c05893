"""Offline replay: every frame of a bag through the detector, in order, each exactly once."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import time
from collections import Counter
from collections.abc import Sequence

from tqdm import tqdm

from smoke_ros.data.kitti import detection_to_object, write_objects
from smoke_ros.detector import Detector
from smoke_ros.evaluation.run_info import RunInfo, write_run_info
from smoke_ros.replay.records import (
    FAILED,
    OFFLINE,
    PROCESSED,
    FrameAppender,
    FrameRecord,
    RunRecord,
    read_frames,
    topic_folder,
)
from smoke_ros.replay.thumbnails import Thumbnails
from smoke_ros.ros.bag_frames import BagFrame, BagFrames, DecodedFrame, FrameDecoder
from smoke_ros.ros.camera_topics import CameraTopics, find_cameras
from smoke_ros.ros.replay.labels import LabelFolder
from smoke_ros.ros.replay.output_bag import write_output_bag
from smoke_ros.ros.replay.request import ReplayRequest
from smoke_ros.ros.replay.run_folder import begin, describe_run, finish, frames_path
from smoke_ros.ros.tolerant_bag import TolerantBag

logger = logging.getLogger(__name__)

RESULTS_FOLDER = 'detections'
BAG_FOLDER = 'bag'


def replay_offline(
    request: ReplayRequest, detector: Detector, *, overwrite: bool = False,
    keep_finished: bool = False,
) -> RunRecord:  # fmt: skip
    """Replay a bag, or go on with a replay that was interrupted.

    Writes into ``request.out``: ``frames.jsonl`` as it goes, KITTI result files, thumbnails, and
    at the end the output bag and ``run.json``. Memory does not grow with the bag. With
    `keep_finished` a replay that is there already, finished, is left as it is, for one of many.

    Raises
    ------
    FileNotFoundError, ValueError
        If the bag, a topic or a calibration cannot be used.
    FileExistsError
        If the folder holds something else.
    """
    with TolerantBag(request.bag) as bag:
        cameras = find_cameras(
            bag.topics, chosen=request.topics, truth=request.truth_topic,
            has_calibration=request.calibration is not None,
        )  # fmt: skip
        labels = None if request.labels is None else _labels(request, cameras)
        topics = [camera.image for camera in cameras]
        model = {
            'name': detector.info.name,
            'sha256': detector.info.sha256,
            'trained_on': detector.model.trained_on,
        }
        run = describe_run(OFFLINE, request, model, str(detector.device), topics)
        run = begin(request.out, run, overwrite=overwrite, keep_finished=keep_finished)
        if run.ended:
            logger.info('%s: done before', request.out)
            return run
        replay = _Replay(request, detector, cameras, labels)
        replay.run(bag)
        write_output_bag(
            request.out / BAG_FOLDER, bag, cameras, read_frames(frames_path(request.out)),
            request,
            lambda camera: detector.camera_setup(camera).heatmap_pixel_px,
        )  # fmt: skip
        counts = Counter(record.status for record in read_frames(frames_path(request.out)))
        return finish(
            request.out,
            dataclasses.replace(run, counts=dict(counts), problems=tuple(bag.problems)),
        )


def _labels(request: ReplayRequest, cameras: Sequence[CameraTopics]) -> LabelFolder:
    assert request.labels is not None
    labels = LabelFolder(request.labels)
    if len(cameras) > 1 and not labels.topics:
        raise ValueError(
            f'{request.labels}: the labels are those of one camera, but there are {len(cameras)}: '
            f'choose one of {", ".join(camera.image for camera in cameras)} with --topics'
        )
    return labels


class _Replay:
    """The pass of a bag's frames through the detector."""

    def __init__(
        self,
        request: ReplayRequest,
        detector: Detector,
        cameras: Sequence[CameraTopics],
        labels: LabelFolder | None,
    ) -> None:
        self._request, self._detector = request, detector
        self._cameras, self._labels = cameras, labels
        self._decoder = FrameDecoder(request.rectification, request.calibration)
        self._classes = frozenset(detector.model.classes)
        self._thumbnails: dict[str, Thumbnails] = {}

    def run(self, bag: TolerantBag) -> None:
        """Detect in all frames that are not recorded yet."""
        out = self._request.out
        frames = BagFrames(bag, self._cameras, self._request.selection)
        with FrameAppender(frames_path(out)) as appender:
            offered = self._write_run_infos()
            done = sum(offered.values())
            for camera in self._cameras:
                self._thumbnails[camera.image] = Thumbnails(
                    out, camera.image, offered[camera.image]
                )
            if done:
                logger.info('%s: going on behind %d frames', out, done)
            with self._progress(bag, done) as bar:
                try:
                    for frame in itertools.islice(frames, done, None):
                        self._record(frame, appender)
                        bar.update()
                except KeyboardInterrupt:
                    logger.info('interrupted; the same command goes on from here')
                    raise

    def _record(self, frame: BagFrame, appender: FrameAppender) -> None:
        begun = time.perf_counter()
        try:
            decoded = self._decoder.decode(frame)
            record = self._detect(frame, decoded, begun)
        except ValueError as error:
            appender.append(_failed(frame, str(self._request.bag), str(error)))
            return
        name = f'{frame.index:06d}.txt'
        folder = self._request.out / RESULTS_FOLDER / topic_folder(record.topic)
        write_objects(folder / name, [detection_to_object(d) for d in record.detections])
        self._thumbnails[record.topic].offer(record, decoded.image_bgr, decoded.camera)
        # Last, for what is recorded is not done again.
        appender.append(record)

    def _detect(self, frame: BagFrame, decoded: DecodedFrame, begun: float) -> FrameRecord:
        truth = decoded.truth
        topic = frame.topics.image
        if self._labels is not None:
            truth = self._labels.read(
                topic, frame.index, frame.stamp_ns, decoded.label_offset
            )  # fmt: skip
        converted = time.perf_counter()
        config = self._request.detector
        (detections,), times = self._detector.detect_timed(
            [decoded.image_bgr], [decoded.camera], score_threshold=config.score_threshold,
            max_detections=config.max_detections, classes=self._classes,
        )  # fmt: skip
        stages = {
            'convert': 1e3 * (converted - begun),
            'preprocess': times.preprocess_ms,
            'network': times.network_ms,
            'decode': times.decode_ms,
            'total': 1e3 * (time.perf_counter() - begun),
        }
        return FrameRecord.of_camera(
            decoded.camera,
            bag=str(self._request.bag),
            topic=topic,
            index=frame.index,
            stamp_ns=frame.stamp_ns,
            status=PROCESSED,
            detections=tuple(detections),
            ground_truth=None if truth is None else tuple(truth),
            stages_ms=stages,
        )

    def _write_run_infos(self) -> Counter[str]:
        """Write who makes the results into their folders; return the frames done, by topic."""
        info, model = self._detector.info, self._detector.model
        for camera in self._cameras:
            folder = self._request.out / RESULTS_FOLDER / topic_folder(camera.image)
            training = getattr(info, 'training', None)
            frames = training.frames if training is not None else ()
            write_run_info(folder, RunInfo(info.name, info.sha256, model.trained_on, frames))
        path = frames_path(self._request.out)
        return Counter(record.topic for record in read_frames(path))

    def _progress(self, bag: TolerantBag, done: int) -> tqdm:
        """Return a bar with rate and time left."""
        selection = self._request.selection
        total = sum(bag.topics[camera.image].message_count for camera in self._cameras)
        if bag.duration_s > 0.0:
            left = max(0.0, bag.duration_s - selection.start_s)
            total = round(total * min(1.0, min(left, selection.duration_s) / bag.duration_s))
        total = -(-total // selection.stride)
        return tqdm(total=total, initial=done, unit='frame', disable=None)


def _failed(frame: BagFrame, bag: str, reason: str) -> FrameRecord:
    return FrameRecord(
        bag=bag,
        topic=frame.topics.image,
        index=frame.index,
        stamp_ns=frame.stamp_ns,
        status=FAILED,
        reason=reason,
    )
