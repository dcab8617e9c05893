"""Plots of an evaluation as SVG text, without a display or pyplot's global state."""

from __future__ import annotations

import io
import math

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.text import Text

from smoke_ros.evaluation.average_precision import RECALL_POINTS
from smoke_ros.evaluation.camera_errors import CameraErrors
from smoke_ros.evaluation.evaluate import ClassEvaluation

#: Told apart by colour-blind readers too (Okabe and Ito), and by their dashes in print.
BLUE, ORANGE, GREEN, RED = '#0072B2', '#E69F00', '#009E73', '#D55E00'
LINES = ((BLUE, '-'), (ORANGE, '--'), (GREEN, ':'))

METRIC_TITLES = {'2d': 'image', 'aos': 'orientation', 'bev': 'from above', '3d': 'in space'}


def precision_recall_svg(part: ClassEvaluation) -> str:
    """Draw precision over recall by metric and difficulty, at the benchmark's overlaps."""
    figure = Figure(figsize=(11.0, 2.9), layout='constrained')
    panels = figure.subplots(1, len(METRIC_TITLES), sharey=True)
    recall = np.linspace(0.0, 1.0, RECALL_POINTS)
    for axes, (metric, title) in zip(panels, METRIC_TITLES.items(), strict=True):
        scores = [score for score in part.benchmark if score.metric == metric]
        for score, (colour, dashes) in zip(scores, LINES, strict=True):
            if score.curve is not None:
                label = f'{score.difficulty} ({score.objects})'
                axes.plot(recall, score.curve, dashes, color=colour, label=label)
        axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.02), xlabel='recall')
        axes.set_title(f'{title}, overlap {scores[0].min_overlap:g}')
        axes.grid(alpha=0.3)
    panels[0].set_ylabel('precision (AOS: similarity)')
    panels[0].legend(title='objects', loc='lower left', fontsize='small')
    return svg(figure, f'precision-recall {part.class_name}')


def distance_svg(part: ClassEvaluation) -> str:
    """Draw depth error and recall over distance."""
    figure = Figure(figsize=(11.0, 3.2), layout='constrained')
    left, right = figure.subplots(1, 2)
    names = [recall.of.removesuffix(' m') for recall in part.errors.recall_by_distance]
    places = np.arange(len(names))
    _draw_depth(left, part.errors, places)
    recalls = part.errors.recall_by_distance
    shares = [math.nan if r.recall is None else 100.0 * r.recall for r in recalls]
    bars = right.bar(places, shares, color=BLUE, width=0.6)
    right.bar_label(bars, [f'{r.found}/{r.objects}' for r in recalls], fontsize='small')
    right.set(ylim=(0.0, 110.0), ylabel='recall (%)')
    for axes in (left, right):
        axes.set_xticks(places, names, rotation=30 if len(names) > 6 else 0)
        axes.set(xlabel='distance (m)', xlim=(-0.6, len(names) - 0.4))
        axes.grid(alpha=0.3, axis='y')
        axes.set_axisbelow(True)
    return svg(figure, f'distance {part.class_name}')


def _draw_depth(axes: Axes, errors: CameraErrors, places: np.ndarray) -> None:
    depth = errors.depth_by_distance
    places = places[: len(depth)]  # objects without a 3D box come last, and have no errors
    median = [_or_nan(row.median_abs_m) for row in depth]
    worst = [_or_nan(row.p90_abs_m) for row in depth]
    bias = [_or_nan(row.bias_m) for row in depth]
    axes.bar(places - 0.2, median, width=0.38, color=BLUE, label='median of |error|')
    bars = axes.bar(places + 0.2, worst, width=0.38, color=ORANGE, label='90% are below')
    axes.bar_label(
        bars, [f'n={row.count}' if row.count else '' for row in depth], fontsize='small'
    )
    axes.plot(places, bias, 'D', color=RED, label='bias (positive: too far)')
    axes.axhline(0.0, color='black', linewidth=0.8)
    axes.set_ylabel('depth error (m)')
    axes.margins(y=0.12)
    if errors.depth.count:
        axes.legend(loc='upper left', fontsize='small')
    else:
        axes.set_ylim(0.0, 1.0)
        axes.text(0.5, 0.5, 'no depth to compare', ha='center', transform=axes.transAxes)


def calibration_svg(part: ClassEvaluation) -> str:
    """Draw the share of right detections over score, and how many detections there are."""
    figure = Figure(figsize=(11.0, 3.2), layout='constrained')
    left, right = figure.subplots(1, 2)
    filled = [row for row in part.errors.calibration if row.count]
    left.plot([0.0, 1.0], [0.0, 1.0], color='grey', linewidth=0.8, label='calibrated')
    left.plot(
        [_or_nan(row.mean_score) for row in filled], [_or_nan(row.precision) for row in filled],
        'o-', color=BLUE, label=part.class_name,
    )  # fmt: skip
    left.set(xlim=(0.0, 1.0), ylim=(0.0, 1.02), xlabel='mean score', ylabel='share right')
    left.legend(loc='upper left', fontsize='small')
    left.grid(alpha=0.3)
    rows = part.errors.calibration
    middle = [0.5 * (row.low + row.high) for row in rows]
    width = 0.8 * (rows[0].high - rows[0].low)
    right.bar(middle, [row.right for row in rows], width=width, color=BLUE, label='right')
    right.bar(
        middle, [row.count - row.right for row in rows], width=width, color=ORANGE,
        bottom=[row.right for row in rows], label='wrong',
    )  # fmt: skip
    right.set(xlim=(0.0, 1.0), xlabel='score', ylabel='detections')
    right.legend(loc='upper right', fontsize='small')
    return svg(figure, f'calibration {part.class_name}')


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def svg(figure: Figure, name: str) -> str:
    """Return a figure as an <svg> element whose inner names do not clash with another's."""
    buffer = io.StringIO()
    for words in figure.findobj(Text):
        words.set_parse_math(False)  # names of classes and files may have a $
    with matplotlib.rc_context({'svg.hashsalt': name, 'svg.fonttype': 'none'}):
        FigureCanvasSVG(figure).print_svg(buffer, metadata={'Date': None})
    text = buffer.getvalue()
    # What comes before is an XML declaration, which has no place inside HTML.
    return text[text.index('<svg') :]
