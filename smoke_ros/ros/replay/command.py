"""``smoke-ros replay BAG``: bags through the detector, and a report of what came of it."""

from __future__ import annotations

import argparse
import functools
import importlib.util
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from smoke_ros.config.detector import DetectorConfig
from smoke_ros.config.engine import EngineConfig
from smoke_ros.config.model import DEFAULT_MODEL
from smoke_ros.config.report import ReportConfig
from smoke_ros.option_arguments import (
    add_option_arguments,
    add_threshold_arguments,
    given_options,
    given_thresholds,
)
from smoke_ros.replay.records import RUN_FILE, Fleet, RunRecord, read_run, write_fleet
from smoke_ros.replay.report_command import (
    EXIT_NOT_MET,
    add_report_arguments,
    make_report,
    report_options,
)
from smoke_ros.replay.report_files import has_report, remove_report
from smoke_ros.ros.bag_arguments import add_bag_arguments

if TYPE_CHECKING:
    from smoke_ros.ros.replay.request import ReplayRequest

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Replay a rosbag2 recording (SQLite or MCAP, also compressed): every frame, in order, as fast as
the machine goes. OUT gets a bag with the detections (bag/), KITTI result files (detections/), a
record of each frame (frames.jsonl) and of the run (run.json), and a report (report.html,
report.json). The same command goes on where it was interrupted. What is damaged in a bag is left
out, and said. With --live the bag is played at its own pace into the running node instead, and
what comes back is measured: frames dropped, latency, load. The exit code is 1 where a requirement
is not met, something could not be read, or a live replay was late."""

EXAMPLE = """\
example:
  smoke-ros replay drive --model kitti_dla34_mmdet3d --out runs/drive
  smoke-ros replay drive --out runs/drive --require 'car/3d/moderate>=10' --annotated
  smoke-ros replay drive --out runs/drive --labels label_2 --start 10 --duration 60 --stride 2
  smoke-ros replay drives/* --out runs/all --ray auto --segment 300
  smoke-ros replay drive --out runs/live --live --require 'latency_p99_ms<=100'"""


@dataclass(frozen=True)
class Outcome:
    """What became of a request: a run in its folder, or the reason why there is none."""

    request: ReplayRequest
    failure: str = ''


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        'bags', type=Path, nargs='+', metavar='BAG',
        help='a bag, or one of its files; several get a folder each in OUT, and one report',
    )  # fmt: skip
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='where to write')
    parser.add_argument(
        '--model', metavar='NAME|FILE',
        help='a name from models/registry.yaml or a weights file '
        f'(default: {DEFAULT_MODEL}, or, live, as --params-file has it)',
    )  # fmt: skip
    parser.add_argument(
        '--device',
        help='auto, cpu, cuda or cuda:N (default: auto, or, live, as --params-file has it)',
    )
    add_option_arguments(parser, EngineConfig)
    add_threshold_arguments(parser, ', or, live, as --params-file has it')
    add_bag_arguments(parser)
    parser.add_argument(
        '--labels', type=Path, metavar='DIR',
        help='KITTI labels as ground truth: 000012.txt for the thirteenth image of the bag, or '
        'matched by stamp where names are stamps in ns or bag2kitti wrote a timestamps.txt',
    )  # fmt: skip
    parser.add_argument(
        '--annotated', action='store_true', help='put the annotated images into the bag, too'
    )
    parser.add_argument(
        '--rerun', action='store_true',
        help='write replay.rrd for the Rerun viewer, too; needs rerun-sdk',
    )  # fmt: skip
    parser.add_argument(
        '--storage', choices=('mcap', 'sqlite3'), default='mcap',
        help='what the written bag is stored as (default: %(default)s)',
    )  # fmt: skip
    live = parser.add_argument_group('live replay')
    live.add_argument(
        '--live', action='store_true',
        help='play at the recorded pace, with /clock, into a node in a ROS domain of its own',
    )  # fmt: skip
    live.add_argument(
        '--rate', type=float, default=1.0, metavar='R',
        help='times the recorded pace (default: %(default)g)',
    )  # fmt: skip
    live.add_argument(
        '--params-file',
        type=Path,
        metavar='FILE',
        help="YAML with the node's parameters; what is given here too counts before it",
    )
    fleet = parser.add_argument_group('many bags on many machines')
    fleet.add_argument(
        '--ray', metavar='ADDRESS',
        help='run on this Ray cluster, one bag a task: auto, HOST:PORT, ray://HOST:PORT, or '
        'local; needs ray',
    )  # fmt: skip
    fleet.add_argument(
        '--segment',
        type=float,
        metavar='S',
        help='with --ray: one task for each S seconds of a bag',
    )
    add_report_arguments(parser)
    parser.add_argument(
        '--overwrite', action='store_true', help='replace a run that is in OUT already'
    )


def run(args: argparse.Namespace) -> int:
    """Replay and report; return the exit code: not 0 as well where not all could be read."""
    requirements, how = report_options(args)
    requests = make_requests(args)
    is_fleet = args.out not in [request.out for request in requests]
    if is_fleet and (args.out / RUN_FILE).exists():
        raise FileExistsError(f'{args.out} holds a run of one bag: give another folder')
    outcomes = _way_of(args)(args, requests)
    unread = [f'{each.request.bag}: {each.failure}' for each in outcomes if each.failure]
    folders = [each.request.out for each in outcomes if not each.failure]
    if is_fleet and args.out.is_dir():
        runs = (folder.relative_to(args.out).as_posix() for folder in folders)
        write_fleet(args.out, Fleet(tuple(runs), tuple(unread)))
    problems = [*unread, *_problems_of([read_run(folder) for folder in folders])]
    for problem in problems:
        logger.warning('%s', problem)
    if not folders:
        remove_report(args.out)
        return EXIT_NOT_MET
    code = make_report(args.out, requirements, how)
    return EXIT_NOT_MET if problems else code


def _problems_of(runs: Sequence[RunRecord]) -> list[str]:
    """Return what runs could not read, in sentences."""
    problems = [problem for run in runs for problem in run.problems]
    frames = Counter[str]()
    for run in runs:
        name = ', '.join(run.bags)
        failed = run.counts.get('failed', 0)
        problems += [f'{name}: {failed} frames failed'] if failed else []
        frames[name] += sum(run.counts.values())
    # Of a bag that was cut, single segments need not have any.
    topics = {', '.join(run.bags): ', '.join(run.topics) for run in runs}
    empty = [name for name, count in frames.items() if not count]
    return problems + [
        f'{name}: no image in what was asked for, of {topics[name]}' for name in empty
    ]


def _way_of(
    args: argparse.Namespace,
) -> Callable[[argparse.Namespace, list[ReplayRequest]], list[Outcome]]:
    if args.live and args.ray:
        raise ValueError('--live measures this machine: it does not go with --ray')
    if args.live and (args.annotated or args.rerun):
        raise ValueError('--annotated and --rerun do not go with --live: nothing is drawn there')
    if not args.live and (args.params_file is not None or args.rate != 1.0):
        raise ValueError('--params-file and --rate are for --live')
    if args.segment is not None and not args.ray:
        raise ValueError('--segment is for --ray; use --start and --duration for a part of a bag')
    if args.rerun and importlib.util.find_spec('rerun') is None:
        raise ValueError('--rerun needs the Python package rerun-sdk: pip install rerun-sdk')
    if args.ray:
        return _replay_on_ray
    return _replay_live if args.live else _replay_here


def make_requests(args: argparse.Namespace) -> list[ReplayRequest]:
    """Return what is to be replayed: with several bags, each into a folder of its own."""
    from smoke_ros.ros.bag_files import bag_name
    from smoke_ros.ros.bag_frames import Selection
    from smoke_ros.ros.replay.labels import LabelFolder
    from smoke_ros.ros.replay.request import ReplayRequest

    detector = DetectorConfig(**given_options(args, EngineConfig), **given_thresholds(args))
    report = ReportConfig(**given_options(args, ReportConfig))
    names = [bag_name(bag) for bag in args.bags]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f'bags must have different names, got {", ".join(sorted(twice))} twice')
    if args.labels is not None and len(names) > 1 and LabelFolder(args.labels).matches_index:
        raise ValueError(
            f'{args.labels}: labels matched by index are those of one bag, but there are '
            f'{len(names)}: replay each with its own, or match them by stamp'
        )
    return [
        ReplayRequest(
            bag=bag,
            out=args.out / name if len(names) > 1 or args.ray else args.out,
            topics=tuple(args.topics),
            truth_topic=args.truth_topic,
            calibration=args.calib,
            rectification=args.rectification,
            labels=args.labels,
            selection=Selection(args.start, args.duration, args.stride),
            annotated=args.annotated,
            rerun=args.rerun,
            storage=args.storage,
            pictures=report.pictures,
            detector=detector,
        )
        for bag, name in zip(args.bags, names, strict=True)
    ]


def _replay_here(args: argparse.Namespace, requests: list[ReplayRequest]) -> list[Outcome]:
    """Replay one bag after the other."""
    from smoke_ros.detector import Detector
    from smoke_ros.ros.replay.offline import replay_offline

    for request in requests:  # said before a model is downloaded rather than after it
        if not request.bag.exists():
            raise FileNotFoundError(f'no bag at {request.bag}')
    detector = Detector.from_model(*_model_and_device(args), requests[0].detector)

    def replay(request: ReplayRequest) -> None:
        # A run that was interrupted while its report was made only lacks this.
        keep = len(requests) > 1 or not has_report(request.out)
        replay_offline(request, detector, overwrite=args.overwrite, keep_finished=keep)

    return _one_by_one(requests, replay)


def _one_by_one(
    requests: list[ReplayRequest], replay: Callable[[ReplayRequest], None]
) -> list[Outcome]:
    """Replay one bag after the other; of several, one that cannot be read stops no other."""
    outcomes = []
    for request in requests:
        failure = ''
        try:
            replay(request)
        except (ValueError, FileNotFoundError, PermissionError) as error:
            if len(requests) == 1:
                raise
            failure = str(error)
        outcomes.append(Outcome(request, failure))
    return outcomes


def _model_and_device(args: argparse.Namespace) -> tuple[str, str]:
    """Return what was asked for, or the defaults: here there is no file that may have others."""
    return args.model or DEFAULT_MODEL, args.device or 'auto'


def _replay_live(args: argparse.Namespace, requests: list[ReplayRequest]) -> list[Outcome]:
    """Play one bag after the other into the node."""
    from smoke_ros.ros.node_process import isolate

    isolate()  # before ROS is loaded
    from smoke_ros.ros.replay.live import LiveOptions, replay_live

    for given in (*args.bags, args.params_file):
        if given is not None and not given.exists():
            raise FileNotFoundError(f'{given}: no such bag or file')
    parameters = given_thresholds(args) | given_options(args, EngineConfig)
    live = LiveOptions(
        args.rate, args.model or '', args.device or '', parameters, args.params_file
    )

    def replay(request: ReplayRequest) -> None:
        try:
            keep = len(requests) > 1
            replay_live(request, live, overwrite=args.overwrite, keep_finished=keep)
        except RuntimeError as error:
            # Of several bags, it stops no other.
            raise ValueError(str(error)) from error

    return _one_by_one(requests, replay)


def _replay_on_ray(args: argparse.Namespace, requests: list[ReplayRequest]) -> list[Outcome]:
    """Replay on a cluster."""
    from smoke_ros.detector import Detector
    from smoke_ros.ros.replay.fleet import cut_into_segments, replay_on_ray
    from smoke_ros.ros.replay.run_folder import remove_segments

    outcomes: list[Outcome] = []
    if args.overwrite:
        for request in requests:
            remove_segments(request.out)
    if args.segment is not None:
        requests, unread = cut_into_segments(requests, args.segment)
        outcomes = [Outcome(request, why) for request, why in unread.items()]
    model, device = _model_and_device(args)
    load = functools.partial(Detector.from_model, model, device, config=requests[0].detector)
    gpus = int(device.startswith('cuda'))
    failures = replay_on_ray(requests, args.ray, load, gpus=gpus, overwrite=args.overwrite)
    return [*outcomes, *(Outcome(each, failures.get(each, '')) for each in requests)]
