"""How many labelled frames a second a core renders: ``python -m benchmarks.synth``.

In processor time, which other work disturbs less than the clock. On one core without
a graphics card: ``LP_NUM_THREADS=1 OMP_NUM_THREADS=1``.
"""

from __future__ import annotations

import argparse
import statistics
import time

import cv2

from smoke_ros.config.synth import SynthConfig
from smoke_ros.synth.frame import generate_frame
from smoke_ros.synth.generate import load_catalogue, open_renderer

SIZES = ((1242, 375), (640, 192))
SEED = 0


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.synth', description=__doc__)
    parser.add_argument('--frames', type=int, default=16, help='of each size')
    parser.add_argument(
        '--supersampling', type=float, nargs='+', default=[SynthConfig().supersampling]
    )
    args = parser.parse_args()
    cv2.setNumThreads(1)
    print('| size | supersampling | median CPU ms | mean CPU ms | frames per CPU second |')
    print('| --- | ---: | ---: | ---: | ---: |')
    for width, height in SIZES:
        for supersampling in args.supersampling:
            config = SynthConfig(width=width, height=height, supersampling=supersampling)
            times_ms = measure_frames(config, args.frames)
            mean = statistics.mean(times_ms)
            row = f'{statistics.median(times_ms):.0f} | {mean:.0f} | {1e3 / mean:.1f}'
            print(f'| {width}x{height} | {supersampling} | {row} |', flush=True)


def measure_frames(config: SynthConfig, count: int) -> list[float]:
    """Return the processor time in milliseconds of each of the first frames."""
    catalogue = load_catalogue(config)
    times_ms = []
    with open_renderer(config, None) as renderer:
        # Once before, by which all models that they need are made.
        for index in (*range(count), *range(count)):
            begun = time.process_time()
            generate_frame(SEED, index, config, catalogue, renderer)
            times_ms.append(1e3 * (time.process_time() - begun))
    return times_ms[count:]


if __name__ == '__main__':
    main()
