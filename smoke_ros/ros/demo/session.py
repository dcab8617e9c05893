"""Plays a drive into the node and records what the node publishes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.serialization import deserialize_message
from tqdm import tqdm
from vision_msgs.msg import Detection3DArray, LabelInfo, VisionInfo
from visualization_msgs.msg import MarkerArray

from smoke_ros.config.demo import DemoConfig
from smoke_ros.ros.bags import BagMessage, BagReader, BagTopic, BagWriter
from smoke_ros.ros.demo.frames import Drive
from smoke_ros.ros.node_interface import (
    DETECTIONS,
    DIAGNOSTICS,
    LABEL_INFO,
    MARKERS,
    VISION_INFO,
    read_status,
)
from smoke_ros.ros.node_process import FINISH_LIMIT_S, LOG_FILE, NodeProcess
from smoke_ros.ros.player import RELIABLE_DEPTH, Player, PlayReport
from smoke_ros.ros.qos import LATCHED, RELIABLE
from smoke_ros.ros.recorder import Recorder
from smoke_ros.ros.spinning import spinning_node
from smoke_ros.ros.stamps import stamp_ns

#: What the node publishes, apart from the debug image, which is drawn only for those who look.
RECORDED = {
    DETECTIONS: (Detection3DArray, RELIABLE),
    MARKERS: (MarkerArray, RELIABLE),
    VISION_INFO: (VisionInfo, LATCHED),
    LABEL_INFO: (LabelInfo, LATCHED),
    DIAGNOSTICS: (DiagnosticArray, RELIABLE),
}

#: The node reports its counts every second; in the first reports frames may be on their way.
STATUSES = 2


def play_into_node(
    drive: Drive, recording: Path, config: DemoConfig, command: Sequence[str]
) -> PlayReport:
    """Start the node, play a bag into it, and record what it publishes.

    Parameters
    ----------
    drive
        The bag to play.
    recording
        The bag to write; an older one is replaced.
    config
        Model, device and rate.
    command
        What starts the node.

    Raises
    ------
    RuntimeError
        If the node ends, or does not become ready.
    """
    camera = drive.camera
    assert camera.info is not None
    parameters: dict[str, str | int] = {
        'model': config.model,
        'device': config.device,
        'image_transport': 'compressed' if camera.compressed else 'raw',
        # Nothing but the node itself is to drop frames.
        'qos_reliability': 'reliable',
        'qos_depth': RELIABLE_DEPTH,
    }
    topics = (camera.image, camera.info)
    remappings = {'image': camera.image, 'camera_info': camera.info}
    log = recording.with_name(LOG_FILE)
    with (
        BagWriter(recording, overwrite=True) as writer,
        BagReader(drive.bag) as reader,
        NodeProcess(command, parameters, remappings, log) as process,
        spinning_node('demo') as (node, check),
    ):
        progress = _Progress()
        recorder = Recorder(node, writer)
        listeners = {DIAGNOSTICS: progress.hear_status, DETECTIONS: progress.hear_answer}
        for topic, (message_class, qos) in RECORDED.items():
            recorder.record(topic, message_class, qos, listeners.get(topic))
        player = Player(node, reader, topics, reliable=True)

        print('Waiting for the node to load its model ...', flush=True)
        process.wait_until_ready(
            lambda: progress.is_active and all(map(player.subscribers, topics)), check
        )
        report, last_ns = _play(player, reader.topics[camera.image], config.rate, process)
        process.wait_for(progress.follow_to_the_end(last_ns), FINISH_LIMIT_S, check)
        check()
        recorder.close()
    return report


def _play(
    player: Player, images: BagTopic, rate: float, process: NodeProcess
) -> tuple[PlayReport, int]:
    """Play the bag; return also the stamp of the last image in nanoseconds."""
    last: BagMessage | None = None
    with tqdm(total=images.message_count, desc='playing', unit='frame', disable=None) as bar:

        def follow(message: BagMessage) -> None:
            nonlocal last
            process.check()
            if message.topic == images.name:
                last = message
                bar.update()

        report = player.play(rate, follow)
    assert last is not None, 'a drive has images'
    return report, stamp_ns(last.decode(images.message_class()).header.stamp)


class _Progress:
    """How far the node is, by what it publishes."""

    def __init__(self) -> None:
        self.is_active = False
        self._answered_ns = 0
        #: Frames that came in and are not accounted for yet.
        self._in_work = 0
        self._status_count = 0

    def hear_status(self, data: bytes) -> None:
        """Take a serialized DiagnosticArray."""
        status = read_status(deserialize_message(data, DiagnosticArray))
        if status is not None:
            values = status.values
            self.is_active = values['state'] == 'active'
            done = ('frames_out', 'frames_dropped', 'frames_refused')
            self._in_work = int(values['frames_in']) - sum(int(values[name]) for name in done)
            self._status_count += 1

    def hear_answer(self, data: bytes) -> None:
        """Take a serialized Detection3DArray."""
        self._answered_ns = stamp_ns(deserialize_message(data, Detection3DArray).header.stamp)

    def follow_to_the_end(self, last_ns: int) -> Callable[[], bool]:
        """Return what says whether the node is done with all frames up to a stamp.

        The newest frame wins, so that an answer to the last one tells, and a status after it has
        the final counts. Where the last one was lost, all frames that came are accounted for.
        """
        done_at: list[int] = []
        begun_at = self._status_count

        def is_done() -> bool:
            settled = self._in_work == 0 and self._status_count >= begun_at + STATUSES
            if not done_at and (settled or self._answered_ns >= last_ns):
                done_at.append(self._status_count)
            return bool(done_at) and self._status_count > done_at[0]

        return is_done
