"""Labelled frames in KITTI's layout as samples to train on.

Labels and calibrations are looked through once, at the start; images are read when their sample
is asked for. Frames that cannot be read are left out with a warning that counts them, or refused.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from smoke_ros.config.data import BACKGROUND, IGNORE, DataConfig
from smoke_ros.config.model import ModelConfig
from smoke_ros.data import augmentation as augment
from smoke_ros.data.classes import label_meanings, may_be_learnt
from smoke_ros.data.distractors import add_distractors
from smoke_ros.data.kitti import KittiObject
from smoke_ros.data.layout import UNREADABLE, KittiFolder
from smoke_ros.data.shadows import add_shadows
from smoke_ros.data.targets import Targets, View, make_targets
from smoke_ros.overlap import share_inside_2d
from smoke_ros.preprocess import (
    Image,
    InputGeometry,
    focal_ratio,
    normalise,
    warp_by_pillow,
)
from smoke_ros.structures import CameraModel, FloatArray

logger = logging.getLogger(__name__)

#: Frames that a warning names one by one.
MOST_NAMED = 10


@dataclass(frozen=True, eq=False)
class Sample:
    """One frame, ready for the network."""

    #: (3, H, W) float32, normalised.
    image: Tensor
    targets: Targets
    #: The frame's camera, mirrored where the sample is.
    camera: CameraModel
    frame_id: str


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples stacked."""

    #: (B, 3, H, W) float32, normalised.
    images: Tensor
    targets: Targets
    cameras: tuple[CameraModel, ...]
    frame_ids: tuple[str, ...]

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Batch:
        """Return a copy on a device."""
        images = self.images.to(device, non_blocking=non_blocking)
        targets = self.targets.to(device, non_blocking=non_blocking)
        return Batch(images, targets, self.cameras, self.frame_ids)

    def pin_memory(self) -> Batch:
        """Return a copy in pinned memory; data loaders call this."""
        targets = self.targets.pin_memory()
        return Batch(self.images.pin_memory(), targets, self.cameras, self.frame_ids)


def collate(samples: Sequence[Sample]) -> Batch:
    """Stack samples."""
    return Batch(
        torch.stack([sample.image for sample in samples]),
        Targets.stack([sample.targets for sample in samples]),
        tuple(sample.camera for sample in samples),
        tuple(sample.frame_id for sample in samples),
    )


