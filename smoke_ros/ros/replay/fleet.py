"""Replays on a Ray cluster: one bag, or one segment of a bag, is a task.

Ray is optional. Its workers need this package, the bags and the folder of the results under the
paths that are given here, as on a shared file system.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

from tqdm import tqdm

from smoke_ros.detector import Detector
from smoke_ros.ros.bag_frames import Selection
from smoke_ros.ros.replay.offline import replay_offline
from smoke_ros.ros.replay.request import ReplayRequest
from smoke_ros.ros.replay.run_folder import remove_run
from smoke_ros.ros.tolerant_bag import TolerantBag

logger = logging.getLogger(__name__)

#: How often a task is started again whose worker or machine has died; it goes on where it was.
MOST_RETRIES = 3


def replay_on_ray(
    requests: Sequence[ReplayRequest],
    address: str,
    load_detector: Callable[[], Detector],
    *,
    gpus: int = 0,
    overwrite: bool = False,
) -> dict[ReplayRequest, str]:
    """Replay all requests; return of those that could not be done why.

    Parameters
    ----------
    requests
        Each with a folder of its own.
    address
        Of the cluster, as ray.init takes it: 'auto', 'HOST:PORT', 'ray://HOST:PORT', or 'local'
        for one that is started on this machine.
    load_detector
        Called in each task.
    gpus
        That each task needs.
    overwrite
        Whether runs that are there are replaced.

    Raises
    ------
    ValueError
        If Ray is not installed, or there is no cluster at the address.
    """
    ray = import_ray()
    if overwrite:
        for request in requests:  # here, for a task that is started again must not do it
            remove_run(request.out)
    try:
        ray.init(address=address, log_to_driver=False, include_dashboard=None)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ValueError(f'no Ray cluster at {address!r}: {error}') from error
    try:
        task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=MOST_RETRIES)(_replay)
        pending = {task.remote(request, load_detector): request for request in requests}
        failures: dict[ReplayRequest, str] = {}
        with tqdm(total=len(pending), unit='task', disable=None) as bar:
            while pending:
                (done,), _ = ray.wait(list(pending), num_returns=1)
                request = pending.pop(done)
                if failure := _result(ray, done):
                    failures[request] = failure
                bar.update()
        return failures
    finally:
        ray.shutdown()


def import_ray() -> Any:
    """Return the module; ValueError if it is not installed."""
    try:
        import ray
    except ImportError as error:
        raise ValueError(
            'a replay on a cluster needs the Python package ray, which is optional: '
            'pip install ray'
        ) from error
    return ray


def cut_into_segments(
    requests: Sequence[ReplayRequest], segment_s: float
) -> tuple[list[ReplayRequest], dict[ReplayRequest, str]]:
    """Cut requests into segments of a length, each with a folder of its own.

    Returns
    -------
    The segments, and of requests whose bags cannot be read why.
    """
    if not segment_s > 0.0:
        raise ValueError(f'a segment must be longer than 0 s, got {segment_s:g}')
    segments, unread = [], {}
    for request in requests:
        try:
            with TolerantBag(request.bag) as bag:
                duration_s = bag.duration_s
        except (ValueError, OSError) as error:
            unread[request] = str(error)
            continue
        start_s = request.selection.start_s
        end_s = min(start_s + request.selection.duration_s, duration_s)
        # A bag ends with its last message, which belongs to the last segment.
        # Rounded, so that 0.3 s are three times 0.1 s, and no fourth part of nothing.
        count = max(1, math.ceil(round((end_s - start_s) / segment_s, 6)))
        for number in range(count):
            begin_s = start_s + number * segment_s
            is_last = number == count - 1
            length_s = request.selection.duration_s - number * segment_s if is_last else segment_s
            selection = Selection(begin_s, length_s, request.selection.stride)
            out = request.out / f'segment_{number:04d}'
            segments.append(dataclasses.replace(request, out=out, selection=selection))
    return segments, unread


def _replay(request: ReplayRequest, load_detector: Callable[[], Detector]) -> str:
    """Do one task, on a worker; return why it cannot be done, or nothing."""
    try:
        # Of a fleet that goes on, or of a worker that died at the very end, some are finished.
        replay_offline(request, load_detector(), keep_finished=True)
    except (ValueError, OSError) as error:
        return str(error)
    return ''


def _result(ray: Any, done: Any) -> str:
    try:
        failure: str = ray.get(done)
    except ray.exceptions.RayTaskError as error:
        return ' '.join(str(error.cause).split())
    except ray.exceptions.RayError as error:  # the worker or its machine has died
        reason = ' '.join(str(error).split())
        return f'given up after {MOST_RETRIES + 1} attempts: {reason}'
    return failure
