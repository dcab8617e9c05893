"""Kernels that are compiled on the machine; importing them needs Numba."""
