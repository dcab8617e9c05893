"""Measure the pipeline on this machine: ``python -m benchmarks`` or ``make bench``.

Figures of other machines, or of other minutes of this one, do not compare: only the ratios within
one table are claims. docs/performance.md holds the tables that were recorded.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks.engines import HEADER, NETWORK_GFLOP, Row, list_cases, measure_engines
from benchmarks.machine import convolution_peak, describe
from benchmarks.node import measure_node
from benchmarks.stages import measure_stages
from benchmarks.timing import Timing
from smoke_ros.detector import Detector
from smoke_ros.files import check_target, write_text_atomically
from smoke_ros.models import RANDOM


def main() -> int:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks', description=__doc__)
    parser.add_argument('--device', default='auto', help='default: a GPU where there is one')
    parser.add_argument('--repeats', type=int, default=7, help='of the network; others get more')
    parser.add_argument('--no-node', action='store_true', help='leave out what needs DDS')
    parser.add_argument(
        '--engines', nargs='*', metavar='NAME', help='only these; none at all without a name'
    )
    parser.add_argument(
        '--batches', nargs='+', type=int, default=[], metavar='N', help='images at a time'
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='record all times')
    args = parser.parse_args()
    if args.json:
        check_target(args.json)  # before minutes of measuring rather than after them

    detector = Detector.from_model(RANDOM, args.device)
    machine = describe(detector.device)
    for key, value in machine.items():
        print(f'{key}: {value}')
    peak = convolution_peak(detector.device)
    floor_ms = 1e3 * NETWORK_GFLOP / peak
    print(
        f"convolution peak: {peak:.0f} GFLOP/s, at which the network's {NETWORK_GFLOP} GFLOP "
        f'would take {floor_ms:.0f} ms\n'
    )
    timings: list[Timing] = []
    sources = [measure_stages(detector, args.repeats)]
    if not args.no_node:
        sources.append(measure_node(detector, args.repeats))
    print('| what | median ms | p95 ms | best ms |\n| --- | ---: | ---: | ---: |')
    with tqdm(unit=' measured', leave=False, disable=None) as bar:
        for source in sources:
            for timing in source:
                timings.append(timing)
                tqdm.write(format_row(timing, floor_ms))
                bar.update()
    rows = list(_print_engines(detector.device, args))
    if args.json:
        write_text_atomically(args.json, as_json(machine, peak, timings, rows))
    return 0


def _print_engines(device: torch.device, args: argparse.Namespace) -> Iterator[Row]:
    """Print a row for each engine, precision and batch."""
    if args.engines == []:
        return
    cases = list_cases(device, args.repeats, args.batches, args.engines or ())
    print(f'\n{HEADER}')
    with tqdm(total=len(cases), unit=' engines', leave=False, disable=None) as bar:
        for row in measure_engines(cases):
            tqdm.write(row.markdown())
            bar.update()
            yield row


def format_row(timing: Timing, floor_ms: float) -> str:
    """Return one row of the table; the network's says how far it is from the floor."""
    name = timing.name
    if name == 'network':
        name += f' ({timing.median_ms / floor_ms:.2f} times the floor)'
    return f'| {name} | {timing.median_ms:.2f} | {timing.p95_ms:.2f} | {timing.best_ms:.2f} |'


def as_json(machine: dict[str, str], peak: float, timings: list[Timing], rows: list[Row]) -> str:
    """Return the record of a run."""
    return json.dumps(
        {
            'machine': machine,
            'convolution_peak_gflops': peak,
            'network_gflop': NETWORK_GFLOP,
            'engines': [row.record() for row in rows],
            'times_ms': {timing.name: timing.times_ms for timing in timings},
        },
        indent=1,
    )


if __name__ == '__main__':
    sys.exit(main())
