"""How a network runs: engines from normalised images to (heatmap, regression), or to peaks."""

from smoke_ros.engines.engine import Engine
from smoke_ros.engines.selection import EngineChoice, choose_engine

__all__ = ['Engine', 'EngineChoice', 'choose_engine']
