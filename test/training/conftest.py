from pathlib import Path

import pytest
import torch
from tiny_smoke import write_frames


@pytest.fixture(scope='session')
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of four small frames in KITTI's layout."""
    return write_frames(tmp_path_factory.mktemp('data') / 'frames')


@pytest.fixture(autouse=True)
def _one_thread():
    """Tiny networks are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
