"""How large each object would be in the image if nothing stood in front of it.

Every object is drawn alone into a cell of its own, which shows the window of the image plane that
it covers: pixel for pixel where it fits, else shrunk.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from smoke_ros.structures import CameraModel
from smoke_ros.synth.batches import Batches, draw_batch
from smoke_ros.synth.gpu_meshes import GpuMeshes
from smoke_ros.synth.levels import choose_levels
from smoke_ros.synth.projection import Window, camera_points, clip_from_camera, project_extent
from smoke_ros.synth.scene import BACKGROUND, Instance, Scene, Viewpoint
from smoke_ros.synth.uniforms import write_matrix

if TYPE_CHECKING:
    import moderngl

#: Pixels along a cell, and cells along the sheet.
CELL_PX, CELLS = 160, 6


@dataclass(frozen=True)
class Extent:
    """An object alone, in pixels of the picture."""

    #: Of its mask if the image had no border.
    area_px: float
    #: Of its mask inside the image.
    inside_px: float
    #: Around all of it, not clipped to the image: x1, y1, x2, y2.
    bbox_xyxy_px: Window


@dataclass(frozen=True, eq=False)
class _Task:
    """Instances to draw alone, as seen through a window of the image plane."""

    object_id: int
    #: Places of its parts among all parts.
    parts: Sequence[int]
    window: Window
    #: What its area is that of: the whole object, the part inside the image, or both.
    whole: bool
    inside: bool


def measure_areas(
    context: moderngl.Context, meshes: GpuMeshes, scene: Scene, view: Viewpoint,
    object_ids: Collection[int] | None = None,
) -> dict[int, Extent]:  # fmt: skip
    """Measure objects; see :meth:`smoke_ros.synth.renderer.Renderer.areas`."""
    wanted = [
        each
        for each in scene.instances
        if each.object_id != BACKGROUND and (object_ids is None or each.object_id in object_ids)
    ]
    instances = choose_levels(wanted, view)
    objects: dict[int, list[int]] = {}
    for index, instance in enumerate(instances):
        objects.setdefault(instance.object_id, []).append(index)
    boxes = {key: _extent([instances[i] for i in parts], view) for key, parts in objects.items()}
    tasks = [
        task
        for key, parts in objects.items()
        if (box := boxes[key]) is not None
        for task in _tasks(key, parts, box, view.camera)
    ]
    whole: dict[int, float] = {}
    inside: dict[int, float] = {}
    batches = Batches(context, meshes, instances, view)
    for task, area in zip(tasks, _draw_alone(context, batches, tasks, view), strict=True):
        if task.whole:
            whole[task.object_id] = area
        if task.inside:
            inside[task.object_id] = area
    return {
        key: Extent(whole[key], inside.get(key, 0.0), box)
        for key, box in boxes.items()
        if box is not None
    }


def _extent(parts: Sequence[Instance], view: Viewpoint) -> Window | None:
    boxes = [
        project_extent(camera_points(view, part), part.mesh.triangles, view.camera)
        for part in parts
    ]
    seen = np.array([box for box in boxes if box is not None])
    if len(seen) == 0:
        return None
    x1, y1 = seen[:, :2].min(axis=0).tolist()
    x2, y2 = seen[:, 2:].max(axis=0).tolist()
    return x1, y1, x2, y2


def _tasks(
    object_id: int, parts: Sequence[int], box: Window, camera: CameraModel
) -> Iterator[_Task]:
    """Yield the windows to look through: all of an object, and what of it is in the image."""
    # Edges lie between pixels, so that a cell's pixels are the image's.
    x1, y1 = (math.floor(value) - 0.5 for value in box[:2])
    x2, y2 = (math.ceil(value) + 0.5 for value in box[2:])
    whole = x1, y1, x2, y2
    x1, y1 = max(x1, -0.5), max(y1, -0.5)
    x2, y2 = min(x2, camera.width - 0.5), min(y2, camera.height - 0.5)
    inside = x1, y1, x2, y2
    yield _Task(object_id, parts, whole, whole=True, inside=inside == whole)
    if x1 < x2 and y1 < y2 and inside != whole:
        yield _Task(object_id, parts, inside, whole=False, inside=True)


def _draw_alone(
    context: moderngl.Context, batches: Batches, tasks: Sequence[_Task], view: Viewpoint
) -> Iterator[float]:
    """Yield the area of each task's mask, in pixels of the picture."""
    side = CELL_PX * CELLS
    # Whatever is not 0, an id of at least 1, is 255 here.
    sheet = context.framebuffer([context.renderbuffer((side, side), 1)])
    batches.bind()
    remaining = iter(tasks)
    while page := list(islice(remaining, CELLS * CELLS)):
        sheet.use()
        sheet.clear()
        context.enable_only(context.NOTHING)
        context.front_face = 'cw'
        sizes = [_draw_cell(context, batches, i, task, view) for i, task in enumerate(page)]
        drawn = np.frombuffer(sheet.read(components=1), np.uint8).reshape(side, side)
        for index, (task, (width, height)) in enumerate(zip(page, sizes, strict=True)):
            row, column = (CELL_PX * place for place in divmod(index, CELLS))
            mask = drawn[row : row + height, column : column + width]
            x1, y1, x2, y2 = task.window
            yield float(np.count_nonzero(mask)) * ((x2 - x1) / width) * ((y2 - y1) / height)


def _draw_cell(
    context: moderngl.Context, batches: Batches, index: int, task: _Task, view: Viewpoint
) -> tuple[int, int]:
    """Draw one object alone; return the width and height that it takes of its cell."""
    x1, y1, x2, y2 = task.window
    width, height = (min(CELL_PX, round(size)) for size in (x2 - x1, y2 - y1))
    row, column = (CELL_PX * place for place in divmod(index, CELLS))
    context.viewport = context.scissor = (column, row, width, height)
    matrix = clip_from_camera(view.camera, task.window) @ view.camera_from_world
    for batch in batches.of(task.parts):
        write_matrix(batch.mesh.arrays['ids'].program, 'clip_from_world', matrix)
        draw_batch(context, 'ids', batch)
    context.disable(context.CULL_FACE)
    context.scissor = None
    return width, height
