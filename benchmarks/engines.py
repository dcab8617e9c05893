"""Engine by engine, each in a process of its own: time, rate, distance from the floor, memory."""

from __future__ import annotations

import concurrent.futures
import logging
import multiprocessing
import resource
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from benchmarks.machine import convolution_peak
from benchmarks.stages import IMAGE_SIZES, make_camera, make_image
from benchmarks.timing import Timing, measure
from smoke_ros.config.detector import DetectorConfig
from smoke_ros.detector import Detector
from smoke_ros.huge_pages import use_huge_pages
from smoke_ros.models import RANDOM

#: What DLA-34 costs at 1280x384; multiplications and additions count one each.
NETWORK_GFLOP = 113.9

#: (engine, precision) by type of device, the baseline first.
CASES = {
    'cpu': (
        ('eager', 'float32'), ('compiled', 'float32'), ('onnx', 'float32'), ('eager', 'bfloat16'),
    ),
    'cuda': (
        ('eager', 'float32'), ('eager', 'float16'), ('compiled', 'float16'),
        ('cuda_graph', 'float32'), ('cuda_graph', 'float16'), ('cuda_graph', 'bfloat16'),
        ('onnx', 'float16'), ('tensorrt', 'float16'),
    ),
}  # fmt: skip
BATCHES = {'cpu': (1, 2), 'cuda': (1, 4, 16, 32)}

HEADER = (
    '| engine | precision | batch | median ms | p95 ms | frames/s | times the floor | image to '
    'boxes ms | peak memory MB |\n| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |'
)


@dataclass(frozen=True)
class Case:
    """One row of the table, to be measured."""

    engine: str
    precision: str
    batch: int
    device: str
    repeats: int
    threads: int


@dataclass(frozen=True)
class Row:
    """A case and what came of it; ``missing`` says why nothing did."""

    case: Case
    missing: str = ''
    #: Normalised images to peaks in the host's memory.
    network: Timing | None = None
    #: Images in the host's memory to boxes.
    whole: Timing | None = None
    floor_ms: float = 0.0
    peak_memory_mb: float = 0.0

    def markdown(self) -> str:
        """Return the row of the table."""
        case = self.case
        name = f'| {case.engine} | {case.precision} | {case.batch} '
        if self.network is None or self.whole is None:
            return f'{name}| {self.missing} | | | | | |'
        median = self.network.median_ms
        return (
            f'{name}| {median:.1f} | {self.network.p95_ms:.1f} | {1e3 * case.batch / median:.2f} '
            f'| {median / self.floor_ms:.2f} | {self.whole.median_ms:.1f} '
            f'| {self.peak_memory_mb:.0f} |'
        )

    def record(self) -> dict[str, Any]:
        """Return the row as plain values."""
        times = {
            name: list(timing.times_ms)
            for name, timing in (('network', self.network), ('image_to_boxes', self.whole))
            if timing is not None
        }
        return {
            **asdict(self.case), 'missing': self.missing, 'times_ms': times,
            'floor_ms': self.floor_ms, 'peak_memory_mb': self.peak_memory_mb,
        }  # fmt: skip


def list_cases(
    device: torch.device, repeats: int, batches: Sequence[int] = (), engines: Sequence[str] = ()
) -> list[Case]:
    """Return the rows for a device; where given, only those batches and engines."""
    return [
        Case(engine, precision, batch, str(device), repeats, torch.get_num_threads())
        for engine, precision in CASES[device.type]
        for batch in batches or BATCHES[device.type]
        if not engines or engine in engines
    ]


def measure_engines(cases: Sequence[Case]) -> Iterator[Row]:
    """Measure each case in a fresh process, so that its peak of memory is its own."""
    context = multiprocessing.get_context('spawn')
    for case in cases:
        with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
            yield pool.submit(measure_case, case).result()


def measure_case(case: Case) -> Row:
    """Measure one case here."""
    logging.disable(logging.WARNING)  # the table says what does not run
    use_huge_pages()
    torch.set_num_threads(case.threads)
    config = DetectorConfig(engine=case.engine, precision=case.precision)
    detector = Detector.from_model(RANDOM, case.device, config)
    if detector.engine.name != case.engine:
        return Row(case, missing=detector.engine_summary.partition('; ')[2])
    image, camera = make_image(IMAGE_SIZES[0]), make_camera(IMAGE_SIZES[0])
    images, cameras = [image] * case.batch, [camera] * case.batch
    inputs = torch.cat([detector.preprocess(image, camera)] * case.batch)
    top_k = detector.model.top_k
    # The machine's peak of the same minute, before and after.
    peaks = [convolution_peak(detector.device, 3)]
    network = measure(
        'network', lambda: detector.engine.peaks(inputs, top_k).numpy(), case.repeats, warm_up=2
    )
    peaks.append(convolution_peak(detector.device, 3))
    whole = measure('whole', lambda: detector.detect_batch(images, cameras), case.repeats)
    floor_ms = 1e3 * NETWORK_GFLOP * case.batch / max(peaks)
    return Row(case, '', network, whole, floor_ms, _peak_memory_mb(detector.device))


def _peak_memory_mb(device: torch.device) -> float:
    """Return the process's peak in memory, or PyTorch's on a GPU."""
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
