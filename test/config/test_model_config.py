import math

import pytest

from smoke_ros.config.model import ModelConfig


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'std': (58.0, 0.0, 57.0)}, 'std and the second of depth_reference must be > 0'),
        ({'std': (58.0, 57.0)}, 'std must be 3 numbers, got'),
        ({'mean': (1.0, 2.0)}, 'mean must be 3 numbers'),
        ({'depth_reference': (28.01,)}, 'depth_reference must be 2 numbers'),
        ({'depth_reference': (math.nan, 16.0)}, 'depth_reference must be 2 numbers'),
        ({'depth_reference': (28.0, -1.0)}, 'the second of depth_reference must be > 0'),
    ],
)
def test_numbers_that_no_network_could_be_run_with_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        ModelConfig(**values)
