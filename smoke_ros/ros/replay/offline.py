"""Offline replay: every frame of a bag through the detector, in order, each exactly once."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import time
from collections import Counter
from collections.abc import Sequence

from tqdm import tqdm

from smoke_ros.detector import Detector
from smoke_ros.evaluation.run_info import RunInfo, write_run_info
from smoke_ros.replay.records import (
    OFFLINE,
    PROCESSED,
    FrameAppender,
    FrameRecord,
    RunRecord,
    read_frames,
)
from smoke_ros.replay.thumbnails import Thumbnails
from smoke_ros.ros.bag_frames import BagFrame, BagFrames, DecodedFrame, FrameDecoder
from smoke_ros.ros.camera_topics import CameraTopics
from smoke_ros.ros.replay.frame_records import (
    begin_record,
    check_labels,
    failed_record,
    write_results,
)
from smoke_ros.ros.replay.labels import LabelFolder
from smoke_ros.ros.replay.output_bag import write_output_bag
from smoke_ros.ros.replay.request import ReplayRequest
from smoke_ros.ros.replay.run_folder import (
    bag_path,
    begin,
    describe_run,
    engine_that_ran,
    finish,
    frames_path,
    results_folder,
)
from smoke_ros.ros.tolerant_bag import TolerantBag

logger = logging.getLogger(__name__)


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
        cameras = request.cameras(bag)
        labels = None if request.labels is None else _labels(request, cameras)
        topics = [camera.image for camera in cameras]
        model = {
            'name': detector.info.name,
            'sha256': detector.info.sha256,
            'trained_on': detector.model.trained_on,
        }
        engine = engine_that_ran(detector.engine_summary)
        run = describe_run(OFFLINE, request, model, str(detector.device), topics, engine)
        run = begin(request.out, run, overwrite=overwrite, keep_finished=keep_finished)
        if run.ended:
            logger.info('%s: done before', request.out)
            return run
        replay = _Replay(request, detector, cameras, labels)
        replay.run(bag)
        write_output_bag(
            bag_path(request.out), bag, cameras, read_frames(frames_path(request.out)),
            request,
            lambda camera: detector.camera_setup(camera).heatmap_pixel_px,
        )  # fmt: skip
        counts = Counter(record.status for record in read_frames(frames_path(request.out)))
        check_labels(bag, request, labels)
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
        self._thresholds = request.detector.thresholds(detector.model.classes)
        self._thumbnails: dict[str, Thumbnails] = {}

    def run(self, bag: TolerantBag) -> None:
        """Detect in all frames that are not recorded yet."""
        out = self._request.out
        frames = BagFrames(bag, self._cameras, self._request.selection)
        with FrameAppender(frames_path(out)) as appender:
            self._write_run_infos()
            before = Counter((r.topic, r.status) for r in read_frames(frames_path(out)))
            done = sum(before.values())
            for camera in self._cameras:
                self._thumbnails[camera.image] = Thumbnails(
                    out, camera.image, self._request.pictures, before[camera.image, PROCESSED]
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
            appender.append(failed_record(frame, self._request, str(error)))
            return
        write_results(self._request, record)
        self._thumbnails[record.topic].offer(record, decoded.image_bgr, decoded.camera)
        # Last, for what is recorded is not done again.
        appender.append(record)

    def _detect(self, frame: BagFrame, decoded: DecodedFrame, begun: float) -> FrameRecord:
        record = begin_record(frame, decoded, self._request, self._labels)
        converted = time.perf_counter()
        config = self._request.detector
        (detections,), times = self._detector.detect_timed(
            [decoded.image_bgr], [decoded.camera], score_threshold=self._thresholds,
            max_detections=config.max_detections, classes=self._classes,
        )  # fmt: skip
        stages = {
            'convert': 1e3 * (converted - begun),
            'preprocess': times.preprocess_ms,
            'network': times.network_ms,
            'decode': times.decode_ms,
            'total': 1e3 * (time.perf_counter() - begun),
        }
        return dataclasses.replace(record, detections=tuple(detections), stages_ms=stages)

    def _write_run_infos(self) -> None:
        """Write who makes the results into their folders."""
        made_by = RunInfo.of(self._detector)
        for camera in self._cameras:
            write_run_info(results_folder(self._request.out, camera.image), made_by)

    def _progress(self, bag: TolerantBag, done: int) -> tqdm:
        """Return a bar with rate and time left."""
        selection = self._request.selection
        total = sum(bag.topics[camera.image].message_count for camera in self._cameras)
        if bag.duration_s > 0.0:
            left = max(0.0, bag.duration_s - selection.start_s)
            total = round(total * min(1.0, min(left, selection.duration_s) / bag.duration_s))
        total = -(-total // selection.stride)
        return tqdm(total=total, initial=done, unit='frame', disable=None)
