"""Draws a scene with OpenGL, without a display: its picture, and what is seen at each pixel.

The picture is drawn `supersampling` times as large and shrunk, which on a processor costs less
than multisampling. Ids and depths are drawn on their own, at the centres of the pixels.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from smoke_ros.structures import FloatArray
from smoke_ros.synth.areas import Extent, measure_areas
from smoke_ros.synth.batches import Batch, Batches, draw_batch
from smoke_ros.synth.gpu_meshes import GpuMeshes
from smoke_ros.synth.levels import choose_levels
from smoke_ros.synth.meshes.textures import tiling_noise
from smoke_ros.synth.projection import LOWEST_M, clip_from_camera, shadow_from_world
from smoke_ros.synth.scene import Float32Array, Light, Scene, Viewpoint
from smoke_ros.synth.shaders import (
    CONTACT_FRAGMENT,
    CONTACT_VERTEX,
    FULL_SCREEN_VERTEX,
    INSTANCES,
    LIGHT,
    SKY_FRAGMENT,
    SURROUNDINGS,
    VERSION,
)
from smoke_ros.synth.uniforms import set_uniforms, write_matrix

if TYPE_CHECKING:
    import moderngl

#: Side of the shadow map in pixels.
SHADOW_PX = 1024
NOISE_PX = 256
#: How much of the light that falls on it land gives back to what stands there.
GROUND_REFLECTANCE = 0.18
#: How far the dark patch below an object reaches beyond its footprint, as a part of its smaller
#: side, and what it leaves of the light in its middle.
CONTACT_REACH, CONTACT_DARKEST = 0.13, 0.3

#: Texture units, beside that of the surfaces.
NOISE_UNIT, SHADOW_UNIT = 1, 2

MISSING_EGL = (
    'cannot draw: no OpenGL 4.3 context through EGL ({error}); install a driver (on Debian and '
    'Ubuntu: apt install libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri)'
)


class RendererError(OSError):
    """Nothing can be drawn on this machine; the message says what to install."""


@dataclass(frozen=True, eq=False)
class Rendering:
    """A drawn scene."""

    #: (H, W, 3), linear radiance in RGB, before exposure.
    image: Float32Array
    #: (H, W), object ids.
    ids: npt.NDArray[np.int32]
    #: (H, W), metres along the optical axis; infinite where there is only sky.
    depth: Float32Array


class Renderer:
    """An OpenGL context with everything that outlives a scene; use it in a `with` statement.

    Parameters
    ----------
    width, height
        Of the pictures; a viewpoint's camera must have the same.
    supersampling
        How much larger the picture is drawn before it is shrunk, at least 1.

    Raises
    ------
    RendererError
        If there is no OpenGL, or moderngl is not installed.
    """

    def __init__(self, width: int, height: int, supersampling: float) -> None:
        if width < 1 or height < 1 or supersampling < 1:
            raise ValueError(
                'width, height and supersampling must be at least 1, got '
                f'{width}x{height}, {supersampling}'
            )
        self.width, self.height, self.supersampling = width, height, supersampling
        self.context = open_context()
        with self.context:
            self._prepare()

    def _prepare(self) -> None:
        context, width, height = self.context, self.width, self.height
        supersampling = self.supersampling
        self.meshes = GpuMeshes(context)
        large = (round(width * supersampling), round(height * supersampling))
        self._large = context.framebuffer(
            [context.renderbuffer(large, 4, dtype='f2')], context.depth_renderbuffer(large)
        )
        size = (width, height)
        self._ids = context.framebuffer(
            [context.renderbuffer(size, 2, dtype='f4')], context.depth_renderbuffer(size)
        )
        self._shadow_map = context.depth_texture((SHADOW_PX, SHADOW_PX))
        self._shadow_map.compare_func = '<='
        self._shadow_map.repeat_x = self._shadow_map.repeat_y = False
        self._shadows = context.framebuffer(depth_attachment=self._shadow_map)
        noise = tiling_noise(np.random.default_rng(0), NOISE_PX)
        self._noise = context.texture(
            (NOISE_PX, NOISE_PX), 1, (255 * noise).astype(np.uint8).tobytes()
        )
        self._noise.build_mipmaps()
        self._noise.filter = (context.LINEAR_MIPMAP_NEAREST, context.LINEAR)
        self._sky = self._vertex_array(
            VERSION + FULL_SCREEN_VERTEX, VERSION + LIGHT + SURROUNDINGS + SKY_FRAGMENT
        )
        self._contact = self._vertex_array(
            VERSION + INSTANCES + CONTACT_VERTEX, VERSION + CONTACT_FRAGMENT
        )

    def __enter__(self) -> Renderer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        """Let go of the context and of everything in it."""
        with self.context:
            self.context.gc()
        self.context.release()

    def render(self, scene: Scene, view: Viewpoint) -> Rendering:
        """Draw a scene.

        Raises
        ------
        ValueError
            If the camera's size is not the renderer's.
        """
        self._check_size(view)
        with self.context:
            self.context.gc()
            return self._render(scene, view)

    def _render(self, scene: Scene, view: Viewpoint) -> Rendering:
        clip_from_world = clip_from_camera(view.camera) @ view.camera_from_world
        sun = np.asarray(scene.light.sun_direction, dtype=float)
        sun /= np.linalg.norm(sun)
        shadow = shadow_from_world(view, sun)
        # The map's axes run from 0 to 1, clip space's from -1 to 1.
        stretch = np.array([[2, 0, 0, -1], [0, 2, 0, -1], [0, 0, 2, -1], [0, 0, 0, 1.0]])
        shadow_clip = stretch @ shadow
        instances = choose_levels(scene.instances, view)
        batches = Batches(self.context, self.meshes, instances, view)
        batches.bind()
        self.context.enable_only(self.context.DEPTH_TEST)
        self._shadows.use()
        self._shadows.clear(depth=1.0)
        # The image's axis down is the framebuffer's up, which mirrors what is drawn. The shadow
        # map is no mirror: there it is the sides away from the sun that are drawn, so that what
        # lies in the sun does not shade itself.
        self.context.front_face = 'cw'
        lowest = float(np.linalg.inv(view.camera_from_world)[2, 3]) - LOWEST_M
        casters = batches.casting_into(clip_from_world, shadow_clip, sun, lowest)
        self._draw('shadows', casters, shadow_clip)
        seen = batches.reached_by(clip_from_world)
        self._ids.use()
        self._ids.clear(0.0, np.inf, depth=1.0)
        self._draw('ids', seen, clip_from_world)
        self._draw_picture(scene.light, sun, view, shadow, seen, batches)
        pixels = np.frombuffer(self._ids.read(components=2, dtype='f4'), np.float32)
        ids_and_depth = pixels.reshape(self.height, self.width, 2)
        return Rendering(
            self._read_picture(), ids_and_depth[..., 0].astype(np.int32),
            ids_and_depth[..., 1].copy(),
        )  # fmt: skip

    def areas(
        self, scene: Scene, view: Viewpoint, object_ids: Collection[int] | None = None
    ) -> dict[int, Extent]:
        """Measure objects as if each were alone and the image had no border.

        Parameters
        ----------
        scene, view
            What :meth:`render` drew.
        object_ids
            Those to measure; by default all but the background.

        Returns
        -------
        By id; an object that is entirely behind the camera is left out.
        """
        self._check_size(view)
        with self.context:
            return measure_areas(self.context, self.meshes, scene, view, object_ids)

    def _draw_picture(
        self, light: Light, sun: FloatArray, view: Viewpoint, shadow: FloatArray,
        seen: list[Batch], batches: Batches,
    ) -> None:  # fmt: skip
        clip_from_world = clip_from_camera(view.camera) @ view.camera_from_world
        world_from_camera = np.linalg.inv(view.camera_from_world)
        self._large.use()
        self._large.clear(depth=1.0)
        self._noise.use(NOISE_UNIT)
        self._shadow_map.use(SHADOW_UNIT)
        values = {
            **surroundings(light, sun),
            'eye': tuple(world_from_camera[:3, 3].tolist()),
            'fog_per_m': light.fog_per_m,
            'shadow_texel': 1.0 / SHADOW_PX,
            'noise': NOISE_UNIT,
            'shadows': SHADOW_UNIT,
        }
        for program in self.meshes.programs_of('picture'):
            set_uniforms(program, values)
            write_matrix(program, 'shadow_from_world', shadow)
        self._draw('picture', seen, clip_from_world)
        self.context.depth_func = '<='
        set_uniforms(self._sky.program, values)
        clip_from_ray = clip_from_camera(view.camera)[[0, 1, 3], :3]
        rays = world_from_camera[:3, :3] @ np.linalg.inv(clip_from_ray)
        write_matrix(self._sky.program, 'ray_from_clip', rays)
        self._sky.render(self.context.TRIANGLES, vertices=3)
        self.context.depth_func = '<'
        self._draw_contacts(batches, clip_from_world)

    def _draw_contacts(self, batches: Batches, clip_from_world: FloatArray) -> None:
        first, count = batches.contacts
        if not count:
            return
        program = self._contact.program
        set_uniforms(program, {'reach': CONTACT_REACH, 'darkest': CONTACT_DARKEST,
                               'first_instance': first})  # fmt: skip
        write_matrix(program, 'clip_from_world', clip_from_world)
        self.context.enable(self.context.BLEND)
        self.context.blend_func = self.context.ZERO, self.context.SRC_COLOR
        self._large.depth_mask = False
        self._contact.render(self.context.TRIANGLE_STRIP, vertices=4, instances=count)
        self._large.depth_mask = True
        self.context.disable(self.context.BLEND)

    def _draw(self, name: str, seen: list[Batch], clip_from_world: FloatArray) -> None:
        for program in self.meshes.programs_of(name):
            write_matrix(program, 'clip_from_world', clip_from_world)
        # What is cut out shades many layers; where something solid is in front, none.
        for batch in sorted(seen, key=lambda batch: batch.mesh.is_cutout):
            draw_batch(self.context, name, batch)
        self.context.disable(self.context.CULL_FACE)

    def _read_picture(self) -> Float32Array:
        width, height = self._large.size
        halves = np.frombuffer(self._large.read(components=4, dtype='f2'), np.int16)
        picture = cv2.convertFp16(halves.reshape(height, 4 * width)).reshape(height, width, 4)
        size = self.width, self.height
        # Up to a factor of 2 a pixel is the mean of four, whose weights differ little from the
        # areas that it covers of them.
        blends = cv2.INTER_LINEAR if self.supersampling <= 2 else cv2.INTER_AREA
        shrunk = cv2.resize(picture, size, interpolation=blends)
        return np.asarray(cv2.cvtColor(shrunk, cv2.COLOR_RGBA2RGB), np.float32)

    def _vertex_array(self, vertex: str, fragment: str) -> moderngl.VertexArray:
        return self.context.vertex_array(self.context.program(vertex, fragment), [])

    def _check_size(self, view: Viewpoint) -> None:
        size = view.camera.width, view.camera.height
        if size != (self.width, self.height):
            raise ValueError(
                f'the renderer draws {self.width}x{self.height}, '
                f'the camera has {size[0]}x{size[1]}'
            )


def open_context() -> moderngl.Context:
    """Open an OpenGL context that needs no display."""
    try:
        import moderngl
    except ImportError as error:
        raise RendererError(
            f'cannot draw: {error}; install it with pip, at the version in '
            'requirements/constraints.txt (make setup does)'
        ) from error
    try:
        context = moderngl.create_context(standalone=True, require=430, backend='egl')  # type: ignore[arg-type]
    except Exception as error:
        raise RendererError(MISSING_EGL.format(error=error)) from error
    # What is no longer used is freed by `gc()`, while this context is the current one: another's
    # objects have the same names.
    context.gc_mode = 'context_gc'
    return context


def surroundings(light: Light, sun: FloatArray) -> dict[str, Any]:
    """Return the values of the shaders' light."""
    sky = 0.5 * (np.array(light.zenith_colour) + light.horizon_colour)
    ground = GROUND_REFLECTANCE * (sky + max(float(sun[2]), 0.0) * np.array(light.sun_colour))
    return {
        'sun_direction': tuple(sun.tolist()),
        'sun_colour': light.sun_colour,
        'zenith_colour': light.zenith_colour,
        'horizon_colour': light.horizon_colour,
        'ground_colour': tuple(ground.tolist()),
        'clouds': light.clouds,
    }
