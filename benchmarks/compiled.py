"""The compiled engine on this machine's CPU: its time against the floor, and where it goes.

Run it as ``python -m benchmarks.compiled``. Every round measures the convolution peak, plain
PyTorch and the compiled engine within seconds of one another, so that their ratios hold on a
machine that does other things, too. Weights are random, and deformable taps move.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function
from tqdm import trange

from benchmarks.engines import NETWORK_GFLOP
from benchmarks.machine import convolution_peak, describe
from smoke_ros.config.model import ModelConfig
from smoke_ros.engines.compiled_cpu import CompiledCpuEngine
from smoke_ros.engines.eager import EagerEngine
from smoke_ros.huge_pages import use_huge_pages
from smoke_ros.network.deform_conv import DeformConv2d
from smoke_ros.network.smoke import Smoke, build_network

CPU = torch.device('cpu')
TOP_K = 50

#: What the profiler's names stand for; the rest is 'other'.
KINDS = {
    'aten::mkldnn_convolution': 'convolutions',
    'aten::_slow_conv2d_forward': 'convolutions',
    'aten::addmm': 'products of sampled taps and weights',
    'aten::bmm': "products of Winograd's tiles",
    '_to_tiles': "Winograd's transforms",
    '_from_tiles': "Winograd's transforms",
    '_sample': 'deformable sampling',
    '_statistics': 'GroupNorm, statistics',
    '_find_factors': 'GroupNorm, statistics',
    '_normalise': 'GroupNorm, scaling with residual and ReLU',
}


def main() -> int:
    """Print both tables in Markdown."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.compiled', description=__doc__)
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    use_huge_pages()
    for key, value in describe(CPU).items():
        print(f'{key}: {value}')
    network = make_network()
    engine, eager = CompiledCpuEngine(network, ModelConfig()), EagerEngine(network, CPU)
    images = torch.randn(1, 3, 384, 1280)
    actions: dict[str, Callable[[], object]] = {
        'eager': lambda: eager(images),
        'compiled, maps': lambda: engine(images),
        'compiled, peaks': lambda: engine.peaks(images, TOP_K),
    }
    times: dict[str, list[float]] = {name: [] for name in ('floor', *actions)}
    for action in actions.values():
        action()
    for _ in trange(args.rounds, unit=' rounds', leave=False, disable=None):
        times['floor'].append(1e3 * NETWORK_GFLOP / convolution_peak(CPU, repeats=3))
        for name, action in actions.items():
            times[name].append(time_ms(action))
    print('\n| what | median ms | best ms | median of the ratios to the floor |')
    print('| --- | ---: | ---: | ---: |')
    for name, values in times.items():
        ratio = statistics.median(v / f for v, f in zip(values, times['floor'], strict=True))
        print(f'| {name} | {statistics.median(values):.0f} | {min(values):.0f} | {ratio:.2f} |')
    print_kinds(lambda: engine(images))
    return 0


def make_network() -> Smoke:
    """Return DLA-34 with random weights, its taps moved by about a pixel."""
    torch.manual_seed(0)
    network = build_network(ModelConfig()).eval()
    for module in network.modules():
        if isinstance(module, DeformConv2d):
            fan_in = module.offset_mask.weight[0].numel()
            nn.init.normal_(module.offset_mask.weight, std=fan_in**-0.5)
    return network


def time_ms(action: Callable[[], object]) -> float:
    """Time one call."""
    begun = time.perf_counter()
    action()
    return 1e3 * (time.perf_counter() - begun)


def print_kinds(action: Callable[[], object]) -> None:
    """Print how the time divides among the kinds of work."""
    from smoke_ros.engines.kernels.threads import Kernel

    call = Kernel.__call__

    def recorded(kernel: Kernel, *args: object, **kwargs: object) -> None:
        with record_function(kernel.name):
            call(kernel, *args, **kwargs)

    Kernel.__call__ = recorded
    try:
        with profile(activities=[ProfilerActivity.CPU]) as profiled:
            action()
    finally:
        Kernel.__call__ = call
    kinds: dict[str, float] = {}
    for event in profiled.key_averages():
        kind = KINDS.get(event.key, 'other')
        kinds[kind] = kinds.get(kind, 0.0) + 1e-3 * event.self_cpu_time_total
    print('\n| kind of work | ms | share |\n| --- | ---: | ---: |')
    for kind, value in sorted(kinds.items(), key=lambda item: -item[1]):
        print(f'| {kind} | {value:.0f} | {value / sum(kinds.values()):.0%} |')


if __name__ == '__main__':
    sys.exit(main())
