"""What the ROS node can be told; its parameters are declared from here."""

from __future__ import annotations

import re
from dataclasses import dataclass

from smoke_ros.config.model import DEFAULT_MODEL
from smoke_ros.config.options import check, check_known, option

#: What the node is called unless it is remapped.
NODE_NAME = 'smoke_node'

#: The value of ``classes`` that stands for every class of the model.
ALL_CLASSES = 'all'

#: Stands for a camera's name in ``camera_info_url``.
CAMERA_PLACE = '{camera}'

_CAMERA_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]*')
_DEVICE = re.compile(r'auto|cpu|cuda(:\d+)?')


@dataclass(frozen=True)
class NodeConfig:
    """Options of :class:`smoke_ros.ros.node.SmokeNode`, beside those of the detector."""

    autostart: bool = option(
        True, 'configure and activate at the start, rather than wait for a lifecycle manager'
    )
    model: str = option(
        DEFAULT_MODEL, 'name of a model in the registry, or path of a weights file'
    )
    device: str = option(
        'auto',
        'what the network runs on: cpu, cuda, cuda:N for one of several GPUs, or auto for a GPU '
        'where there is one',
    )
    torch_threads: int = option(
        0, 'CPU threads of the network; 0 leaves the choice to PyTorch', low=0, high=1024
    )
    opencv_threads: int = option(
        0, 'CPU threads of image conversion; 0 leaves the choice to OpenCV', low=0, high=1024
    )
    classes: tuple[str, ...] = option(
        (ALL_CLASSES,), "names of the classes to publish, or 'all'", live=True
    )

    cameras: tuple[str, ...] = option(
        ('',),
        "names of the cameras: the topics of 'front' are front/image, front/camera_info, "
        "~/front/detections and so on; '' is a camera whose topics have no name before them",
    )
    image_transport: str = option(
        'raw',
        'what arrives on the image topic: sensor_msgs/Image, or sensor_msgs/CompressedImage '
        "(remap 'image' to the camera's .../compressed)",
        choices=('raw', 'compressed'),
    )
    qos_reliability: str = option(
        'best_effort',
        'reliability asked of the publishers of image and camera_info; best_effort takes both',
        choices=('best_effort', 'reliable'),
    )
    qos_durability: str = option(
        'volatile',
        'durability asked of the publisher of camera_info; volatile takes both kinds, '
        'transient_local also gets what was published once, before the node started',
        choices=('volatile', 'transient_local'),
    )
    qos_depth: int = option(5, 'queue length of image and camera_info', low=1, high=1000)

    sync: str = option(
        'exact',
        'how an image finds its camera info: one with exactly its stamp, with nearly its stamp, '
        'or the latest that has arrived',
        choices=('exact', 'approximate', 'latest'),
    )
    sync_slop: float = option(
        0.02, 'how far the stamps may differ where sync is approximate', unit='s',
        low=0.0001, high=10.0,
    )  # fmt: skip
    sync_queue: int = option(
        10, 'images and camera infos that wait for each other', low=1, high=1000
    )
    camera_info_url: str = option(
        '',
        'calibration YAML to use instead of the camera_info topic: a path, file://... or '
        'package://package/path; {camera} in it stands for the name of each camera',
    )
    rectification: str = option(
        'auto',
        'whether images are rectified already (P applies) or raw (K and D apply); auto takes them '
        "for rectified where a word of the image topic's name begins with 'rect'",
        choices=('auto', 'raw', 'rectified'),
    )

    marker_lifetime: float = option(
        1.0, 'after which RViz drops markers that are not renewed', unit='s', low=0.0, high=3600.0
    )
    warning_period: float = option(
        5.0, 'shortest time between two warnings of the same kind', unit='s', low=0.0, high=3600.0
    )

    def __post_init__(self) -> None:
        check(self)
        if not _DEVICE.fullmatch(self.device):
            raise ValueError(
                f"device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got {self.device!r}"
            )
        if not self.model:
            raise ValueError('model must be the name of a model or the path of a weights file')
        if not self.classes or '' in self.classes:
            raise ValueError(f"classes must be class names or ['all'], got {list(self.classes)}")

        self._check_cameras()

    def _check_cameras(self) -> None:
        names = self.cameras
        if not names or len(set(names)) != len(names):
            raise ValueError(f'cameras must be different names, got {list(names)}')
        for name in names:
            if not _CAMERA_NAME.fullmatch(name) and names != ('',):
                raise ValueError(
                    'cameras must be names of letters, digits and underscores that begin with a '
                    f'letter, got {name!r}'
                )
        if self.camera_info_url and len(names) > 1 and CAMERA_PLACE not in self.camera_info_url:
            raise ValueError(
                f'camera_info_url must contain {CAMERA_PLACE} where there are several cameras, '
                f'which have a calibration each, got {self.camera_info_url!r}'
            )

    def selected(self, available: tuple[str, ...]) -> frozenset[str]:
        """Return the classes to publish out of those that the model knows.

        Raises
        ------
        ValueError
            If the model does not know one of them.
        """
        if ALL_CLASSES in self.classes:
            return frozenset(available)
        check_known('classes', self.classes, available, f' or {ALL_CLASSES!r}')
        return frozenset(self.classes)
