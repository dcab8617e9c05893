"""The thread that detects, and the slots from which it takes its frames."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

#: How long whoever leaves a frame stands aside. The interpreter runs one thread at a time, and
#: rclpy would look through all of a node's entities, a millisecond, before the worker gets its
#: turn.
STAND_ASIDE_S = 5e-5

Key = TypeVar('Key')
Frame = TypeVar('Frame')


class NewestFrames(Generic[Key, Frame]):
    """One slot per camera that holds the newest frame only, so that nothing is ever queued."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frames: dict[Key, Frame] = {}
        self._closed = False

    def put(self, camera: Key, frame: Frame) -> bool:
        """Leave a frame; return whether one that nobody had taken yet was dropped for it."""
        with self._changed:
            dropped = camera in self._frames
            self._frames[camera] = frame
            self._changed.notify()
        return dropped

    def take(self) -> dict[Key, Frame] | None:
        """Wait for frames and take all there are; None once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._closed)
            if self._closed:
                return None
            frames, self._frames = self._frames, {}
            return frames

    def close(self) -> None:
        """Wake whoever waits, for the last time."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Worker(Generic[Key, Frame]):
    """A thread that hands the newest frames to a function, which must not raise.

    Cameras whose frames lie ready at the same time are handed over together.
    """

    def __init__(self, process: Callable[[Mapping[Key, Frame]], None]) -> None:
        self._process = process
        self._frames: NewestFrames[Key, Frame] = NewestFrames()
        self._thread = threading.Thread(target=self._run, name='smoke_worker', daemon=True)
        self._thread.start()

    def put(self, camera: Key, frame: Frame) -> bool:
        """Leave a frame to be processed; see :meth:`NewestFrames.put`."""
        dropped = self._frames.put(camera, frame)
        time.sleep(STAND_ASIDE_S)
        return dropped

    def stop(self) -> None:
        """Let the frames in hand be finished, and no others be begun."""
        self._frames.close()
        self._thread.join()

    def _run(self) -> None:
        while (frames := self._frames.take()) is not None:
            self._process(frames)
