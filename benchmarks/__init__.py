"""Measurements: ``python -m benchmarks`` (``make bench``) prints those of the pipeline."""
