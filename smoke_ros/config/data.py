"""Which labelled frames are trained on, and how they are varied."""

from __future__ import annotations

from dataclasses import dataclass

from smoke_ros.config.model import check_input_side
from smoke_ros.config.options import check, check_ranges, option

#: What a label's name can stand for in ``class_map``, beside a class: nothing, or a region in
#: which the heatmap learns neither that there is something nor that there is nothing.
BACKGROUND, IGNORE = 'background', 'ignore'

#: Shifts and scales are multiples of it, as the authors'.
SHIFT_SCALE_STEP = 0.1


@dataclass(frozen=True)
class DataConfig:
    """Options of :class:`smoke_ros.data.dataset.KittiDataset`; the defaults are the authors'."""

    root: str = option('', 'folder with image_2, label_2 and calib, or with training/ of these')
    split: str = option(
        '', 'frames to use: a name in ImageSets such as train, or a file with a frame name on '
        'each line; all labelled frames if empty',
    )  # fmt: skip
    class_map: tuple[str, ...] = option(
        (
            'Van=background', 'Truck=background', 'Tram=background', 'Misc=background',
            'Person_sitting=background', 'DontCare=background',
        ),
        'what names of the labels that are not classes of the model stand for, as NAME=CLASS, '
        'NAME=background or NAME=ignore (heatmap not trained there)',
    )  # fmt: skip
    max_objects: int = option(
        30, 'most objects that are learnt of an image; the nearest where there are more',
        low=1, high=1000,
    )  # fmt: skip
    smallest_height: float = option(
        0.0, 'objects whose 2D box is lower than this are ignored: neither learnt nor background',
        unit='px of the input', low=0.0, high=1000.0,
    )  # fmt: skip
    most_occluded: int = option(
        3, 'objects that are hidden more than this, as KITTI counts (0 to 3), are ignored',
        low=0, high=3,
    )  # fmt: skip
    most_truncated: float = option(
        1.0, 'objects of which a larger part than this lies outside the input are ignored',
        low=0.0, high=1.0,
    )  # fmt: skip
    smallest_radius: int = option(
        0, "least radius of a keypoint's Gaussian; the authors have none, so that far objects "
        'have a single pixel, whose neighbours count as background', unit='px of the heatmap',
        low=0, high=10,
    )  # fmt: skip
    keypoint_overlap: float = option(
        0.7, "how much a box moved by a Gaussian's radius still overlaps the true one: less makes "
        'Gaussians wider, and large objects easier to learn', low=0.1, high=0.95,
    )  # fmt: skip
    flip_probability: float = option(
        0.5, 'part of the samples that are mirrored', low=0.0, high=1.0
    )
    shift_scale_probability: float = option(
        0.3, 'part of the samples that are shifted and scaled', low=0.0, high=1.0
    )
    shift_scale_regression: bool = option(
        False, 'whether shifted and scaled samples are learnt from as what another camera sees, '
        'with depths scaled as focal_tolerance tells; otherwise, as by the authors, only the '
        'heatmap learns from them',
    )  # fmt: skip
    focal_tolerance: float = option(
        0.02, "relative difference of a camera's focal length from the model's up to which depth "
        'is learnt as it is; beyond, it is learnt scaled by their ratio, as detection scales it '
        'back', low=0.0, high=10.0,
    )  # fmt: skip
    max_shift: float = option(
        0.2, "largest shift, in parts of the image's width and height", low=0.0, high=0.5
    )
    max_scale: float = option(
        0.4, 'largest change of the scale, as a part of it', low=0.0, high=0.9
    )
    crop_low: float = option(
        0.0, 'narrowest window that is cut from the image for a sample; not 0: windows of any '
        'width between crop_low and crop_high, anywhere within the image (one that is larger: '
        'around it), take the place of shifting and scaling', unit='widths of the image',
        low=0.0, high=4.0,
    )  # fmt: skip
    crop_high: float = option(
        1.0, 'widest window that is cut from the image, where crop_low is not 0',
        unit='widths of the image', low=0.05, high=4.0,
    )  # fmt: skip
    crop_width: int = option(
        0, "width that such a window is scaled to, a multiple of 32; 0: the input's",
        unit='px', low=0, high=8192,
    )  # fmt: skip
    crop_height: int = option(0, 'height that goes with it', unit='px', low=0, high=8192)
    colour_jitter: float = option(
        0.0, 'largest change of brightness, contrast and saturation, as a part of each; '
        'the authors have none', low=0.0, high=0.9,
    )  # fmt: skip
    gamma_low: float = option(
        1.0, 'smallest exponent of the tone curve: what brightness, from black (0) to white (1), '
        'is raised to; each sample has its own', low=0.2, high=5.0,
    )  # fmt: skip
    gamma_high: float = option(
        1.0, 'largest exponent of the tone curve; above 1 shadows are deeper and what is bright '
        'stands out, as sunlight does in photographs', low=0.2, high=5.0,
    )  # fmt: skip
    sharpness_jitter: float = option(
        0.0, 'largest amount by which what a blur would take away is added again, or half as much '
        'of it is taken away', low=0.0, high=5.0,
    )  # fmt: skip
    colour_mixing: float = option(
        0.0, 'part of the samples whose colours are mixed at random, and filtered a little: what '
        'things are shows in their shapes then, not in how a renderer colours them',
        low=0.0, high=1.0,
    )  # fmt: skip
    noise: float = option(
        0.0, "largest standard deviation of noise, drawn for each sample", unit='grey levels',
        low=0.0, high=100.0,
    )  # fmt: skip
    distractors: int = option(
        0, 'most shapes of random looks that are laid into a sample, beside what is to be learnt: '
        'bars and blobs that are neither people nor cars', low=0, high=100,
    )  # fmt: skip
    shadows: int = option(
        0, 'most patches of shade or sun that are laid over a sample and what is in it',
        low=0, high=100,
    )  # fmt: skip
    strict: bool = option(
        False, 'refuse images and labels that cannot be read, rather than leave them out'
    )

    def __post_init__(self) -> None:
        check(self)
        self.class_meanings()
        check_input_side('crop_width', self.crop_width)
        check_input_side('crop_height', self.crop_height)
        if bool(self.crop_width) != bool(self.crop_height):
            raise ValueError('give both crop_width and crop_height, or neither')
        check_ranges(self, 'crop', 'gamma')
        for name in ('max_shift', 'max_scale'):
            steps = getattr(self, name) / SHIFT_SCALE_STEP
            if abs(steps - round(steps)) > 1e-6:
                raise ValueError(
                    f'{name} must be a multiple of {SHIFT_SCALE_STEP}, in steps of which images '
                    f'are moved and scaled, got {getattr(self, name):g}'
                )
        if not self.crop_low and (self.crop_width or self.crop_high != 1.0):
            raise ValueError(
                'crop_width, crop_height and crop_high are those of windows, which crop_low 0 '
                'does not cut: set that, too'
            )
        if self.crop_low and not self.shift_scale_regression:
            raise ValueError(
                'crop_low makes every sample a window, of which the heatmap alone learns without '
                'shift_scale_regression: set that, too'
            )

    def class_meanings(self) -> dict[str, str]:
        """Return ``class_map`` as a mapping: label name -> class, 'background' or 'ignore'.

        Raises
        ------
        ValueError
            If an entry is not of the form NAME=MEANING, or a name stands twice.
        """
        meanings: dict[str, str] = {}
        for entry in self.class_map:
            name, separator, meaning = entry.partition('=')
            if not (name and separator and meaning):
                raise ValueError(f'class_map must have entries such as Van=Car, got {entry!r}')
            if name in meanings:
                raise ValueError(f'class_map must name {name} once, got it twice')
            meanings[name] = meaning
        return meanings
