"""How a network is run: by what, and in which precision."""

from __future__ import annotations

from dataclasses import dataclass

from smoke_ros.config.options import check, option


@dataclass(frozen=True)
class EngineConfig:
    """Options of :func:`smoke_ros.engines.choose_engine`."""

    engine: str = option(
        'auto',
        'what runs the network: plain PyTorch (eager), kernels compiled on this machine '
        '(compiled), a CUDA graph, ONNX Runtime or TensorRT; auto is compiled on a CPU and '
        'cuda_graph on a GPU. One that cannot run here is replaced, which the log says',
        choices=('auto', 'eager', 'compiled', 'cuda_graph', 'onnx', 'tensorrt'),
    )
    precision: str = option(
        'auto',
        'number format of the convolutions; auto is float32 on a CPU and for eager, and float16 '
        'for the other engines on a GPU',
        choices=('auto', 'float32', 'bfloat16', 'float16'),
    )

    def __post_init__(self) -> None:
        check(self)
