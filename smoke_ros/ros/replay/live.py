"""Live replay: a bag at its own pace through the running node, measured from outside."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from tqdm import tqdm
from vision_msgs.msg import Detection3DArray
from visualization_msgs.msg import MarkerArray

from smoke_ros.calibration import is_ros_calibration
from smoke_ros.config.detector import DetectorConfig
from smoke_ros.config.options import plain
from smoke_ros.replay.records import LIVE, LoadSample, RunRecord
from smoke_ros.ros.bags import BagMessage, BagTopic, BagWriter
from smoke_ros.ros.camera_topics import CameraTopics
from smoke_ros.ros.message_types import MessageClass
from smoke_ros.ros.node_interface import DETECTIONS, DIAGNOSTICS, MARKERS, NODE
from smoke_ros.ros.node_process import FINISH_LIMIT_S, LOG_FILE, SMOKE_NODE, NodeProcess
from smoke_ros.ros.parameter_files import read_parameters
from smoke_ros.ros.player import Player, check_rate
from smoke_ros.ros.qos import RELIABLE
from smoke_ros.ros.replay.bag_clock import BagClock
from smoke_ros.ros.replay.frame_records import check_labels
from smoke_ros.ros.replay.labels import LabelFolder
from smoke_ros.ros.replay.live_records import NodeReport, record_frames
from smoke_ros.ros.replay.load_monitor import LoadMonitor
from smoke_ros.ros.replay.request import ReplayRequest, optional_text
from smoke_ros.ros.replay.run_folder import (
    bag_path,
    begin,
    describe_run,
    engine_that_ran,
    finish,
    frames_path,
)
from smoke_ros.ros.spinning import spinning_node
from smoke_ros.ros.tolerant_bag import TolerantBag

logger = logging.getLogger(__name__)

#: The node reports its counts every second.
REPORT_S = 1.5
#: A player that is later than this spoils the measured latencies.
WORST_DELAY_S = 0.01

_RECORDED = {DETECTIONS: Detection3DArray, MARKERS: MarkerArray}


@dataclasses.dataclass(frozen=True)
class LiveOptions:
    """How the node runs.

    Attributes
    ----------
    rate
        1 for the recorded pace.
    model, device
        As the node's parameters; empty for what `params_file` says, or the default.
    parameters
        Others of the node's that are asked for: thresholds, and options of its engine.
    params_file
        A YAML file with parameters of the node.
    command
        What starts the node.
    """

    rate: float = 1.0
    model: str = ''
    device: str = ''
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    params_file: Path | None = None
    command: Sequence[str] = SMOKE_NODE


def replay_live(
    request: ReplayRequest, live: LiveOptions, *, overwrite: bool = False,
    keep_finished: bool = False,
) -> RunRecord:  # fmt: skip
    """Play a bag into the node and record what a vehicle would get from it.

    The node runs as a process of its own, with ``use_sim_time``; ROS_DOMAIN_ID and the like are
    those of the environment. The latency of a frame is what the recording says lay between its
    stamp and its arrival, and the wall time from then to the arrival of its detections here. With
    `keep_finished` a replay that is there already, finished, is left as it is, for one of many.

    Raises
    ------
    FileNotFoundError, ValueError
        If the bag, a topic or an option cannot be used.
    FileExistsError
        If the folder holds something else.
    RuntimeError
        If the node ends, or does not become ready.
    """
    check_rate(live.rate)
    if request.selection.stride != 1:
        raise ValueError('stride must be 1 in a live replay: a camera leaves out no image')
    options = _options(request, live)
    with TolerantBag(request.bag) as bag:
        camera = _only_camera(bag, request)
        # Before the bag is played, which may take hours.
        labels = None if request.labels is None else LabelFolder(request.labels)
        run = describe_run(LIVE, request, {'name': live.model}, live.device, [camera.image])
        run = begin(
            request.out, dataclasses.replace(run, options=options), overwrite=overwrite,
            keep_finished=keep_finished,
        )  # fmt: skip
        if run.ended:
            logger.info('%s: done before', request.out)
            return run
        if frames_path(request.out).exists():
            raise FileExistsError(
                f'{request.out} holds a live run that was cut off, which cannot be resumed: '
                'give another folder, or --overwrite'
            )
        session = _Session(bag, camera, request, live)
        session.run()
        report = session.report
        counts = Counter(record_frames(bag, camera, request, report, live.rate, labels))
        check_labels(bag, request, labels)
        return finish(
            request.out,
            dataclasses.replace(
                run,
                model={
                    'name': report.values.get('model', live.model),
                    'sha256': report.values.get('model_sha256', ''),
                    'trained_on': report.values.get('trained_on', ''),
                },
                device=report.values.get('device', live.device),
                engine=engine_that_ran(report.values.get('engine', '')),
                counts=dict(counts),
                problems=(*bag.problems, *session.problems),
                load=tuple(session.load),
            ),
        )


def _options(request: ReplayRequest, live: LiveOptions) -> dict[str, Any]:
    """Return what decides on the result, as the node takes it.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no file of parameters where there should be one, or it has none of the node's.
    """
    in_file = {} if live.params_file is None else read_parameters(live.params_file, NODE)
    defaults = plain(dataclasses.asdict(DetectorConfig()))
    asked = {**defaults, **in_file, **plain(live.parameters)}
    options = request.options()
    others = in_file.keys() - options.keys() - {'input_width', 'input_height'}
    return {
        **options,
        **{name: asked[name] for name in options if name in defaults},
        'input_size': [asked['input_width'], asked['input_height']],
        'model': live.model,
        'device': live.device,
        'rate': live.rate,
        'params_file': optional_text(live.params_file),
        # Two files of one name need not say the same.
        'parameters': {name: in_file[name] for name in sorted(others)},
    }


def _only_camera(bag: TolerantBag, request: ReplayRequest) -> CameraTopics:
    cameras = request.cameras(bag)
    if len(cameras) > 1:
        raise ValueError(
            f'the node takes one camera, the bag has {len(cameras)}: choose one with --topics, of '
            f'{", ".join(camera.image for camera in cameras)}'
        )
    if request.calibration is not None and not is_ros_calibration(request.calibration):
        raise ValueError(f'{request.calibration}: the node reads ROS calibrations (.yaml) only')
    return cameras[0]


class _Session:
    """The node, the player and the recorder, for one pass through a bag."""

    def __init__(
        self, bag: TolerantBag, camera: CameraTopics, request: ReplayRequest, live: LiveOptions
    ) -> None:
        self._bag, self._camera = bag, camera
        self._request, self._live = request, live
        self.report = NodeReport()
        self.load: list[LoadSample] = []
        self.problems: list[str] = []

    def run(self) -> None:
        """Play, and record until the node has done its last frame."""
        out = self._request.out
        with (
            BagWriter(bag_path(out), self._request.storage, overwrite=True) as writer,
            self._node_process(out / LOG_FILE) as process,
            spinning_node('smoke_replay') as (node, check),
            BagClock(node, self._first_ns(), self._live.rate) as clock,
        ):
            self._record(node, writer, clock)
            window = _Window(self._bag, self._request, self._camera.info)
            player = Player(node, window, self._played(), reliable=True)

            logger.info('waiting for the node to load its model')
            process.wait_until_ready(lambda: all(map(player.subscribers, self._played())), check)
            with LoadMonitor(process.pid) as monitor:
                self._play(player, clock, process)
                played = time.monotonic()
                if not process.wait_for(
                    lambda: self.report.is_done(played + REPORT_S), FINISH_LIMIT_S, check
                ):
                    self.problems.append(
                        f'the node was still busy {FINISH_LIMIT_S:.0f} s after the last frame: '
                        f'{self.report.summary()}'
                    )
            self.load = monitor.samples
            check()

    def _play(self, player: Player, clock: BagClock, process: NodeProcess) -> None:
        total = self._bag.topics[self._camera.image].message_count
        with tqdm(total=total, desc='playing', unit='frame', disable=None) as bar:

            def count(message: BagMessage) -> None:
                bar.update(message.topic == self._camera.image)
                process.check()  # the rest may take hours, and would be for nothing

            # The first message played may come long after the bag's first, of another topic.
            report = player.play(self._live.rate, count, on_begin=clock.start)
        if report.worst_delay_s > WORST_DELAY_S:
            self.problems.append(
                f'the player was up to {1e3 * report.worst_delay_s:.0f} ms late: the machine is '
                'too slow for this bag, and latencies are that much too long'
            )

    def _node_process(self, log: Path) -> NodeProcess:
        request, live, camera = self._request, self._live, self._camera
        parameters: dict[str, Any] = {
            'use_sim_time': True,
            'autostart': True,  # here is no lifecycle manager
            'cameras': [''],  # one is played, under its own names
            'qos_durability': 'volatile',  # what is played is offered as it was recorded
            # Else the bag's camera infos count: they are played, and the records are made by them.
            'camera_info_url': str(request.calibration.absolute()) if request.calibration else '',
            'image_transport': 'compressed' if camera.compressed else 'raw',
            'rectification': request.rectification,
        }
        # What was not asked for is left to the file of parameters.
        if live.model:
            parameters['model'] = live.model
        if live.device:
            parameters['device'] = live.device
        parameters |= plain(live.parameters)
        if live.params_file is None:
            # Nothing but the node itself is to drop frames.
            parameters['qos_reliability'] = 'reliable'
        remappings = {'image': camera.image}
        if camera.info is not None:
            remappings['camera_info'] = camera.info
        command = [*live.command]
        if live.params_file is not None:
            command += ['--ros-args', '--params-file', str(live.params_file)]
        return NodeProcess(command, parameters, remappings, log)

    def _record(self, node: Node, writer: BagWriter, clock: BagClock) -> None:
        """Store what comes with the bag's time of its arrival."""

        def subscribe(topic: str, message_class: MessageClass) -> None:
            writer.add_topic(topic, message_class, RELIABLE)

            def store(data: bytes) -> None:
                writer.write(topic, data, clock.now_ns())

            node.create_subscription(message_class, topic, store, RELIABLE, raw=True)

        for topic, message_class in _RECORDED.items():
            subscribe(topic, message_class)

        def hear(message: DiagnosticArray) -> None:
            self.report.hear(message)

        node.create_subscription(DiagnosticArray, DIAGNOSTICS, hear, RELIABLE)

    def _played(self) -> list[str]:
        names = (self._camera.image, self._camera.info)
        return [name for name in names if name is not None]

    def _first_ns(self) -> int:
        return self._bag.first_ns + round(self._request.selection.start_s * 1e9)


class _Window:
    """The part of a bag that is played, as a :class:`~smoke_ros.ros.player.Recording`.

    It begins with the newest camera info before it, which may be the only one: who latches it
    records it once.
    """

    def __init__(self, bag: TolerantBag, request: ReplayRequest, info: str | None) -> None:
        self._bag, self._selection, self._info = bag, request.selection, info

    @property
    def topics(self) -> dict[str, BagTopic]:
        """By name."""
        return self._bag.topics

    def messages(self, topics: Collection[str]) -> Iterator[BagMessage]:
        """Read messages in the order they were received."""
        first_ns = self._bag.first_ns + round(self._selection.start_s * 1e9)
        info: BagMessage | None = None
        for message in self._bag.messages(topics):
            elapsed_s = (message.stamp_ns - first_ns) * 1e-9
            if elapsed_s >= self._selection.duration_s:
                return
            if elapsed_s < 0.0:
                info = message if message.topic == self._info else info
                continue
            if info is not None:
                yield dataclasses.replace(info, stamp_ns=first_ns)
                info = None
            yield message
