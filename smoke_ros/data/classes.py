"""What the names in labels are to a model: its classes, background, or regions to ignore."""

from __future__ import annotations

from collections.abc import Mapping

from smoke_ros.config.data import BACKGROUND, IGNORE, DataConfig
from smoke_ros.config.model import ModelConfig
from smoke_ros.data.kitti import KittiObject

#: What KITTI counts as hidden the most.
MOST_OCCLUDED = 3


def label_meanings(config: DataConfig, model: ModelConfig) -> dict[str, str]:
    """Return what each known name in labels stands for: a class, 'background' or 'ignore'.

    Raises
    ------
    ValueError
        If ``class_map`` sends a name to what is no class, or a class to another one.
    """
    meanings = {name: name for name in model.classes}
    for name, meaning in config.class_meanings().items():
        if meaning not in (*model.classes, BACKGROUND, IGNORE):
            raise ValueError(
                f'class_map: {name}={meaning} must name a class of the model '
                f'({", ".join(model.classes)}), {BACKGROUND} or {IGNORE}'
            )
        if name not in model.classes:
            meanings[name] = meaning
        elif meaning not in (name, BACKGROUND):
            raise ValueError(
                f'class_map: {name}={meaning}, but {name} is a class of the model; take it out '
                'of its classes, or out of class_map'
            )
    return meanings


def needs_bbox(config: DataConfig, model: ModelConfig) -> bool:
    """Return whether only objects with a 2D box are learnt from.

    It says where the keypoint is, or how large an object is and how much of it is to be seen.
    """
    is_placed_by_it = model.keypoint != 'projected_center'
    return is_placed_by_it or config.smallest_height > 0.0 or config.most_truncated < 1.0


def may_be_learnt(item: KittiObject, config: DataConfig, model: ModelConfig) -> bool:
    """Return whether what is labelled of an object lets it be learnt, in whatever window."""
    return (
        item.has_box
        and (item.has_bbox or not needs_bbox(config, model))
        and item.occlusion <= config.most_occluded
        and item.part_truncated <= config.most_truncated
    )


def check_names(
    config: DataConfig, model: ModelConfig, label_counts: Mapping[str, int]
) -> dict[str, str]:
    """Hold the names in labels against those that are known; return :func:`label_meanings`.

    Raises
    ------
    ValueError
        If a name is neither a class nor in ``class_map``.
    """
    meanings = label_meanings(config, model)
    unknown = [f'{name} ({n})' for name, n in sorted(label_counts.items()) if name not in meanings]
    if unknown:
        raise ValueError(
            f'{config.root}: the labels have {", ".join(unknown)}, which no class of the model '
            f'({", ".join(model.classes)}) is called and class_map does not name: add it to the '
            f'classes, or to class_map as NAME=CLASS, NAME={BACKGROUND} or NAME={IGNORE}'
        )
    return meanings


def check_classes(
    config: DataConfig, model: ModelConfig, label_counts: Mapping[str, int],
    box_counts: Mapping[str, int],
) -> dict[str, int]:  # fmt: skip
    """Hold the model's classes against the names in the labels, both ways.

    Parameters
    ----------
    config, model
        What names mean, and which classes there are.
    label_counts
        How often each name stands in the labels, :attr:`KittiDataset.label_counts`.
    box_counts
        How often so that they can be learnt, :attr:`KittiDataset.box_counts`.

    Returns
    -------
    The number of objects of each class that can be learnt.

    Raises
    ------
    ValueError
        If a class has no such object, or a name is neither a class nor in ``class_map``.
    """
    meanings = check_names(config, model, label_counts)
    objects = dict.fromkeys(model.classes, 0)
    for name, count in box_counts.items():
        if meanings[name] in objects:
            objects[meanings[name]] += count
    missing = [name for name, count in objects.items() if not count]
    if missing:
        found = ', '.join(f'{name} ({n})' for name, n in sorted(label_counts.items())) or 'nothing'
        boxes = 'a 3D box'
        if needs_bbox(config, model):
            boxes += (
                f' and a 2D box (with an area), which keypoint {model.keypoint}, smallest_height '
                f'{config.smallest_height:g} or most_truncated {config.most_truncated:g} need'
            )
        if config.most_occluded < MOST_OCCLUDED or config.most_truncated < 1.0:
            boxes += (
                f' that most_occluded {config.most_occluded} and most_truncated '
                f'{config.most_truncated:g} let be learnt'
            )
        if config.smallest_height > 0.0:
            boxes += f', {config.smallest_height:g} px high in the input (smallest_height)'
        raise ValueError(
            f'{config.root}: no {", ".join(missing)} is labelled with {boxes}, and with its '
            f'keypoint within an input of {model.input_width}x{model.input_height} px; the labels '
            f'have {found}: take it out of the classes, or name in class_map what the labels call '
            'it; or are the calibrations those of another size of image?'
        )
    return objects