class KittiDataset(Dataset[Sample]):
    """Frames of a split with their training targets.

    A sample depends on (seed, epoch, index) alone, whichever process makes it.

    Parameters
    ----------
    config
        Which frames, and how they are varied.
    model
        Classes, input and keypoints.
    training
        Whether samples are varied.
    seed
        Of the variation.

    Attributes
    ----------
    frames
        Names of the frames, those that cannot be read left out.
    label_counts
        How often each name stands in their labels.
    box_counts
        How often so that they can be learnt: with all that
        :func:`smoke_ros.data.classes.may_be_learnt` asks for, large enough and with a keypoint
        within the input, or within the image where windows are cut from it.

    Raises
    ------
    FileNotFoundError, KittiFormatError, ValueError
        If there is no such data set or split; with ``strict`` also if a label or a calibration
        cannot be read.
    """

    def __init__(
        self, config: DataConfig, model: ModelConfig, training: bool, seed: int = 0
    ) -> None:
        self.config, self.model, self.training, self.seed = config, model, training, seed
        self.folder = KittiFolder(config.root)
        self._meanings = label_meanings(config, model)
        self._epoch = 0
        self.frames, self.label_counts, self.box_counts = readable_frames(
            self.folder, self.folder.frames(config.split), strict=config.strict,
            select=self._select_learnt,
        )  # fmt: skip
        # Shared with the worker processes, each of which may come upon a damaged image.
        self._damaged = torch.zeros(len(self.frames), dtype=torch.bool).share_memory_()

    def __len__(self) -> int:
        return len(self.frames)

    def _select_learnt(
        self, objects: Iterable[KittiObject], camera: CameraModel
    ) -> list[KittiObject]:
        """Return the objects that are learnt where they look largest, whatever their classes."""
        geometry = self._closest_geometry((camera.width, camera.height))
        view = View(camera, geometry, self.model, self.config.keypoint_overlap)
        return [each for each in objects if not self._is_hard(each, geometry) and view.shows(each)]

    def _closest_geometry(self, image_size: tuple[int, int]) -> InputGeometry:
        """Return the input that shows a whole image: windows may be anywhere within it."""
        input_size = (self.model.input_width, self.model.input_height)
        if not self.config.crop_low:
            return InputGeometry.centred(image_size, input_size)
        width, height = image_size
        scale = (self.config.crop_width or input_size[0]) / (self.config.crop_low * width)
        whole = (math.ceil(scale * width), math.ceil(scale * height))
        return InputGeometry.centred(image_size, whole, scale)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose variations are made, in this process."""
        self._epoch = epoch

    def __getitem__(self, index: int) -> Sample:
        """Make a sample; for a frame with a damaged image, the next one's (see ``damaged``)."""
        if not 0 <= index < len(self):  # by which Python ends a loop over the samples
            raise IndexError(f'expected a sample from 0 to {len(self) - 1}, got {index}')
        for place in range(index, index + len(self)):
            candidate = place % len(self)
            if self._damaged[candidate]:
                continue
            frame = self.frames[candidate]
            try:
                image = self.folder.image(frame)
                camera = self.folder.camera(frame, (image.shape[1], image.shape[0]))
                objects = self.folder.labels(frame)
            except UNREADABLE as error:
                if self.config.strict:
                    raise
                self._leave_out(candidate, error)
                continue
            drawn = augment.Augmentation()
            if self.training:
                # Of the place that was asked for: the next frame's own turn looks different.
                drawn = augment.draw_augmentation(self.config, (self.seed, self._epoch, index))
            return self.make_sample(image, camera, objects, drawn, frame)
        raise ValueError(f'{self.folder.folder}: none of the {len(self)} images can be read')

    @property
    def damaged(self) -> tuple[str, ...]:
        """Frames whose images have turned out to be damaged so far, in any process."""
        return tuple(self.frames[i] for i in self._damaged.nonzero()[:, 0].tolist())

    def _leave_out(self, index: int, error: Exception) -> None:
        self._damaged[index] = True
        logger.warning(
            '%s; the frame is left out and the next one taken (%d of %d frames so far)',
            error, int(self._damaged.sum()), len(self),
        )  # fmt: skip

    def make_sample(
        self, image: Image, camera: CameraModel, objects: Iterable[KittiObject],
        drawn: augment.Augmentation, frame_id: str = '',
    ) -> Sample:  # fmt: skip
        """Vary a frame as ``drawn`` says, and make its sample.

        Parameters
        ----------
        image
            (h, w, 3) BGR.
        camera, objects
            As they are for the image.
        """
        if drawn.flip:
            image = np.asarray(cv2.flip(image, 1), np.uint8)
            camera = augment.flip_camera(camera)
            objects = [augment.flip_object(item, camera.width) for item in objects]
        geometry = augment.input_geometry(drawn, (camera.width, camera.height), self.model)
        learnt, ignored = self._sort_labels(objects, geometry)
        regresses = drawn.shift_scale is None or self.config.shift_scale_regression
        targets = make_targets(
            learnt, camera, geometry, self.model, max_objects=self.config.max_objects,
            learns_regression=regresses, ignored=ignored,
            depth_scale=focal_ratio(geometry, camera, self.model, self.config.focal_tolerance),
            smallest_radius=self.config.smallest_radius,
            min_overlap=self.config.keypoint_overlap,
        )  # fmt: skip
        warped = warp_by_pillow(image, geometry)
        if drawn.distractors:
            boxes = np.array([_in_input(item, geometry) for item in learnt]).reshape(-1, 4)
            warped = add_distractors(warped, boxes, drawn.distractors, drawn.distractor_seed)
        if drawn.shadows:
            warped = add_shadows(warped, drawn.shadows, drawn.shadow_seed)
        warped = augment.jitter_colours(warped, drawn)
        return Sample(normalise(warped, self.model)[0], targets, camera, frame_id)

    def _sort_labels(
        self, objects: Iterable[KittiObject], geometry: InputGeometry
    ) -> tuple[list[KittiObject], list[tuple[float, float, float, float]]]:
        """Return the objects of the model's classes, and the 2D boxes to ignore."""
        learnt, ignored = [], []
        for item in objects:
            meaning = self._meanings.get(item.class_name, BACKGROUND)
            if meaning == BACKGROUND:
                continue
            if meaning == IGNORE or self._is_hard(item, geometry):
                # What is there is no background, though its 3D box be unknown.
                ignored.append(item.bbox_xyxy_px)
            else:
                learnt.append(dataclasses.replace(item, class_name=meaning))
        return learnt, ignored

    def _is_hard(self, item: KittiObject, geometry: InputGeometry) -> bool:
        """Return whether an object is not to be learnt where it is seen like this."""
        height_px = geometry.scale * max(item.bbox_xyxy_px[3] - item.bbox_xyxy_px[1], 0.0)
        return (
            not may_be_learnt(item, self.config, self.model)
            or height_px < self.config.smallest_height
            or part_outside(item, geometry) > self.config.most_truncated
        )


