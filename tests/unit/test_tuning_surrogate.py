from __future__ import annotations

import numpy as np
import pytest

from loadlab.tuning.surrogate import predict

NUMBER = np.asarray([False])
TWO = np.asarray([False, True])


def test_what_was_measured_often_is_known_and_what_is_far_is_not() -> None:
    known = np.zeros((8, 1))
    found = predict(known, np.full(8, 0.5), np.asarray([[0.0], [1.0]]), NUMBER)
    near, far = found.weights @ found.deviations
    assert found.mean == pytest.approx([0.5, 0.5], abs=0.01)
    assert near < far / 3


def test_models_are_weighed_by_how_likely_they_make_the_values() -> None:
    rng = np.random.default_rng(1)
    known = rng.random((30, 1))
    smooth = predict(known, np.sin(3 * known[:, 0]), known, NUMBER)
    scattered = predict(known, rng.normal(0, 0.4, 30), known, NUMBER)
    assert smooth.weights.sum() == pytest.approx(1.0)
    assert smooth.mean == pytest.approx(np.sin(3 * known[:, 0]), abs=0.05)
    assert np.abs(scattered.mean).max() < 0.3


def test_what_a_category_does_is_learned_beside_one_setting_and_believed_beside_others() -> None:
    """Codec 1 halves what codec 0 has; codec 1 was measured at one end only."""
    known = np.asarray([[0.0, 0.0], [0.5, 0.0], [1.0, 0.0], [0.0, 1.0]])
    values = np.log([1.0, 1.4, 2.0, 0.5])
    fast, slow = predict(known, values, np.asarray([[1.0, 0.0], [1.0, 1.0]]), TWO).mean
    assert slow < fast - 0.25


def test_the_expected_improvement_is_that_of_a_simulation() -> None:
    found = predict(np.asarray([[0.0], [1.0]]), np.asarray([0.0, 1.0]), np.asarray([[0.6]]), NUMBER)
    best = np.full(len(found.weights), 0.5)
    rng = np.random.default_rng(2)
    drawn = found.means[:, 0] + found.deviations[:, 0] * rng.normal(size=(20_000, len(found.weights)))
    gained = np.maximum(drawn - best - 0.1, 0.0).mean(axis=0)
    assert found.improvement(best, 0.1)[0] == pytest.approx(found.weights @ gained, rel=0.05)


def test_the_chance_to_stay_below_falls_towards_what_is_above() -> None:
    known = np.linspace(0, 1, 6)[:, None]
    chances = predict(known, known[:, 0] - 0.5, np.asarray([[0.1], [0.5], [0.9]]), NUMBER).chance_below(0.0)
    assert chances[0] > 0.8 > chances[1] > 0.2 > chances[2]


def test_noise_that_was_measured_is_not_asked_of_the_values_again() -> None:
    """Two lucky values beside each other are a peak where noise is unknown, and none where it is large."""
    known = np.asarray([[0.0], [0.2], [0.4], [0.42], [0.8], [1.0]])
    values = np.asarray([0.0, 0.02, 0.3, 0.28, -0.02, 0.0])
    points = np.asarray([[0.41]])
    unknown, quiet, noisy = (
        predict(known, values, points, NUMBER, noise).mean[0] for noise in (None, 0.01, 0.4)
    )
    assert quiet >= unknown > noisy
    # The model is not true to less than a twentieth.
    assert quiet == predict(known, values, points, NUMBER, 0.05).mean[0]
