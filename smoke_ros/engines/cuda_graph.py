"""Image in host memory to peaks as one CUDA graph: one copy up, one launch, one copy back."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from smoke_ros import coder
from smoke_ros.config.model import ModelConfig
from smoke_ros.engines.compiled_gpu import Network, exact_convolutions, fuse, gpu_network
from smoke_ros.engines.errors import EngineUnavailableError, first_line
from smoke_ros.engines.image_preparation import TABLE_TENSORS, Preparation, WarpTables
from smoke_ros.network.smoke import Smoke
from smoke_ros.preprocess import Image, InputGeometry

logger = logging.getLogger(__name__)

#: Graphs that are kept: one for each combination of image sizes that occurs, in any order.
#: Four cameras of different sizes make fifteen.
MOST_GRAPHS = 16
#: Runs before the capture: libraries choose their algorithms and reserve memory in these.
WARM_UPS = 3

T = TypeVar('T')


class CudaGraphEngine:
    """Replays what was captured: no kernel is launched from Python, nothing is allocated.

    Images are laid into the network's input on the GPU. It has a stream of its own, so that it
    waits for nothing but itself. On a CPU, for tests, the same functions run without a graph.

    Raises
    ------
    EngineUnavailableError
        If the network cannot be captured.
    """

    name = 'cuda_graph'

    def __init__(
        self, network: Smoke, model: ModelConfig, device: torch.device, precision: str
    ) -> None:
        self.device = device
        self.precision = precision
        self._model = model
        self._prepare = Preparation(model, device)
        self._stream = torch.cuda.Stream(device) if device.type == 'cuda' else None
        self._graphs: dict[Hashable, Recording | ImageRecording] = {}
        module = gpu_network(network, device, precision)
        self._network: Network = module
        if device.type == 'cuda':
            self._network = self._fastest(module)

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`smoke_ros.engines.engine.Engine`."""
        recording = self._cached(
            ('maps', images.shape),
            lambda: Recording(self._maps, [self._new(images.shape)], self._stream),
        )
        heatmap, regression = recording.replay([images])
        return heatmap.clone(), regression.clone()

    def peaks(self, images: Tensor, top_k: int) -> coder.Peaks:
        """See :class:`smoke_ros.engines.engine.Engine`; they lie in the host's memory."""

        def find(static: Tensor) -> tuple[Tensor, ...]:
            return (pack(coder.select_peaks(*self._maps(static), top_k)),)

        recording = self._cached(
            ('peaks', images.shape, top_k),
            lambda: Recording(find, [self._new(images.shape)], self._stream),
        )
        return unpack(recording.replay([images])[0].cpu())

    def peaks_of_images(
        self, images_bgr: Sequence[Image], geometries: Sequence[InputGeometry], top_k: int
    ) -> coder.Peaks:
        """See :class:`smoke_ros.engines.engine.ImageEngine`."""
        order = sorted(range(len(images_bgr)), key=lambda i: images_bgr[i].shape)
        images = [images_bgr[i] for i in order]
        tables = [geometries[i] for i in order]
        shapes = tuple(image.shape for image in images)

        def record() -> ImageRecording:
            function = self._peaks_function(len(shapes), top_k)
            return ImageRecording(function, shapes, tables, self.device, self._stream)

        recording = self._cached(('images', shapes, top_k), record)
        found = recording.run(images, tables)
        return unpack(found[np.argsort(order)])

    def _peaks_function(self, count: int, top_k: int) -> Callable[..., tuple[Tensor, ...]]:
        size = TABLE_TENSORS

        def find(*static: Tensor) -> tuple[Tensor, ...]:
            images, rest = static[:count], static[count:]
            prepared = [
                self._prepare(image, WarpTables.from_tensors(rest[size * i : size * (i + 1)]))
                for i, image in enumerate(images)
            ]
            return (pack(coder.select_peaks(*self._maps(torch.cat(prepared)), top_k)),)

        return find

    def _maps(self, images: Tensor) -> tuple[Tensor, Tensor]:
        with exact_convolutions():
            return self._network(images.contiguous(memory_format=torch.channels_last))

    def _new(self, shape: torch.Size) -> Tensor:
        return torch.zeros(shape, device=self.device)

    def _cached(self, key: Hashable, record: Callable[[], T]) -> T:
        found = self._graphs.pop(key, None)
        if found is None:
            if len(self._graphs) >= MOST_GRAPHS:  # the one that was not needed for longest
                self._graphs.pop(next(iter(self._graphs)))
            found = record()  # type: ignore[assignment]
        self._graphs[key] = found  # type: ignore[assignment]
        return found  # type: ignore[return-value]

    def _fastest(self, module: torch.nn.Module) -> Network:
        """Return the network fused by torch.compile, or as it is where that fails."""
        shape = torch.Size((1, 3, self._model.input_height, self._model.input_width))
        for make in (fuse, lambda plain: plain):
            try:
                self._network = make(module)
                self(self._new(shape))
            except RuntimeError as error:  # an EngineUnavailableError is one
                reason = first_line(error)
                logger.info('cuda_graph: %s', reason)
                self._graphs.clear()
            else:
                return self._network
        raise EngineUnavailableError(f'the network could not be captured: {reason}')


