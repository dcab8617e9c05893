"""Rendered data sets in KITTI's layout, by several processes, resumed after interruptions."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import logging
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from smoke_ros import __version__
from smoke_ros.calibration import format_camera_yaml
from smoke_ros.config.synth import SynthConfig
from smoke_ros.data.kitti import write_calibration, write_objects
from smoke_ros.data.layout import write_image
from smoke_ros.files import replacing, sha256, write_text_atomically
from smoke_ros.structures import CameraModel
from smoke_ros.synth.frame import Frame, generate_frame
from smoke_ros.synth.lens import Lens
from smoke_ros.synth.meshes.catalogue import Catalogue, Model
from smoke_ros.synth.meshes.files import load_folder
from smoke_ros.synth.renderer import Renderer

logger = logging.getLogger(__name__)

#: What a data set was made of, beside its folders.
RECORD = 'synth.json'
#: The calibration of a camera with distortion, which KITTI's files cannot hold.
CAMERA_FILE = 'camera.yaml'
#: By which a process ends that crashed by itself.
CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL)


@dataclass(frozen=True, eq=False)
class Job:
    """A data set to be made."""

    out: Path
    seed: int
    frames: int
    config: SynthConfig
    #: A folder of meshes to be used beside the built-in ones.
    meshes: Path | None = None
    #: How those meshes stand, where no file in their folder says it.
    mesh_calibration: Path | None = None
    #: In place of drawn cameras.
    camera: CameraModel | None = None
    id_masks: bool = False

    def load_models(self) -> list[Model]:
        """Read the folder of meshes, if there is one."""
        return [] if self.meshes is None else load_folder(self.meshes, self.mesh_calibration)

    def record(self) -> dict[str, Any]:
        """Return what decides what the frames look like, for :data:`RECORD`."""
        camera, stands = None, self.mesh_calibration
        if self.camera is not None:
            camera = {
                'K': self.camera.K.tolist(), 'size': [self.camera.width, self.camera.height],
                'distortion_model': self.camera.distortion_model, 'D': list(self.camera.D),
            }  # fmt: skip
        return {
            'made_by': 'smoke-ros synth', 'version': __version__, 'seed': self.seed,
            'config': dataclasses.asdict(self.config),
            'meshes': None if self.meshes is None else _list_files(self.meshes),
            'mesh_calibration': stands and f'{stands.name} {sha256(stands)}',
            'camera': camera,
        }  # fmt: skip


def generate(job: Job, workers: int) -> int:
    """Make the frames that are not there yet; return how many were made.

    Images, labels and calibrations go into image_2, label_2 and calib, the frames' names into
    ImageSets/train.txt (test.txt with held-out meshes), id images into id_masks where asked for,
    and a camera with distortion into camera.yaml.

    Parameters
    ----------
    job
        What to make.
    workers
        Processes, each with a renderer of one thread; with 1 it is this one.

    Raises
    ------
    ValueError
        If the folder holds frames of another seed or other settings.
    RendererError
        If nothing can be drawn on this machine.
    ChildProcessError, RuntimeError
        If a worker was ended, or failed.
    """
    check_record(job)
    lens_file = write_lens(job)
    if lens_file is not None:
        logger.warning(
            'the pictures are distorted, of which calib says nothing: to train on them, undistort '
            'them by `smoke-ros kitti2bag %s BAG --calib %s` and `smoke-ros bag2kitti BAG DIR`',
            job.out, lens_file,
        )  # fmt: skip
    names = [frame_name(index) for index in range(job.frames)]
    missing = [index for index in range(job.frames) if not _is_complete(job, index)]
    if len(missing) < job.frames:
        logger.info('%d of %d frames are there already', job.frames - len(missing), job.frames)
    split = 'test' if job.config.held_out else 'train'
    write_text_atomically(
        job.out / 'ImageSets' / f'{split}.txt', ''.join(f'{name}\n' for name in names)
    )
    done = _in_processes(job, missing, workers) if workers > 1 else _make_frames(job, missing)
    for _ in tqdm(done, total=len(missing), unit='frame', disable=None):
        pass
    return len(missing)


def write_lens(job: Job) -> Path | None:
    """Write the job's camera into its folder, if it has distortion; return where."""
    if job.camera is None or not job.camera.has_distortion:
        return None
    path = job.out / CAMERA_FILE
    write_text_atomically(path, format_camera_yaml(job.camera))
    return path


def frame_name(index: int) -> str:
    """Return the name of a frame's files."""
    return f'{index:06d}'


def load_catalogue(config: SynthConfig, models: Sequence[Model] = (), batch: int = 0) -> Catalogue:
    """Make the built-in meshes, with other models beside them.

    Parameters
    ----------
    models
        Those of a folder, for example.
    batch
        Which of the sets of meshes that follow one another, see ``mesh_renewal``.
    """
    # The first batch's are those of data sets whose meshes never change, such as drives.
    seed = (config.mesh_seed, batch) if batch else config.mesh_seed
    return Catalogue.built_in(np.random.default_rng(seed)).with_vehicles(models)


def open_renderer(config: SynthConfig, lens: Lens | None) -> Renderer:
    """Open a renderer for the config's pictures, or for those of a lens's pinhole."""
    width, height = config.width, config.height
    if lens is not None:
        width, height = lens.pinhole.width, lens.pinhole.height
    return Renderer(width, height, supersampling=config.supersampling)


