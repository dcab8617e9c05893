"""What a rendered picture is made of: meshes, where they stand, the light and the camera.

The builders (streets, traffic) fill a :class:`Scene`; the renderer draws it; the labels compare
what was drawn with what is there. None of them knows how another works.

* **World frame**: x forward along the road, y left, z up (REP-103), metres; the road is near
  z = 0.
* **Object frame**: x forward (the way a vehicle drives), y left, z up; the origin is the middle
  of the footprint, z = 0 what it stands on. A yaw of 0 faces +x, positive turns left.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from smoke_ros.structures import CameraModel, FloatArray, Vector3

Float32Array = npt.NDArray[np.float32]

#: Object id of everything that is not labelled.
BACKGROUND = 0


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles with colours, in the object frame; made once and drawn many times.

    Colours are linear reflectances in [0, 1]. Where `paint` is 1 an instance's paint colour
    multiplies them.
    """

    name: str
    #: (V, 3), metres.
    positions: Float32Array
    #: (V, 3), unit length.
    normals: Float32Array
    #: (V, 3), multiplied with the texture where there is one.
    colours: Float32Array
    #: (V,), 0 to 1.
    paint: Float32Array
    #: (T, 3) indices of vertices, counter-clockwise seen from outside.
    triangles: npt.NDArray[np.int32]
    #: (V,), 0 (matt) to 1 (glass, car paint): how much of the sky and the sun it mirrors.
    gloss: Float32Array
    #: (V, 2), or None without a texture; (0, 0) is the texture's top left corner.
    uv: Float32Array | None = None
    #: (H, W, 4), sRGB and opacity (drawn where at least 0.4), or None.
    texture: npt.NDArray[np.uint8] | None = None
    #: With fewer triangles and the same bounding box, for where it is small and for its shadow.
    coarse: Mesh | None = None
    #: Whether the back sides of its triangles, which are clockwise there, need not be drawn.
    one_sided: bool = False

    @cached_property
    def dimensions(self) -> Vector3:
        """Length (x), height (z), width (y) of the bounding box, metres."""
        length, width, height = np.ptp(self.positions, axis=0).astype(float).tolist()
        return length, height, width


@dataclass(frozen=True, eq=False)
class Instance:
    """A mesh that stands somewhere."""

    mesh: Mesh
    #: Where the origin of its object frame is in the world, metres.
    position: Vector3
    #: About the world's z axis, radians.
    yaw: float = 0.0
    #: Factors along the object's own x, y, z.
    scale: Vector3 = (1.0, 1.0, 1.0)
    #: Linear reflectance that multiplies where the mesh has paint.
    paint: Vector3 = (1.0, 1.0, 1.0)
    #: Written to the id image; BACKGROUND or a number that no other object of the scene has. The
    #: parts of one object (a rider and the bicycle) share one.
    object_id: int = BACKGROUND

    @property
    def dimensions(self) -> Vector3:
        """Length, height, width of its box, metres."""
        length, height, width = self.mesh.dimensions
        return length * self.scale[0], height * self.scale[2], width * self.scale[1]


@dataclass(frozen=True)
class Light:
    """Sun, sky and air, in linear units where 1 is a white wall in full sun."""

    #: From the ground to the sun, world frame; normalised by the renderer.
    sun_direction: Vector3 = (0.3, 0.4, 0.8)
    sun_colour: Vector3 = (0.9, 0.85, 0.75)
    zenith_colour: Vector3 = (0.25, 0.4, 0.7)
    horizon_colour: Vector3 = (0.7, 0.75, 0.8)
    #: 0 cloudless to 1 overcast: structure of the sky.
    clouds: float = 0.2
    #: Extinction of the air per metre; what is far takes the horizon's colour.
    fog_per_m: float = 0.001


@dataclass(frozen=True, eq=False)
class Viewpoint:
    """A camera somewhere in the world."""

    #: Pinhole; a lens's distortion is applied to the picture afterwards.
    camera: CameraModel
    #: (4, 4): points of the world frame to the camera's optical frame.
    camera_from_world: FloatArray


@dataclass(eq=False)
class Scene:
    """Everything in one picture."""

    instances: list[Instance]
    light: Light = field(default_factory=Light)
