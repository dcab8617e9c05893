"""Values that a shader program is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from smoke_ros.structures import FloatArray

if TYPE_CHECKING:
    import moderngl


def set_uniforms(program: moderngl.Program, values: dict[str, Any]) -> None:
    """Set those of the values that a program uses."""
    for name, value in values.items():
        if name in program:
            program[name] = value


def write_matrix(program: moderngl.Program, name: str, matrix: FloatArray) -> None:
    """Set a matrix; OpenGL wants columns."""
    uniform: Any = program[name]
    uniform.write(np.ascontiguousarray(matrix.T, dtype=np.float32).tobytes())
