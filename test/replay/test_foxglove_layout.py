"""The layout for Foxglove names panels that it configures."""

import json
from pathlib import Path

LAYOUT = Path(__file__).parents[2] / 'config' / 'foxglove_layout.json'


def panels(layout):
    if isinstance(layout, str):
        return [layout]
    return panels(layout['first']) + panels(layout['second'])


def test_every_panel_has_its_place():
    layout = json.loads(LAYOUT.read_text())
    assert sorted(panels(layout['layout'])) == sorted(layout['configById'])
