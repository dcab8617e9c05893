"""A training step of the light network on this CPU: ``python -m benchmarks.training DATA``.

DATA is a folder that `smoke-ros synth` made. Every row is measured in a process of its own, the
rows in turn, since how a process keeps its memory cannot be taken back.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import multiprocessing
import statistics
import sys
from pathlib import Path
from unittest import mock

import torch
from tqdm import tqdm

from benchmarks.machine import describe
from benchmarks.timing import measure
from smoke_ros.data.dataset import collate
from smoke_ros.huge_pages import use_huge_pages
from smoke_ros.losses import SmokeLoss
from smoke_ros.training import learner
from smoke_ros.training.memory import keep_freed_memory
from smoke_ros.training.prepare import prepare
from smoke_ros.training.processes import Processes
from smoke_ros.training.run_config import read_sections

CONFIG = Path('config/train/demo.yaml')
#: (precision, whether with compiled gradients of depthwise weights, whether with kept memory).
CASES = [
    (precision, *measures)
    for precision in ('float32', 'bfloat16')
    for measures in ((False, False), (True, False), (True, True))
]
ROUNDS = 2


def measure_step(data: Path, batch: int, case: tuple[str, bool, bool]) -> float:
    """Return the median time of a step, in milliseconds."""
    precision, compiles, keeps = case
    use_huge_pages()
    if keeps:
        keep_freed_memory()
    options = [
        f'data.root={data}', f'training.precision={precision}', f'training.batch_size={batch}',
        'training.init=demo',
    ]  # fmt: skip
    sections = read_sections(CONFIG, options)
    del sections['validation']
    job = prepare(sections, str(CONFIG))
    samples = collate([job.training[i % len(job.training)] for i in range(batch)])
    plain = mock.patch.object(learner, 'train_depthwise_quickly', lambda _: 0)
    with contextlib.nullcontext() if compiles else plain:
        loss = SmokeLoss(job.run.model, job.run.loss)
        learns = learner.Learner(
            job.network, loss, job.run.training, Processes(torch.device('cpu'))
        )
        return measure('step', lambda: learns.step([samples], 0), 5, warm_up=2).median_ms


def main() -> int:
    """Measure, print a table, return the exit code."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.training', description=__doc__)
    parser.add_argument('data', type=Path, metavar='DATA')
    parser.add_argument('--batch', type=int, default=16, help='images of a step')
    args = parser.parse_args()
    print('\n'.join(f'{name}: {value}' for name, value in describe(torch.device('cpu')).items()))
    context = multiprocessing.get_context('spawn')
    times: dict[tuple[str, bool, bool], list[float]] = {case: [] for case in CASES}
    for _ in tqdm(range(ROUNDS), unit=' rounds', leave=False, disable=None):
        for case, found in times.items():
            with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
                found.append(pool.submit(measure_step, args.data, args.batch, case).result())
    print('\n| precision | what | median ms | images/s | of plain float32 |')
    print('| --- | --- | ---: | ---: | ---: |')
    baseline = statistics.median(times[CASES[0]])
    for case, found in times.items():
        what = 'plain PyTorch' if not case[1] else 'depthwise gradients compiled'
        median = statistics.median(found)
        print(
            f'| {case[0]} | {what}{", memory kept" if case[2] else ""} | {median:.0f} | '
            f'{1e3 * args.batch / median:.1f} | {median / baseline:.2f} |'
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
