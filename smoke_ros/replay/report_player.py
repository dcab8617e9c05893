"""The player of annotated frames in the report: pictures inside the page, and a slider."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from smoke_ros.replay.records import FrameRecord
from smoke_ros.replay.streams import given_stamps
from smoke_ros.replay.thumbnails import birds_eye_png

STYLE = """
.player { background: #17191c; color: #e8e8e8; border-radius: 8px; padding: 12px; }
.player .views { display: flex; gap: 12px; align-items: center; justify-content: center; }
.player .views img { display: block; min-width: 0; border-radius: 4px; }
.player .camera { flex: 1 1 0; max-height: 70vh; object-fit: contain; }
.player .above { flex: 0 0 24%; max-width: 320px; }
.player .controls { display: flex; gap: 12px; align-items: center; margin-top: 10px; }
.player input { flex: 1; accent-color: #56B4E9; }
.player button { width: 5.5em; padding: .4em 0; border: 0; border-radius: 4px; cursor: pointer;
  background: #0072B2; color: white; font: inherit; }
.player select { font: inherit; max-width: 24em; }
.player p { margin: 8px 0 0; font-size: .85em; color: #b9bec4; }
.player .caption { min-height: 1.3em; font-variant-numeric: tabular-nums; }
"""

#: Shows one frame at a time; the arrow keys step while the slider has the focus.
SCRIPT = """
for (const player of document.querySelectorAll('.player')) {
  const frames = JSON.parse(player.querySelector('script').textContent);
  const find = name => player.querySelector(name);
  const slider = find('input'), button = find('button'), topics = find('select');
  let shown = [], timer = null;
  const show = () => {
    const frame = shown[slider.value];
    find('.camera').src = 'data:image/jpeg;base64,' + frame.camera;
    find('.above').src = 'data:image/png;base64,' + frame.above;
    find('.caption').textContent = frame.caption;
  };
  const choose = () => {
    shown = frames.filter(frame => frame.topic === topics.value);
    slider.max = shown.length - 1;
    slider.value = 0;
    show();
  };
  const stop = () => { clearInterval(timer); timer = null; button.textContent = 'Play'; };
  for (const topic of new Set(frames.map(frame => frame.topic))) topics.add(new Option(topic));
  topics.hidden = topics.length < 2;
  topics.onchange = choose;
  slider.oninput = () => { stop(); show(); };
  button.onclick = () => {
    if (timer) return stop();
    button.textContent = 'Pause';
    timer = setInterval(() => {
      slider.value = (Number(slider.value) + 1) % shown.length;
      show();
    }, 400);
  };
  choose();
}
"""


def format_player(pictured: Sequence[tuple[Path, FrameRecord]], most: int) -> str:
    """Return the player's HTML, '' without pictures.

    Parameters
    ----------
    pictured
        Paths of pictures and their frames; each one's bird's-eye view is drawn here.
    most
        How many go into the page at most; of more, evenly spread ones do.
    """
    if not pictured:
        return ''
    # Cameras of a bag come in turn, of which a stride might take one only: each has its own row.
    streams = list(dict.fromkeys((record.bag, record.topic) for _, record in pictured))
    in_rows = sorted(pictured, key=lambda pair: streams.index((pair[1].bag, pair[1].topic)))
    stride = -(-len(pictured) // most)
    several = len({record.bag for _, record in pictured}) > 1
    stamps: dict[str, list[int]] = {}
    for _, record in pictured:
        stamps.setdefault(record.bag, []).append(record.stamp_ns)
    first = {bag: int(given_stamps(np.array(of_bag)).min()) for bag, of_bag in stamps.items()}
    frames = [
        {
            'topic': f'{Path(record.bag).name} {record.topic}' if several else record.topic,
            'caption': _caption(record, first[record.bag]),
            'camera': base64.b64encode(path.read_bytes()).decode('ascii'),
            'above': base64.b64encode(birds_eye_png(record)).decode('ascii'),
        }
        for path, record in in_rows[::stride]
    ]
    # "</" would end the script element that the data are in.
    data = json.dumps(frames).replace('</', '<\\/')
    return (
        f'<div class="player"><script type="application/json">{data}</script>'
        '<div class="views"><img class="camera" alt="annotated frame">'
        '<img class="above" alt="bird\'s-eye view"></div>'
        '<div class="controls"><button type="button">Play</button>'
        '<input type="range" min="0" value="0" aria-label="frame"><select></select></div>'
        '<p class="caption"></p>'
        f'<p>{len(frames)} frames, evenly spread. Coloured: detections; white: ground truth. '
        'Right: the same boxes from above, the camera at the bottom.</p></div>'
    )


def _caption(record: FrameRecord, first_ns: int) -> str:
    seconds = (record.stamp_ns - first_ns) / 1e9
    parts = [
        f'frame {record.index}',
        'no stamp' if seconds < 0.0 else f'{seconds:.2f} s',
        f'{len(record.detections)} detections',
    ]
    if record.ground_truth is not None:
        parts.append(f'{len(record.ground_truth)} labelled')
    if record.latency_ms is not None:
        parts.append(f'latency {record.latency_ms:.0f} ms')
    return escape('  ·  '.join(parts), quote=False)
