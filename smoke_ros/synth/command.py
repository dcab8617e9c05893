"""``smoke-ros synth OUT``: labelled pictures of rendered streets."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from smoke_ros.calibration import (
    camera_from_calibration,
    is_ros_calibration,
    read_camera_yaml,
)
from smoke_ros.config.options import from_mapping, read_yaml
from smoke_ros.config.synth import SynthConfig
from smoke_ros.data.kitti import read_calibration
from smoke_ros.structures import CameraModel

DESCRIPTION = """\
Render streets with cars, trucks, people and cyclists, and write pictures, labels and calibrations
in KITTI's layout; or, with --drive, a drive along one street as frames and as a bag. Frame i
depends only on the seed and i, and a run that was interrupted goes on where it stopped. A drive is
made from its beginning by one process."""

EXAMPLE = """\
examples:
  smoke-ros synth rendered --frames 2000 --seed 1
  smoke-ros synth small --frames 10000 --size 640 192 --workers 2
  smoke-ros synth mine --frames 500 --camera camera.yaml --meshes my_cars --id-masks
  smoke-ros synth drive --drive --frames 100 --seed 4"""

#: Frames a second of a drive.
RATE_HZ = 10.0
#: Where a drive's bag goes, in OUT.
BAG = 'bag'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    default = SynthConfig()
    parser.add_argument('out', type=Path, metavar='OUT', help='folder of the data set')
    parser.add_argument(
        '--frames', type=int, default=100, metavar='N', help='how many (default: %(default)s)'
    )
    parser.add_argument(
        '--seed', type=int, default=0, metavar='S',
        help='the same seed gives the same pictures (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--size', type=int, nargs=2, metavar=('WIDTH', 'HEIGHT'),
        help=f'of the pictures (default: {default.width} {default.height}, or that of --camera)',
    )  # fmt: skip
    parser.add_argument(
        '--meshes', type=Path, metavar='DIR',
        help='a folder of .obj, .glb, .gltf and .dae files to use beside the built-in meshes',
    )  # fmt: skip
    parser.add_argument(
        '--mesh-calibration', type=Path, metavar='FILE',
        help='how those meshes stand (default: DIR/meshes.yaml); see docs/synth.md',
    )  # fmt: skip
    parser.add_argument(
        '--camera', type=Path, metavar='FILE',
        help='one camera for all pictures, with its distortion: a ROS calibration (.yaml) or a '
        'KITTI one (.txt)',
    )  # fmt: skip
    parser.add_argument(
        '--config', type=Path, metavar='FILE', help='other options, as YAML: see docs/synth.md'
    )
    parser.add_argument(
        '--held-out', action='store_true',
        help='use the meshes that are kept for testing rather than those for training',
    )  # fmt: skip
    parser.add_argument(
        '--id-masks', action='store_true', help='write which object each pixel shows (16-bit PNG)'
    )
    parser.add_argument(
        '--workers', type=int, default=2, metavar='N',
        help='processes that render frames other than a drive (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--drive', action='store_true',
        help=f'a drive with moving traffic: frames, and a ROS bag in OUT/{BAG}',
    )  # fmt: skip
    parser.add_argument(
        '--rate', type=float, default=RATE_HZ, metavar='HZ',
        help='of a drive (default: %(default)g)',
    )  # fmt: skip
    parser.add_argument(
        '--street', default='', metavar='KIND', help="of a drive (default: by the seed's chance)"
    )


def run(args: argparse.Namespace) -> int:
    """Make the data set; return the exit code."""
    # Here rather than above: --help also answers where there is no OpenGL.
    from smoke_ros.synth.generate import Job, generate

    for name in ('frames', 'workers'):
        if getattr(args, name) < 1:
            raise ValueError(f'--{name} must be at least 1, got {getattr(args, name)}')
    if args.seed < 0:
        raise ValueError(f'--seed must be at least 0, got {args.seed}')
    if not args.drive and (args.street or args.rate != RATE_HZ):
        raise ValueError(
            '--street and --rate are for --drive; other frames have streets of all kinds'
        )
    if args.mesh_calibration is not None and args.meshes is None:
        raise ValueError('--mesh-calibration needs --meshes')
    config, camera = read_settings(args)
    job = Job(
        args.out, args.seed, args.frames, config, args.meshes, args.mesh_calibration, camera,
        args.id_masks,
    )  # fmt: skip
    if args.drive:
        return _run_drive(args, job)
    made = generate(job, args.workers)
    print(f'made {made} frames; {args.out} has {args.frames}')
    return 0


def read_settings(args: argparse.Namespace) -> tuple[SynthConfig, CameraModel | None]:
    """Return the options with what the arguments say, and the camera if one is given."""
    options: dict[str, Any] = {}
    if args.config is not None:
        options = read_yaml(args.config) or {}
        if not isinstance(options, dict):
            raise ValueError(f'{args.config}: expected options, got {type(options).__name__}')
    if args.held_out:
        options['held_out'] = True
    if args.size:
        options['width'], options['height'] = args.size
    camera = None
    if args.camera is not None:
        camera = read_synth_camera(args.camera, tuple(args.size) if args.size else None)
        options['width'], options['height'] = camera.width, camera.height
    where = str(args.config or '--size')
    return from_mapping(SynthConfig, options, where), camera


def read_synth_camera(path: Path, size: tuple[int, int] | None) -> CameraModel:
    """Read a calibration for pictures of a size; by default its own."""
    if is_ros_calibration(path):
        return camera_from_calibration(read_camera_yaml(path), rectified=False, image_size=size)
    default = SynthConfig()
    camera = read_calibration(path, *(size or (default.width, default.height)))
    for centre, side, name in (
        (camera.K[0, 2], camera.width, 'width'), (camera.K[1, 2], camera.height, 'height'),
    ):  # fmt: skip
        if not side / 4 <= centre <= side * 3 / 4:
            raise ValueError(
                f'{path}: expected the calibration of pictures of {camera.width}x{camera.height}, '
                f'got a principal point at {centre:.0f} of the {name}: a KITTI calibration does '
                'not say its size, so give that of its pictures with --size'
            )
    # Labels are in the frame of the camera itself: there is no other one here.
    return CameraModel.from_intrinsics(camera.K, camera.width, camera.height)


def _run_drive(args: argparse.Namespace, job: Any) -> int:
    from smoke_ros.synth.drive import generate_drive
    from smoke_ros.synth.generate import write_lens

    generate_drive(job, args.rate, args.street)
    from smoke_ros.ros.synth_drive import write_bag

    counts = write_bag(args.out, args.out / BAG, args.rate, write_lens(job))
    for topic, count in counts.items():
        print(f'{topic}  {count} messages')
    return 0