class Recording:
    """A function of tensors with fixed shapes: a CUDA graph, or on a CPU the function itself."""

    def __init__(
        self, function: Callable[..., tuple[Tensor, ...]], inputs: list[Tensor],
        stream: torch.cuda.Stream | None,
    ) -> None:  # fmt: skip
        self.inputs = inputs
        self._function = function
        self._stream = stream
        self._graph: torch.cuda.CUDAGraph | None = None
        if stream is not None:
            self._capture(stream)

    def replay(self, values: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Copy the values in and run; what is returned is overwritten by the next call."""
        if self._stream is not None:  # the values may still be on their way
            self._stream.wait_stream(torch.cuda.current_stream(self._stream.device))
        with torch.no_grad(), on_stream(self._stream):
            for static, value in zip(self.inputs, values, strict=True):
                static.copy_(value, non_blocking=True)
            outputs = self.launch()
        if self._stream is not None:
            self._stream.synchronize()
        return outputs

    def launch(self) -> tuple[Tensor, ...]:
        """Run on what lies in the inputs, on the current stream."""
        if self._graph is None:
            return self._function(*self.inputs)
        self._graph.replay()
        return self._outputs

    def _capture(self, stream: torch.cuda.Stream) -> None:
        stream.wait_stream(torch.cuda.current_stream(stream.device))
        with torch.no_grad(), torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                self._function(*self.inputs)
            stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            # Other threads may use the GPU meanwhile.
            with torch.cuda.graph(graph, stream=stream, capture_error_mode='thread_local'):
                self._outputs = self._function(*self.inputs)
        self._graph = graph


class ImageRecording:
    """Images of fixed sizes to packed peaks, through pinned memory."""

    def __init__(
        self, function: Callable[..., tuple[Tensor, ...]], shapes: Sequence[tuple[int, ...]],
        geometries: Sequence[InputGeometry], device: torch.device,
        stream: torch.cuda.Stream | None,
    ) -> None:  # fmt: skip
        self._device, self._stream = device, stream
        pins = self._stream is not None
        # Zeroed, as the capture runs on it.
        self._staging = [torch.zeros(s, dtype=torch.uint8, pin_memory=pins) for s in shapes]
        self._geometries = list(geometries)
        tables = [
            WarpTables.of((shape[1], shape[0]), geometry, device)
            for shape, geometry in zip(shapes, geometries, strict=True)
        ]
        images = [staged.to(self._device, copy=True) for staged in self._staging]
        inputs = [*images, *(tensor for table in tables for tensor in table.tensors())]
        self._recording = Recording(function, inputs, self._stream)
        with torch.no_grad():
            packed = self._recording.launch()[0]
        self._result = torch.zeros(packed.shape, pin_memory=pins)

    def run(self, images: Sequence[Image], geometries: Sequence[InputGeometry]) -> Tensor:
        """Return the packed peaks of the images, in the host's memory."""
        with torch.no_grad(), on_stream(self._stream):
            for i, (image, geometry) in enumerate(zip(images, geometries, strict=True)):
                np.copyto(self._staging[i].numpy(), image)
                self._recording.inputs[i].copy_(self._staging[i], non_blocking=True)
                self._set_geometry(i, geometry)
            self._result.copy_(self._recording.launch()[0], non_blocking=True)
        if self._stream is not None:
            self._stream.synchronize()
        return self._result.clone()

    def _set_geometry(self, index: int, geometry: InputGeometry) -> None:
        if self._geometries[index] == geometry:
            return
        height, width, _ = self._staging[index].shape
        tensors = WarpTables.of((width, height), geometry, self._device).tensors()
        first = len(self._staging) + index * len(tensors)
        for static, value in zip(self._recording.inputs[first:], tensors, strict=False):
            static.copy_(value)
        self._geometries[index] = geometry


def pack(peaks: coder.Peaks) -> Tensor:
    """Return peaks as one (B, k, 4 + channels) float32 tensor, for one copy to the host."""
    return torch.cat(
        (
            peaks.scores[..., None], peaks.class_ids[..., None].float(),
            peaks.keypoints_feat.float(), peaks.regression,
        ), dim=-1,
    )  # fmt: skip


def unpack(packed: Tensor) -> coder.Peaks:
    """Invert :func:`pack`."""
    ids, keypoints = packed[..., 1].long(), packed[..., 2:4].long()
    return coder.Peaks(packed[..., 0], ids, keypoints, packed[..., 4:])


def on_stream(stream: torch.cuda.Stream | None) -> contextlib.AbstractContextManager[object]:
    """Run a block's work on a stream, where there is one."""
    return contextlib.nullcontext() if stream is None else torch.cuda.stream(stream)
