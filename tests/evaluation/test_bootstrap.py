import numpy as np
import pytest

from liverjax.evaluation.bootstrap import draw, mean_interval, ratio_interval


def test_every_resample_has_as_many_cases_and_seeds_decide():
    drawn = draw(7, 50, seed=3)
    assert drawn.shape == (50, 7)
    assert set(drawn.sum(axis=1)) == {7}
    np.testing.assert_array_equal(drawn, draw(7, 50, seed=3))
    assert np.any(drawn != draw(7, 50, seed=4))


def test_the_interval_of_a_mean_is_that_of_resampled_means(rng):
    values = rng.normal(5.0, 2.0, 60)
    low, high = mean_interval(values, 5000, 0)
    resampled = rng.choice(values, (5000, 60)).mean(axis=1)
    np.testing.assert_allclose([low, high], np.quantile(resampled, [0.025, 0.975]), atol=0.05)
    # Within the noise of the percentile bootstrap it is the interval of normal theory.
    half = 1.96 * values.std(ddof=1) / np.sqrt(60)
    np.testing.assert_allclose([low, high], values.mean() + np.array([-half, half]), atol=0.1)


def test_intervals_cover_the_truth_about_as_often_as_they_say(rng):
    samples = rng.normal(0.0, 1.0, (200, 40))
    found = [mean_interval(sample, 500, seed) for seed, sample in enumerate(samples)]
    assert 0.89 <= np.mean([low <= 0.0 <= high for low, high in found]) <= 0.99


def test_a_ratio_is_resampled_as_a_ratio_of_sums():
    # Ratios of cases differ wildly, that of sums is a half in every resample.
    above, below = np.array([1.0, 2.0, 30.0]), np.array([2.0, 4.0, 60.0])
    assert ratio_interval(above, below, 500, 0) == pytest.approx([0.5, 0.5])
    low, high = ratio_interval(np.array([0.0, 5.0]), np.array([5.0, 5.0]), 500, 0)
    assert (low, high) == (0.0, 1.0)
    # Resamples of the last case alone have no ratio.
    above, below = np.array([3.0, 6.0, 0.0]), np.array([4.0, 8.0, 0.0])
    assert ratio_interval(above, below, 500, 0) == pytest.approx([0.75, 0.75])


def test_what_has_no_interval():
    assert mean_interval(np.array([1.0]), 100, 0) is None
    assert mean_interval(np.array([]), 100, 0) is None
    assert ratio_interval(np.zeros(3), np.zeros(3), 100, 0) is None
    # A single case with anything to divide by does not vary, however many there are without.
    assert ratio_interval(np.array([3.0, 0.0]), np.array([4.0, 0.0]), 100, 0) is None
