"""``smoke-ros detect IMAGE|DIR``: find the objects in one image or a folder of them."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from smoke_ros import __version__
from smoke_ros.calibration import read_camera
from smoke_ros.config.detector import DetectorConfig
from smoke_ros.config.engine import EngineConfig
from smoke_ros.config.model import DEFAULT_MODEL
from smoke_ros.data.box_records import detection_record
from smoke_ros.data.kitti import detection_to_object, write_objects
from smoke_ros.data.layout import read_image, write_image
from smoke_ros.detector import Detector
from smoke_ros.drawing import annotate
from smoke_ros.evaluation.run_info import (
    RUN_INFO_FILE,
    RunInfo,
    read_run_info,
    write_run_info,
)
from smoke_ros.files import check_targets, list_files, write_text_atomically
from smoke_ros.option_arguments import (
    add_option_arguments,
    add_threshold_arguments,
    given_options,
    given_thresholds,
)
from smoke_ros.preprocess import Image
from smoke_ros.structures import CameraModel, Detection3D

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Find the objects in one image, or in every image of a folder, and print, draw or write them.
Boxes are in the camera's optical frame (x right, y down, z forward); see --json's "frame"."""

EXAMPLE = """\
example:
  smoke-ros detect image_2 --calib calib --model kitti_dla34_mmdet3d --draw pictures
  smoke-ros detect road.jpg --calib camera.yaml --model runs/mine/best.pth --json road.json"""

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp')
#: Exit code where some of the images could not be read.
EXIT_SOME_FAILED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument('images', type=Path, metavar='IMAGE|DIR', help='an image or a folder')
    parser.add_argument(
        '--calib', type=Path, required=True, metavar='FILE|DIR',
        help='a ROS calibration (.yaml) or a KITTI one (.txt), or a folder of such files named '
        'like the images',
    )  # fmt: skip
    parser.add_argument(
        '--rectified', action='store_true',
        help='the images are rectified: of a ROS calibration P applies, not K and D',
    )  # fmt: skip
    parser.add_argument(
        '--model', default=DEFAULT_MODEL, metavar='NAME|FILE',
        help='a name from models/registry.yaml or a weights file (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--device', default='auto', help='auto, cpu, cuda or cuda:N (default: %(default)s)'
    )
    add_option_arguments(parser, EngineConfig)
    add_threshold_arguments(parser)
    parser.add_argument(
        '--draw', type=Path, metavar='OUT', help='draw into this file, or folder for several'
    )
    parser.add_argument('--json', type=Path, metavar='OUT.json', help='write detections as JSON')
    parser.add_argument(
        '--kitti', type=Path, metavar='DIR',
        help='write KITTI result files; those of another model in DIR are removed',
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Detect, and write what was asked for; return the exit code."""
    paths = find_images(args.images)
    if not args.calib.exists():  # said before a model is downloaded rather than after it
        raise FileNotFoundError(f'{args.calib}: no such calibration file or folder')
    check_targets(_targets(paths, args), [*paths, *_calibrations(paths, args.calib)])
    config = DetectorConfig(**given_options(args, EngineConfig), **given_thresholds(args))
    detector = Detector.from_model(args.model, args.device, config)
    if args.kitti:
        _begin_results(args.kitti, RunInfo.of(detector))
    records, failed = [], 0
    with tqdm(paths, unit='image', disable=None if len(paths) > 1 else True) as bar:
        for path in bar:
            try:
                image, camera = _read_frame(path, args)
                detections = detector.detect(image, camera)
            except (ValueError, OSError) as error:
                if not args.images.is_dir():
                    raise
                logger.error('%s', error)
                failed += 1
                if args.kitti:  # what an earlier run may have found in it is not this run's
                    _result(path, args).unlink(missing_ok=True)
                continue
            records.append(_as_record(path, camera, detections))
            _write_outputs(path, image, camera, detections, args)
            if not (args.draw or args.json or args.kitti):
                _print_detections(path, detections)
    if args.json:
        document = {**_describe(detector), 'images': records}
        write_text_atomically(args.json, json.dumps(document, indent=1) + '\n')
    if failed:
        logger.error('%d of %d images could not be used', failed, len(paths))
    return EXIT_SOME_FAILED if failed else 0


def find_images(path: Path) -> list[Path]:
    """Return the image, or the folder's images in the order of their names.

    Raises
    ------
    FileNotFoundError
        If there is no such path, or no image in the folder.
    """
    if path.is_dir():
        found = list_files(path, IMAGE_SUFFIXES)
        if not found:
            raise FileNotFoundError(f'{path}: no image ({", ".join(IMAGE_SUFFIXES)}) in it')
        return found
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such image or folder')
    return [path]


def _targets(paths: list[Path], args: argparse.Namespace) -> list[Path]:
    """Return all files that will be written, but for those that tell results from other files."""
    stems = [path.stem for path in paths]
    if (args.draw or args.kitti) and len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise ValueError(
            f'{args.images}: several images are called {twice}, whose results would be one file; '
            'give them names of their own'
        )
    targets = [args.json] if args.json else []
    if args.draw:
        targets += [_drawing(path, args) for path in paths]
    if args.kitti:
        if list_files(args.kitti, ['.txt']) and not (args.kitti / RUN_INFO_FILE).is_file():
            raise ValueError(
                f'{args.kitti} has .txt files of something else, such as labels: give --kitti a '
                'folder of its own'
            )
        targets += [_result(path, args) for path in paths]
    return targets


def _drawing(path: Path, args: argparse.Namespace) -> Path:
    suffix = args.draw.suffix.lower()
    to_file = not args.images.is_dir() and suffix in IMAGE_SUFFIXES
    if suffix and not to_file and not args.images.is_dir() and not args.draw.is_dir():
        raise ValueError(
            f'{args.draw}: expected a picture ({", ".join(IMAGE_SUFFIXES)}) or a folder'
        )
    drawing: Path = args.draw if to_file else args.draw / f'{path.stem}.png'
    return drawing


def _result(path: Path, args: argparse.Namespace) -> Path:
    result: Path = args.kitti / f'{path.stem}.txt'
    return result


def _begin_results(folder: Path, info: RunInfo) -> None:
    """Note whose results are in a folder; what another model found leaves it."""
    if (folder / RUN_INFO_FILE).is_file() and _read_info(folder) != info:
        others = list_files(folder, ['.txt'])
        for path in others:
            path.unlink()
        if others:
            logger.warning('%s: removed %d results of another model', folder, len(others))
    write_run_info(folder, info)


def _read_info(folder: Path) -> RunInfo | None:
    try:
        return read_run_info(folder)
    except ValueError:  # damaged, so that nobody knows whose the results are
        return None


def _read_frame(path: Path, args: argparse.Namespace) -> tuple[Image, CameraModel]:
    image = read_image(path)
    calibration = _calibration_of(path, args.calib)
    size = (image.shape[1], image.shape[0])
    return image, read_camera(calibration, size, rectified=args.rectified)  # type: ignore[return-value]


def _calibrations(images: list[Path], calib: Path) -> list[Path]:
    """Return the files that may be calibrations of images, the first that is there counts."""
    if not calib.is_dir():
        return [calib]
    return [calib / f'{i.stem}{suffix}' for i in images for suffix in ('.txt', '.yaml', '.yml')]


def _calibration_of(image: Path, calib: Path) -> Path:
    candidates = _calibrations([image], calib)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(
        f'{image}: no calibration; looked for {", ".join(map(str, candidates))}'
    )


def _write_outputs(
    path: Path, image: Image, camera: CameraModel, detections: list[Detection3D],
    args: argparse.Namespace,
) -> None:  # fmt: skip
    if args.kitti:
        objects = [detection_to_object(detection) for detection in detections]
        write_objects(_result(path, args), objects)
    if args.draw:
        write_image(_drawing(path, args), annotate(image, detections, camera))


def _print_detections(path: Path, detections: list[Detection3D]) -> None:
    tqdm.write(f'{path}: {len(detections)} detections')
    for line in _lines(detections):
        tqdm.write(line)


def _lines(detections: list[Detection3D]) -> Iterator[str]:
    for d in detections:
        x, y, z = d.location
        length, height, width = d.dimensions
        heading = d.rotation_y
        yield (
            f'  {d.class_name:<12} {d.score:4.2f}  at x {x:+6.2f}  y {y:+5.2f}  z {z:6.2f} m  '
            f'size {length:4.2f} x {width:4.2f} x {height:4.2f} m  heading {heading:+5.2f} rad'
        )


def _as_record(path: Path, camera: CameraModel, detections: list[Detection3D]) -> dict[str, Any]:
    return {
        'file': str(path),
        'width': camera.width,
        'height': camera.height,
        'K': camera.K.tolist(),
        'D': list(camera.D),
        'distortion_model': camera.distortion_model,
        'detections': [detection_record(detection) for detection in detections],
    }


def _describe(detector: Detector) -> dict[str, Any]:
    return {
        'smoke_ros': __version__,
        'model': {
            'name': detector.info.name,
            'sha256': detector.info.sha256,
            'trained_on': detector.model.trained_on,
            'classes': list(detector.model.classes),
        },
        'frame': 'camera optical frame in metres (x right, y down, z forward); location is the '
        "box's geometric centre; angles in radians; bbox is x1, y1, x2, y2 in pixels, of the "
        'undistorted image (same K, no D) where D is not 0',
    }
