"""Meshes and textures as the renderer holds them, for as long as somebody else uses them."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from smoke_ros.synth.scene import Mesh
from smoke_ros.synth.shaders import (
    CUTOUT_FRAGMENT,
    CUTOUT_VERTEX,
    INSTANCES,
    LIGHT,
    LIGHTING,
    SHADOWS,
    SILHOUETTE_FRAGMENT,
    SILHOUETTE_VERTEX,
    SURFACE_FRAGMENT,
    SURFACE_VERTEX,
    SURROUNDINGS,
    VERSION,
)

if TYPE_CHECKING:
    import moderngl

#: A texture with a texel less opaque than this is cut out.
OPAQUE = 250
#: Up to here a surface mirrors nothing.
MATT_GLOSS = 0.08
#: Vertices are 13 floats: position, normal, colour, paint and gloss, uv.
BYTES_BEFORE_UV, BYTES_AFTER_POSITION = 44, 40


@dataclass(frozen=True, eq=False)
class GpuMesh:
    """A mesh's vertex arrays for the passes 'picture', 'ids' and 'shadows', and its size."""

    arrays: dict[str, moderngl.VertexArray]
    texture: moderngl.Texture | None
    #: Whether the texture has holes.
    is_cutout: bool
    one_sided: bool
    #: Bounding sphere in the object frame: centre and radius, metres.
    centre: npt.NDArray[np.float32]
    radius: float
    #: Bounding box in the object frame: its lowest and its highest corner, metres.
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]


class GpuMeshes:
    """Uploads a mesh when it is first drawn and lets go of it when the last reference does."""

    def __init__(self, context: moderngl.Context) -> None:
        self.context = context
        self.programs = make_programs(context)
        self._meshes: weakref.WeakKeyDictionary[Mesh, GpuMesh] = weakref.WeakKeyDictionary()
        self._textures: dict[int, tuple[weakref.ref[Any], moderngl.Texture, bool]] = {}

    def programs_of(self, name: str) -> list[moderngl.Program]:
        """Return the programs of a pass."""
        return [program for (of, _), program in self.programs.items() if of == name]

    def get(self, mesh: Mesh) -> GpuMesh:
        """Return the mesh on the GPU."""
        found = self._meshes.get(mesh)
        if found is None:
            found = self._meshes[mesh] = self._upload(mesh)
        return found

    def _upload(self, mesh: Mesh) -> GpuMesh:
        count = len(mesh.positions)
        uv = np.zeros((count, 2), np.float32) if mesh.uv is None else mesh.uv
        look = np.stack((mesh.paint, mesh.gloss), 1)
        vertices = np.concatenate((mesh.positions, mesh.normals, mesh.colours, look, uv), 1)
        data = self.context.buffer(vertices.astype(np.float32).tobytes())
        order = self.context.buffer(mesh.triangles.astype(np.int32).tobytes())
        texture, cutout = None, False
        if mesh.texture is not None and mesh.uv is not None:
            texture, cutout = self._texture(mesh.texture)
        style = 'cutout' if cutout else 'textured' if texture else 'plain'
        if not cutout and mesh.gloss.max(initial=0.0) > MATT_GLOSS:
            style = f'glossy {style}'
        outline_style = 'cutout' if cutout else 'solid'
        names = ('in_position', 'in_normal', 'in_colour', 'in_look')
        layouts = {
            'plain': ('3f 3f 3f 2f 2x4', *names),
            'textured': ('3f 3f 3f 2f 2f', *names, 'in_uv'),
            'outline': (f'3f {BYTES_AFTER_POSITION}x', 'in_position'),
            'cutout outline': (f'3f {BYTES_BEFORE_UV - 12}x 2f', 'in_position', 'in_uv'),
        }
        picture = layouts['textured' if texture else 'plain']
        outline = layouts['cutout outline' if cutout else 'outline']
        arrays = {
            'picture': self.context.vertex_array(
                self.programs['picture', style], [(data, *picture)], order
            )
        }
        for name in ('ids', 'shadows'):
            program = self.programs[name, outline_style]
            arrays[name] = self.context.vertex_array(program, [(data, *outline)], order)
        low, high = mesh.positions.min(axis=0), mesh.positions.max(axis=0)
        radius = float(np.linalg.norm(high - low)) / 2
        return GpuMesh(
            arrays, texture, cutout, mesh.one_sided, (low + high) / 2, radius, low, high
        )

    def _texture(self, pixels: npt.NDArray[np.uint8]) -> tuple[moderngl.Texture, bool]:
        key = id(pixels)
        if key not in self._textures:
            height, width = pixels.shape[:2]
            texture = self.context.texture(
                (width, height), 4, np.ascontiguousarray(pixels).tobytes()
            )
            texture.build_mipmaps()
            texture.filter = (self.context.LINEAR_MIPMAP_NEAREST, self.context.LINEAR)
            forget = weakref.ref(pixels, lambda _: self._textures.pop(key, None))
            self._textures[key] = forget, texture, bool(pixels[..., 3].min() < OPAQUE)
        return self._textures[key][1:]


def make_programs(context: moderngl.Context) -> dict[tuple[str, str], moderngl.Program]:
    """Compile the programs of each pass for the kinds of surfaces that it tells apart."""
    programs = {
        ('picture', 'cutout'): context.program(
            VERSION + INSTANCES + LIGHT + LIGHTING + SHADOWS + CUTOUT_VERTEX,
            VERSION + LIGHT + CUTOUT_FRAGMENT,
        )
    }
    surface = f'#define MATT_GLOSS {MATT_GLOSS}\n' + LIGHT + SURROUNDINGS + LIGHTING + SHADOWS
    surface += SURFACE_FRAGMENT
    for style in ('plain', 'textured', 'glossy plain', 'glossy textured'):
        defines = ''.join(f'#define {word.upper()}\n' for word in style.split())
        programs['picture', style] = context.program(
            VERSION + defines + INSTANCES + SURFACE_VERTEX, VERSION + defines + surface
        )
    for style, defines in (('solid', ''), ('cutout', '#define CUTOUT\n')):
        for name, define in (('ids', ''), ('shadows', '#define SHADOW\n')):
            head = VERSION + defines + define
            programs[name, style] = context.program(
                head + INSTANCES + SILHOUETTE_VERTEX, head + SILHOUETTE_FRAGMENT
            )
    return programs
