"""How a network is trained."""

from __future__ import annotations

from dataclasses import dataclass

from smoke_ros.config.options import check, option


@dataclass(frozen=True)
class TrainingConfig:
    """Options of :func:`smoke_ros.training.loop.train`; the defaults are the paper's recipe.

    An iteration is one step of the optimiser, over ``batch_size`` images.
    """

    iterations: int = option(25_000, 'steps of the optimiser', low=1)
    batch_size: int = option(
        32, 'images per step, over all processes and accumulated passes', low=1
    )
    accumulate: int = option(
        1, 'passes through the network per step, to fit a large batch into little memory', low=1
    )
    workers: int = option(
        4, 'processes that read images, for each training process; 0 reads in place', low=0
    )
    seed: int = option(0, 'of initial weights, order of images and augmentation', low=0)

    optimiser: str = option('adam', 'how gradients become steps', choices=('adam', 'adamw'))
    learning_rate: float = option(2.5e-4, 'of weights, at its highest', low=0.0)
    bias_factor: float = option(2.0, 'multiplies the learning rate of biases', low=0.0)
    weight_decay: float = option(
        0.0, 'of weights; biases and normalisation layers have none', low=0.0
    )
    warmup_iterations: int = option(
        0, 'over which the learning rate rises linearly to its highest', low=0
    )
    schedule: str = option(
        'step', 'how the learning rate falls', choices=('step', 'cosine', 'constant')
    )
    drops: tuple[int, ...] = option((10_000, 18_000), 'iterations at which schedule step drops')
    drop_factor: float = option(
        0.1, 'multiplies the learning rate at each drop', low=0.0, high=1.0
    )
    final_factor: float = option(
        0.01, 'part of the learning rate at which schedule cosine ends', low=0.0, high=1.0
    )
    images_per_sum: int = option(
        8,
        'how many images the regression losses, which are sums over a batch, are scaled to, '
        "whatever the batch size: the authors' four GPUs had 8 images each",
        low=1,
    )  # fmt: skip
    gradient_clip: float = option(
        0.0, 'largest norm of the gradient, which is scaled down to it; 0 for any', low=0.0
    )
    ema_decay: float = option(
        0.0,
        'share of the old in the running mean of the weights, which is then what is validated '
        'and stored as the model; 0 for the weights themselves',
        low=0.0, high=0.99999,
    )  # fmt: skip
    precision: str = option(
        'float32',
        'of the network: mixed with bfloat16, or with float16 and a scaled loss, where not '
        'float32; losses and weights always have float32',
        choices=('float32', 'bfloat16', 'float16'),
    )
    channels_last: bool = option(True, 'whether images and weights keep their channels together')
    deterministic: bool = option(
        False, 'whether a GPU gives the same bits on every run, which is slower; a CPU does'
    )

    init: str = option(
        '',
        'weights to start from: a name in the model registry, imagenet_dla34 or '
        'imagenet_efficientnet_lite0 for the trunk only, or the path of a weights file; fresh '
        'ones if empty',
    )
    reset_heads: bool = option(
        False, 'whether layers of the heads that do not fit the initial weights start afresh'
    )
    freeze: tuple[str, ...] = option(
        (), 'beginnings of the names of parameters that stay as they are'
    )
    freeze_stages: int = option(
        0, 'how many stages of the trunk stay as they are, from the image on', low=0
    )
    freeze_norm: bool = option(
        False, "whether the statistics of the trunk's BatchNorm layers stay as they are; those of "
        'layers that are frozen otherwise do always',
    )  # fmt: skip
    backbone_lr_factor: float = option(
        1.0, "multiplies the trunk's learning rate", low=0.0, high=100.0
    )

    feature_noise: float = option(
        0.0,
        "standard deviation of the factors on means and contrasts of the trunk's first feature "
        'maps, for half of the images: what is learnt depends less on how pictures look; 0 for '
        'none',
        low=0.0, high=2.0,
    )  # fmt: skip

    log_every: int = option(50, 'iterations between two lines of the log', low=1)
    checkpoint_every: int = option(
        500, 'iterations between two checkpoints: what a killed run loses at most', low=1
    )
    validate_every: int = option(
        2_500, 'iterations between two validations; 0 for one at the end', low=0
    )
    tensorboard: bool = option(True, 'whether the log is written for TensorBoard too')

    def __post_init__(self) -> None:
        check(self)
        if self.batch_size % self.accumulate:
            raise ValueError(
                f'batch_size must be a multiple of accumulate ({self.accumulate}), '
                f'got {self.batch_size}'
            )
        is_whole = all(float(drop).is_integer() for drop in self.drops)
        if not is_whole or list(self.drops) != sorted(set(self.drops)):
            raise ValueError(f'drops must be rising iterations, got {list(self.drops)}')
        if self.warmup_iterations >= self.iterations:
            raise ValueError(
                f'warmup_iterations must be fewer than iterations ({self.iterations}), '
                f'got {self.warmup_iterations}'
            )
