import numpy as np
import pytest

from smoke_ros.random_draws import gaussian_grain, log_uniform


@pytest.mark.parametrize(('fine', 'most'), [(False, 2.89), (True, 4.33)])
def test_grain_is_normal_noise(fine, most):
    grain = gaussian_grain(np.random.default_rng(0), (200, 300, 3), fine=fine)
    assert grain.shape == (200, 300, 3) and grain.dtype == np.float32
    assert grain.mean() == pytest.approx(0.0, abs=0.01)
    assert grain.std() == pytest.approx(1.0, abs=0.01)
    # Of a normal distribution 68.3% lie within one standard deviation, 95.4% within two.
    assert (np.abs(grain) < 1).mean() == pytest.approx(0.683, abs=0.005)
    assert (np.abs(grain) < 2).mean() == pytest.approx(0.954, abs=0.003)
    assert np.abs(grain).max() == pytest.approx(most, abs=0.4)
    # Neighbours have nothing to do with each other.
    assert abs((grain[:, 1:] * grain[:, :-1]).mean()) < 0.01


def test_the_same_generator_draws_the_same_grain():
    first, again = (gaussian_grain(np.random.default_rng(5), (4, 5, 3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_halving_is_as_likely_as_doubling():
    rng = np.random.default_rng(0)
    drawn = np.array([log_uniform(rng, 0.5, 2.0) for _ in range(2000)])
    assert 0.5 <= drawn.min() < 0.51 and 1.97 < drawn.max() <= 2.0
    assert (drawn < 1.0).mean() == pytest.approx(0.5, abs=0.03)
