"""Compiled kernels that are kept for the next process: what is spoilt, and what finds no room."""

import errno

import pytest
import torch

numba = pytest.importorskip('numba')

from numba import carray
from numba.core import caching

from smoke_ros.engines.kernels.threads import Kernel, floats_at


def add_one(pointer):
    a = carray(pointer, 1)[0]
    x = carray(floats_at(a.x), 1)
    x[0] += 1


def run_add_one():
    """Return what a fresh kernel makes of 1."""
    x = torch.ones(1)
    Kernel(add_one, [('x', 'u8')])(1, x=x)
    return float(x)


@pytest.fixture
def kernel_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.core.config, 'CACHE_DIR', str(tmp_path))
    return tmp_path


@pytest.mark.parametrize('suffix', ['nbi', 'nbc'])
@pytest.mark.parametrize('left', [b'', bytes(500)])
def test_a_compiled_kernel_that_a_power_cut_spoilt_is_made_anew(kernel_cache, suffix, left):
    run_add_one()
    (file,) = kernel_cache.rglob(f'*.{suffix}')
    file.write_bytes(left)
    assert run_add_one() == 2.0
    assert file.read_bytes() != left  # the next process finds it whole
    assert run_add_one() == 2.0


def test_a_kernel_for_which_the_cache_has_no_room_runs(kernel_cache, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(caching.FunctionCache, 'save_overload', refuse)
    assert run_add_one() == 2.0
