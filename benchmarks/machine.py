"""What the figures were measured on, and how fast its convolutions can be at best."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.timing import measure
from smoke_ros import __version__

#: Convolutions (channels in and out, height, width) that come up in DLA-34; the best counts.
SHAPES = ((64, 96, 320), (128, 48, 160), (256, 24, 80), (512, 12, 40))


def describe(device: torch.device) -> dict[str, str]:
    """Return the machine, the versions and the date."""
    gpu = torch.cuda.get_device_name(device) if device.type == 'cuda' else 'none used'
    return {
        'processor': f'{_processor()}, {len(os.sched_getaffinity(0))} cores',
        'gpu': gpu,
        'versions': f'smoke_ros {__version__}, Python {platform.python_version()}, '
        f'torch {torch.__version__}, OpenCV {cv2.__version__}, numpy {np.__version__}',
        'threads': str(torch.get_num_threads()),
        'load': f'{os.getloadavg()[0]:.1f} processes on average in the minute before',
        'date': datetime.date.today().isoformat(),
    }


def convolution_peak(device: torch.device, repeats: int = 7) -> float:
    """Return the best rate of plain single-precision 3x3 convolutions, in GFLOP/s."""
    rates = []
    for channels, height, width in SHAPES:
        layer = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False).to(device)
        inputs = torch.randn(1, channels, height, width, device=device)

        def run(layer=layer, inputs=inputs) -> None:
            with torch.inference_mode():
                layer(inputs)
            if device.type == 'cuda':
                torch.cuda.synchronize(device)

        gflop = 2e-9 * 9 * channels * channels * height * width
        rates.append(gflop / (1e-3 * measure('', run, repeats, warm_up=2).best_ms))
    return max(rates)


def _processor() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.machine()