def part_outside(item: KittiObject, geometry: InputGeometry) -> float:
    """Return which part of an object lies outside the image and the network's input.

    Of what the label's 2D box shows, the part outside the input is that of the box's area.
    """
    box = _in_input(item, geometry)
    shown = share_inside_2d(box, np.array([0.0, 0.0, geometry.width, geometry.height]))
    return float(1.0 - shown * (1.0 - item.part_truncated))


def _in_input(item: KittiObject, geometry: InputGeometry) -> FloatArray:
    """Return an object's 2D box, (4,), in pixels of the network's input."""
    shift = np.array([geometry.shift_x, geometry.shift_y] * 2)
    return geometry.scale * np.array(item.bbox_xyxy_px) + shift


def readable_frames(
    folder: KittiFolder, frames: Sequence[str], *, strict: bool,
    select: Callable[[Sequence[KittiObject], CameraModel], Sequence[KittiObject]] | None = None,
) -> tuple[tuple[str, ...], Counter[str], Counter[str]]:  # fmt: skip
    """Look through labels and calibrations; images need only be there.

    Returns
    -------
    The frames that can be read, and how often each name stands in their labels, at all and among
    the objects that ``select`` returns of a frame's (all, where it is None).

    Raises
    ------
    KittiFormatError, FileNotFoundError
        For the first one that cannot be read, if ``strict``.
    ValueError
        If none can be read.
    """
    counts: Counter[str] = Counter()
    boxes: Counter[str] = Counter()
    readable, troubles = [], []
    for frame in tqdm(frames, desc='reading labels', unit=' files', leave=False, disable=None):
        try:
            items = folder.labels(frame)
            camera = folder.camera(frame, folder.image_size(frame))
        except UNREADABLE as error:
            if strict:
                raise
            troubles.append(str(error))
            continue
        readable.append(frame)
        counts.update(item.class_name for item in items)
        selected = items if select is None else select(items, camera)
        boxes.update(item.class_name for item in selected)
    if troubles:
        rest = '' if len(troubles) <= MOST_NAMED else f'; and {len(troubles) - MOST_NAMED} more'
        logger.warning(
            '%d of %d frames cannot be read and are left out: %s%s',
            len(troubles), len(frames), '; '.join(troubles[:MOST_NAMED]), rest,
        )  # fmt: skip
    if not readable:
        raise ValueError(f'{folder.folder}: none of the {len(frames)} frames can be read')
    return tuple(readable), counts, boxes
