"""Small cases for tests of what is made of scores."""

import numpy as np

from liverjax.evaluation.score import score_case
from liverjax.volume import Geometry, Segmentation

GRID = Geometry.from_axes((0.0, 0.0, 0.0), (2.0, 1.0, 1.0))  # voxels of 0.002 mL
UNKNOWN = Geometry.from_axes((0.0, 0.0, 0.0), None)


def labels(liver=(0, 16), *tumors):
    """Labels [3, 6, 20] of a liver and its tumours, each a range of columns."""
    array = np.zeros((3, 6, 20), np.uint8)
    array[:, 1:5, slice(*liver)] = 1
    for tumor in tumors:
        array[1, 2:4, slice(*tumor)] = 2
    return array


def case(name, prediction, reference, geometry=GRID):
    """The scores of labels against labels."""
    return score_case(name, Segmentation(prediction, geometry), Segmentation(reference, geometry))


def some_cases():
    """Two tumours of which one is found, a missed tumour, no tumour, a false one."""
    return [
        case("a", labels((0, 16), (2, 6), (18, 20)), labels((0, 16), (2, 6), (10, 12))),
        case("b", labels((0, 14)), labels((0, 16), (3, 5))),
        case("c", labels((0, 16)), labels((0, 16))),
        case("d", labels((0, 12), (4, 7)), labels((0, 16))),
    ]
