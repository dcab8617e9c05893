"""A drive along one street, with traffic that moves: frames that follow one another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from smoke_ros.data.drives import check_rate
from smoke_ros.files import write_text_atomically
from smoke_ros.synth.camera_effects import draw_look
from smoke_ros.synth.compose import compose, frame_generator, sort_models
from smoke_ros.synth.frame import Frame, SceneRenderer, take_picture
from smoke_ros.synth.generate import (
    Job,
    check_record,
    frame_name,
    load_catalogue,
    open_renderer,
    write_frame,
)  # fmt: skip
from smoke_ros.synth.lens import Lens
from smoke_ros.synth.meshes.catalogue import Catalogue
from smoke_ros.synth.street import KINDS
from smoke_ros.synth.traffic import Density

#: Streets on which much happens; one of them is drawn where none is asked for.
DRIVE_KINDS = ('urban', 'avenue', 'residential')
#: Seconds between the moments at which nothing may overlap; at 20 m/s, 1 m apart.
CHECK_EVERY_S = 0.05


def generate_drive(job: Job, rate_hz: float, kind: str = '') -> None:
    """Write the frames of a drive in KITTI's layout; ImageSets/all.txt names them in order.

    Parameters
    ----------
    job
        What to make; its seed tells drives apart.
    rate_hz
        Frames a second.
    kind
        The street's kind; drawn by default.

    Raises
    ------
    ValueError
        If the rate or the kind cannot be, or the folder holds frames made otherwise.
    """
    check_rate(rate_hz)
    check_record(job, {'drive': {'rate': rate_hz, 'street': kind, 'frames': job.frames}})
    lens = None if job.camera is None else Lens(job.camera)
    catalogue = load_catalogue(job.config, job.load_models())
    with open_renderer(job.config, lens) as renderer:
        frames = drive_frames(job, rate_hz, kind, catalogue, renderer, lens)
        for index, frame in enumerate(tqdm(frames, job.out.name, job.frames, disable=None)):
            write_frame(job.out, frame_name(index), frame, id_mask=job.id_masks)
    names = ''.join(f'{frame_name(index)}\n' for index in range(job.frames))
    write_text_atomically(job.out / 'ImageSets' / 'all.txt', names)


def drive_frames(
    job: Job, rate_hz: float, kind: str, catalogue: Catalogue, renderer: SceneRenderer,
    lens: Lens | None = None,
) -> Iterator[Frame]:  # fmt: skip
    """Yield the frames of a drive; an object keeps its id in all of them."""
    rng = frame_generator(job.seed, 0)
    kind = kind or str(rng.choice(DRIVE_KINDS))
    if kind not in KINDS:
        raise ValueError(f'the kind of street must be one of {", ".join(KINDS)}, got {kind!r}')
    duration_s = job.frames / rate_hz
    density = Density(
        large_close=True, people=1.5, own_speed=float(rng.uniform(*KINDS[kind].speed)),
        duration_s=duration_s,
    )  # fmt: skip
    cast, props = sort_models(catalogue, job.config.held_out)
    composition = compose(
        job.config, cast, props, rng, camera=lens.pinhole if lens else None, kind=kind,
        times=np.arange(0.0, duration_s + CHECK_EVERY_S, CHECK_EVERY_S).tolist(), density=density,
    )  # fmt: skip
    look = draw_look(job.config, rng)
    for index in range(job.frames):
        yield take_picture(
            composition, look, job.config, renderer, frame_generator(job.seed, index), lens,
            time_s=index / rate_hz,
        )  # fmt: skip
