"""How much of a core the node takes while no image comes: ``python -m benchmarks.idle``.

The node runs in a process of its own, as a launch file starts it. The clock starts some seconds
after it has said that it is active; its first pass through the network is over then.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import psutil

from smoke_ros.ros.node_process import SMOKE_NODE, NodeProcess, isolate

TIMEOUT_S = 300.0
SETTLE_S = 3.0


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print a row for each engine."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.idle', description=__doc__)
    parser.add_argument('--seconds', type=float, default=30.0, help='how long each is looked at')
    parser.add_argument('--engines', nargs='+', default=['eager', 'compiled', 'onnx'])
    args = parser.parse_args(arguments)
    isolate()
    print('| engine | CPU, of one core | threads |')
    print('| --- | ---: | ---: |')
    for engine in args.engines:
        share, threads = measure_idle(engine, args.seconds)
        print(f'| {engine} | {100 * share:.2f}% | {threads} |', flush=True)
    return 0


def measure_idle(engine: str, seconds: float) -> tuple[float, int]:
    """Return processor time over time, and the number of threads."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / 'log'

        def is_active() -> bool:
            return 'active: waiting for images' in log.read_text(encoding='utf-8')

        with NodeProcess(SMOKE_NODE, {'engine': engine}, {}, log) as node:
            if not node.wait_for(is_active, TIMEOUT_S, node.check):
                raise SystemExit(f'the node did not become active within {TIMEOUT_S:.0f} s')
            time.sleep(SETTLE_S)
            process = psutil.Process(node.pid)
            begun, before = time.monotonic(), _cpu_seconds(process)
            time.sleep(seconds)
            used, passed = _cpu_seconds(process) - before, time.monotonic() - begun
            return used / passed, process.num_threads()


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == '__main__':
    sys.exit(main())