def write_frame(out: Path, name: str, frame: Frame, *, id_mask: bool = False) -> None:
    """Write a frame's files; the label last, by which the frame is known to be complete."""
    with replacing(out / 'image_2' / f'{name}.jpg') as temporary:
        temporary.write_bytes(frame.jpeg)
    write_calibration(out / 'calib' / f'{name}.txt', frame.camera)
    if id_mask:
        write_image(out / 'id_masks' / f'{name}.png', frame.ids.astype(np.uint16))
    write_objects(out / 'label_2' / f'{name}.txt', frame.labels)


def _is_complete(job: Job, index: int) -> bool:
    name = frame_name(index)
    files = [job.out / 'label_2' / f'{name}.txt']
    if job.id_masks:
        files.append(job.out / 'id_masks' / f'{name}.png')
    return all(file.is_file() for file in files)


def check_record(job: Job, more: dict[str, Any] | None = None) -> None:
    """Write the record with what there is `more`, or check the job against the one there.

    Raises
    ------
    ValueError
        If the folder holds frames of another seed or other settings, or other data.
    """
    path = job.out / RECORD
    record = json.loads(json.dumps({'drive': None, **job.record(), **(more or {})}))
    # Without frames, a record is that of a run that failed before its first one.
    if path.is_file() and (job.out / 'label_2').exists():
        found = json.loads(path.read_text(encoding='utf-8'))
        changed = sorted(key for key in record if found.get(key) != record[key])
        if changed:
            raise ValueError(
                f'{job.out} holds frames that were made otherwise ({", ".join(changed)} differ: '
                f'see {path.name}); give another folder, or the same settings to go on'
            )
        return
    if not path.is_file() and (job.out / 'label_2').exists():
        raise ValueError(f'{job.out} holds a data set that is not rendered; give another folder')
    write_text_atomically(path, json.dumps(record, indent=1) + '\n')


def _make_frames(job: Job, indices: list[int]) -> Iterator[int]:
    """Make frames one by one, and yield the number of each."""
    if not indices:
        return
    lens = None if job.camera is None else Lens(job.camera)
    models = job.load_models()
    with open_renderer(job.config, lens) as renderer:
        for batch, members in itertools.groupby(indices, job.config.mesh_batch):
            catalogue = load_catalogue(job.config, models, batch)
            for index in members:
                frame = generate_frame(job.seed, index, job.config, catalogue, renderer, lens)
                write_frame(job.out, frame_name(index), frame, id_mask=job.id_masks)
                yield index


@dataclass(eq=False)
class _Worker:
    """A process that makes frames, and those that it has still to make."""

    process: BaseProcess
    left: list[int]
    #: Whether it has made one.
    is_proven: bool = False


def _in_processes(job: Job, indices: list[int], workers: int) -> Iterator[int]:
    """Share frames among processes, and yield the number of each that is done."""
    # A forked process would share the parent's locks and threads, not all of them unlocked.
    context = multiprocessing.get_context('spawn')
    running: dict[Connection, _Worker] = {}

    def start(left: list[int]) -> None:
        # A pipe for each, which says by its end that the process has ended, however it did.
        reader, writer = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(job, left, writer), daemon=True)
        with _ignoring_interrupts():  # the process keeps that: Ctrl-C is this one's to answer
            process.start()
        writer.close()
        running[reader] = _Worker(process, left)

    try:
        for i in range(min(workers, len(indices))):
            start(indices[i::workers])
        while running:
            for reader in wait(list(running)):
                assert isinstance(reader, Connection)
                worker = running[reader]
                try:
                    message: int | Exception = reader.recv()
                except EOFError:
                    del running[reader]
                    worker.process.join()
                    if worker.left:
                        start(_after_crash(worker))
                    continue
                if isinstance(message, Exception):
                    raise message
                worker.left, worker.is_proven = worker.left[1:], True
                yield message
    finally:
        for worker in running.values():
            worker.process.terminate()
            worker.process.join()


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _after_crash(worker: _Worker) -> list[int]:
    """Return the frames that are left of a process that has ended, where another may go on.

    In tens of thousands of frames a graphics driver crashes now and then.

    Raises
    ------
    ChildProcessError
        If it was ended from outside, or crashed at its first frame, as another one would.
    """
    code = worker.process.exitcode or 0
    ended = f'with exit code {code}'
    if code < 0:
        ended = f'by {signal.Signals(-code).name}'
    message = f'a worker was ended {ended} at frame {frame_name(worker.left[0])}'
    if -code not in CRASHES or not worker.is_proven:
        raise ChildProcessError(
            f'{message}; the frames that are done are complete, and the same command goes on '
            'after them'
        )
    logger.warning('%s; another one goes on there', message)
    return worker.left


def _work(job: Job, indices: list[int], messages: Connection) -> None:
    """Make frames in a process of its own, one thread each: two processes beat two threads."""
    os.environ['LP_NUM_THREADS'] = '1'
    cv2.setNumThreads(1)
    try:
        for index in _make_frames(job, indices):
            messages.send(index)
    except BrokenPipeError:
        return  # Who is killed cannot end its workers: they would write on for hours.
    except (OSError, ValueError) as error:
        # Said in a sentence already, such as that there is no OpenGL.
        messages.send(error)
    except Exception:  # noqa: BLE001, handed to the parent, which raises it
        messages.send(RuntimeError(f'a worker failed:\n{traceback.format_exc()}'))


def _list_files(folder: Path) -> list[str]:
    """Name the files of a folder with their sizes, by which another one is told apart."""
    if not folder.is_dir():
        raise FileNotFoundError(f'{folder}: no such folder of meshes')
    files = sorted(path for path in folder.rglob('*') if path.is_file())
    return [
        f'{path.relative_to(folder)} '
        # Fronts and sizes may change where the number of letters does not.
        + (sha256(path) if path.suffix in ('.yaml', '.yml') else str(path.stat().st_size))
        for path in files
    ]
