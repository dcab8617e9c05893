"""How many labelled frames a second are rendered: ``python -m benchmarks.synth``.

On one core without a graphics card: ``LP_NUM_THREADS=1 OMP_NUM_THREADS=1 taskset -c 0``.
"""

from __future__ import annotations

import argparse
import itertools

import cv2

from benchmarks.timing import measure
from smoke_ros.config.synth import SynthConfig
from smoke_ros.synth.frame import generate_frame
from smoke_ros.synth.generate import load_catalogue, open_renderer

SIZES = ((1242, 375), (640, 192))
SEED = 0


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.synth', description=__doc__)
    parser.add_argument('--frames', type=int, default=30, help='of each size')
    args = parser.parse_args()
    cv2.setNumThreads(1)
    print('| size | median ms | p95 ms | frames a second |\n| --- | ---: | ---: | ---: |')
    for width, height in SIZES:
        config = SynthConfig(width=width, height=height)
        catalogue = load_catalogue(config)
        with open_renderer(config, None) as renderer:
            numbers = itertools.count()
            timing = measure(
                f'{width}x{height}',
                # Bound now: the loop goes on to other sizes.
                lambda config=config, catalogue=catalogue, renderer=renderer, numbers=numbers: (
                    generate_frame(SEED, next(numbers), config, catalogue, renderer)
                ),
                args.frames,
                warm_up=5,
            )
        mean_ms = sum(timing.times_ms) / len(timing.times_ms)
        row = f'{timing.median_ms:.0f} | {timing.p95_ms:.0f} | {1e3 / mean_ms:.1f}'
        print(f'| {timing.name} | {row} |')


if __name__ == '__main__':
    main()
