"""The bundled model on this CPU, image in to boxes out: ``python -m benchmarks.bundled``.

Engines take turns, so that their ratios hold on a machine that does other things, too.
"""

from __future__ import annotations

import argparse
import functools
import sys

import torch

from benchmarks.machine import describe
from benchmarks.stages import IMAGE_SIZES, make_camera, make_image
from benchmarks.timing import Timing, measure
from smoke_ros.config.detector import DetectorConfig
from smoke_ros.config.model import DEFAULT_MODEL
from smoke_ros.detector import Detector

ENGINES = ('eager', 'compiled', 'onnx')
ROUNDS = 4


def main() -> int:
    """Measure, print a table, return the exit code."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.bundled', description=__doc__)
    parser.add_argument('--repeats', type=int, default=40, help='frames of each engine')
    args = parser.parse_args()
    cpu = torch.device('cpu')
    print('\n'.join(f'{name}: {value}' for name, value in describe(cpu).items()))
    image, camera = make_image(IMAGE_SIZES[0]), make_camera(IMAGE_SIZES[0])
    detectors = {
        name: Detector.from_model(DEFAULT_MODEL, 'cpu', DetectorConfig(engine=name))
        for name in ENGINES
    }
    times: dict[str, tuple[float, ...]] = dict.fromkeys(ENGINES, ())
    for _ in range(ROUNDS):
        for name, detector in detectors.items():
            repeats = max(1, args.repeats // ROUNDS)
            detect = functools.partial(detector.detect, image, camera)
            times[name] += measure(name, detect, repeats, warm_up=3).times_ms
    print('\n| engine | median ms | p95 ms | frames/s | of eager |')
    print('| --- | ---: | ---: | ---: | ---: |')
    baseline = Timing('eager', times['eager']).median_ms
    for name in ENGINES:
        timing = Timing(detectors[name].engine_summary, times[name])
        print(
            f'| {timing.name} | {timing.median_ms:.1f} | {timing.p95_ms:.1f} | '
            f'{1e3 / timing.median_ms:.1f} | {timing.median_ms / baseline:.2f} |'
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
