"""How a network is run: by what, in which precision, and on how large an input."""

from __future__ import annotations

from dataclasses import dataclass

from smoke_ros.config.model import check_input_side
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
    input_width: int = option(
        0, "width of the network's input, a multiple of 32; 0 is the model's own. Images are made "
        'as wide', unit='px', low=0, high=8192,
    )  # fmt: skip
    input_height: int = option(
        0, "height of the network's input, a multiple of 32; 0 is the model's own. Of images that "
        'are higher then, the middle is seen; time grows with the area', unit='px', low=0,
        high=8192,
    )  # fmt: skip

    def __post_init__(self) -> None:
        check(self)
        for name in ('input_width', 'input_height'):
            check_input_side(name, getattr(self, name))
