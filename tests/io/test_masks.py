import numpy as np
import pytest

from liverjax.errors import InputError
from liverjax.io.masks import read_mask, write_mask


def test_a_mask_comes_back(tmp_path, rng):
    mask = rng.random((3, 5, 7)) > 0.5
    write_mask(tmp_path / "m.npz", mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.npz"), mask)
    assert [path.name for path in tmp_path.iterdir()] == ["m.npz"]


def test_what_is_no_mask_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.npz: no mask, or damaged"):
        read_mask(tmp_path / "none.npz")
    write_mask(tmp_path / "m.npz", np.ones((2, 3, 4), bool))
    whole = (tmp_path / "m.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cut\.npz: no mask, or damaged"):
        read_mask(tmp_path / "cut.npz")
    np.savez(tmp_path / "other.npz", bits=np.zeros(3, np.uint8), shape=np.array((9, 9, 9)))
    with pytest.raises(InputError, match=r"other\.npz: expected the bits of a mask"):
        read_mask(tmp_path / "other.npz")
    np.savez(tmp_path / "pickled.npz", bits=np.array([object()]), shape=np.array((1, 1, 1)))
    with pytest.raises(InputError, match=r"pickled\.npz: no mask, or damaged"):
        read_mask(tmp_path / "pickled.npz")
