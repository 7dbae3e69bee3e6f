import numpy as np

from liverjax.batch import neighbor_stacks


def test_stacks_repeat_the_last_slice_where_the_volume_ends():
    slices = np.array([0, 2, 4])
    assert neighbor_stacks(slices, 0, 0, 4).tolist() == [[0], [2], [4]]
    assert neighbor_stacks(slices, 2, 0, 4).tolist() == [
        [0, 0, 0, 1, 2],
        [0, 1, 2, 3, 4],
        [2, 3, 4, 4, 4],
    ]


def test_each_slice_may_have_ends_of_its_own():
    slices = np.array([[2, 3]])
    first, last = np.array([[0, 3]]), np.array([[2, 5]])
    assert neighbor_stacks(slices, 1, first, last).tolist() == [[[1, 2, 2], [3, 3, 4]]]
