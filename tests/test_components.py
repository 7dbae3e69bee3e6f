import numpy as np
import pytest
from scipy import ndimage

from liverjax.components import component_sizes, label_components


@pytest.mark.parametrize(("connectivity", "rank"), [(6, 1), (18, 2), (26, 3)])
def test_pieces_are_those_of_scipy_in_boxes_of_every_shape(rng, connectivity, rank):
    structure = ndimage.generate_binary_structure(3, rank)
    for _ in range(2000):
        mask = rng.random(rng.integers(1, 6, 3)) < rng.random()
        expected, count = ndimage.label(mask, structure)
        pieces = label_components(mask, connectivity)
        assert pieces.shape == mask.shape
        assert pieces.max() == count
        # The same division: each pair of numbers belongs together one to one.
        assert len(np.unique(np.stack([pieces.ravel(), expected.ravel()]), axis=1).T) == len(
            np.unique(expected)
        )


def test_sizes_leave_the_background_out():
    mask = np.zeros((1, 1, 6), bool)
    mask[0, 0, [0, 1, 3]] = True
    assert component_sizes(label_components(mask)).tolist() == [0, 2, 1]
    assert component_sizes(label_components(np.zeros((2, 2, 2), bool))).tolist() == [0]
