"""Bags through the detector: offline over every frame, or live through the running node."""
