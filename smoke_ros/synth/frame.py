"""One labelled picture, from a seed and a number."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from smoke_ros.config.synth import SynthConfig
from smoke_ros.data.kitti import KittiObject
from smoke_ros.structures import CameraModel
from smoke_ros.synth.camera_effects import Image, Look, compress, develop, draw_look
from smoke_ros.synth.compose import Composition, compose, frame_generator, sort_models
from smoke_ros.synth.labels import Extent, find_visible, label
from smoke_ros.synth.lens import Lens
from smoke_ros.synth.meshes.catalogue import Catalogue
from smoke_ros.synth.scene import Float32Array, Scene, Viewpoint
from smoke_ros.synth.street import Generator


class Picture(Protocol):
    """What a renderer gives."""

    @property
    def image(self) -> Float32Array:
        """Give (H, W, 3) linear radiance, RGB."""

    @property
    def ids(self) -> npt.NDArray[np.int32]:
        """Give (H, W) object ids."""


class SceneRenderer(Protocol):
    """What is asked of a renderer; :class:`smoke_ros.synth.renderer.Renderer` is one."""

    def render(self, scene: Scene, view: Viewpoint) -> Picture:
        """Draw a scene."""

    def areas(
        self, scene: Scene, view: Viewpoint, object_ids: Collection[int] | None = None
    ) -> Mapping[int, Extent]:
        """Measure objects alone."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture with all that is known of it."""

    #: The picture, as a file.
    jpeg: bytes
    labels: list[KittiObject]
    camera: CameraModel
    #: (H, W) int32.
    ids: npt.NDArray[np.int32]

    @cached_property
    def image(self) -> Image:
        """(H, W, 3) uint8, BGR, as read from :attr:`jpeg`."""
        return np.asarray(
            cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8
        )


def generate_frame(
    seed: int, index: int, config: SynthConfig, catalogue: Catalogue, renderer: SceneRenderer,
    lens: Lens | None = None,
) -> Frame:  # fmt: skip
    """Make a picture and its labels.

    Parameters
    ----------
    seed, index
        The same two give the same picture.
    config
        Camera and content.
    catalogue
        The meshes.
    renderer
        For pictures of the config's size, or of the lens's.
    lens
        A camera in place of the drawn ones.
    """
    rng = frame_generator(seed, index)
    cast, props = sort_models(catalogue, config.held_out)
    camera = lens.pinhole if lens else None
    composition = compose(config, cast, props, rng, camera=camera)
    return take_picture(composition, draw_look(config, rng), config, renderer, rng, lens)


def take_picture(
    composition: Composition, look: Look, config: SynthConfig, renderer: SceneRenderer,
    rng: Generator, lens: Lens | None = None, time_s: float = 0.0,
) -> Frame:  # fmt: skip
    """Render a scene at a time, and label it."""
    scene, view = composition.at(time_s)
    picture = renderer.render(scene, view)
    radiance, ids, camera = picture.image, picture.ids, view.camera
    visible = find_visible(ids)
    extents = renderer.areas(scene, view, set(visible))
    if lens is not None:
        radiance, ids, camera = lens.distorted(radiance), lens.distorted_ids(ids), lens.camera
        # How much of an object is seen is told where its whole extent is known: before the lens.
        visible = {
            number: dataclasses.replace(bent, pixels=visible[number].pixels)
            for number, bent in find_visible(ids).items()
        }
    height = ids.shape[0]
    labels = label(composition.actors, view, visible, extents, config, height, time_s)
    jpeg = compress(develop(radiance, look, rng), look.quality)
    return Frame(jpeg, labels, camera, ids)
