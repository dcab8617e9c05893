"""The same random images whatever ran before: random weights amplify some more than others."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
