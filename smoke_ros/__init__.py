"""SMOKE: 3D boxes from a single camera, as a Python library and a ROS 2 node."""

__version__ = '0.1.0'
