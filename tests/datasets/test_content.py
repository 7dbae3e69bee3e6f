import numpy as np
import pytest

from liverjax.datasets.content import (
    BYTES,
    check_contents_disjoint,
    describe,
    find_duplicates,
    load_contents,
    save_contents,
)
from liverjax.datasets.ircadb.layout import find_patients, read_patient
from liverjax.datasets.phantom.patient import PhantomSpec
from liverjax.datasets.phantom.phantom import make_phantom
from liverjax.errors import InputError, SplitError
from liverjax.io.nifti import read_nifti
from tests.toy import toy_slices


@pytest.fixture(scope="module")
def phantoms():
    return [make_phantom(number, PhantomSpec((16, 96, 96))).volume.hu for number in range(7)]


@pytest.fixture(scope="module")
def patient17(shared_data):
    """Every twelfth slice."""
    return read_patient(find_patients(shared_data / "ircadb")[17]).volume.hu[::12]


def grey_levels(hu, low, high):
    """`hu` through a window as uint8."""
    return np.rint((np.clip(hu.astype(np.float32), low, high) - low) * (255 / (high - low))).astype(
        np.uint8
    )


def back_in_hu(hu, low, high):
    """What is left of `hu` after a window in 8 bits, again in HU."""
    levels = grey_levels(hu, low, high).astype(np.float32)
    return np.rint(levels * ((high - low) / 255) + low).astype(np.int16)


def halved(hu):
    count, height, width = hu.shape
    means = hu.reshape(count, height // 2, 2, width // 2, 2).mean(axis=(2, 4))
    return np.rint(means).astype(np.int16)


def noisy(hu):
    noise = np.random.default_rng(0).normal(0, 30, hu.shape)
    return (hu + noise).astype(np.int16)


RENDERINGS = {
    "itself": lambda hu: hu,
    "left-right": lambda hu: hu[:, :, ::-1],
    "front-back": lambda hu: hu[:, ::-1],
    "turned by 90 degrees": lambda hu: np.rot90(hu, 1, axes=(1, 2)),
    "turned by 270 degrees": lambda hu: np.rot90(hu, 3, axes=(1, 2)),
    "transposed": lambda hu: np.swapaxes(hu, 1, 2),
    "both diagonals": lambda hu: np.swapaxes(hu[:, ::-1, ::-1], 1, 2),
    "window of LiTS": lambda hu: back_in_hu(hu, -160, 240),
    "window of LiTS, levels": lambda hu: grey_levels(hu, -160, 240),
    "window of BTCV, levels, int16": lambda hu: grey_levels(hu, -125, 275).astype(np.int16),
    "wide window, levels": lambda hu: grey_levels(hu, -200, 300),
    "narrow window, flipped": lambda hu: back_in_hu(hu, 0, 200)[:, ::-1],
    "narrow window, levels, flipped": lambda hu: grey_levels(hu, 0, 200)[:, ::-1],
    "halved": halved,
    "noisy": noisy,
    "all at once": lambda hu: grey_levels(np.rot90(noisy(halved(hu)), 1, (1, 2))[:, ::-1], 0, 200),
}


def pairs(first, second):
    """Indices and agreement of the slices that are found to be the same."""
    found = find_duplicates(describe(first), describe(second))
    return {(pair.first, pair.second): pair.agreement for pair in found}


@pytest.mark.parametrize("name", RENDERINGS)
def test_every_slice_of_patient_17_is_found_again(patient17, name):
    found = pairs(patient17, RENDERINGS[name](patient17))
    for index in range(len(patient17)):
        assert found.get((index, index), 0) > 0.8
    content = describe(RENDERINGS[name](patient17)[::-1])
    with pytest.raises(SplitError, match="patient17 of test and somebody of train show the same"):
        check_contents_disjoint(
            {"test": {"patient17": describe(patient17)}, "train": {"somebody": content}}
        )


@pytest.mark.parametrize("name", ["narrow window, levels, flipped", "transposed"])
def test_every_slice_of_a_phantom_is_found_as_itself(phantoms, name):
    found = pairs(phantoms[0], RENDERINGS[name](phantoms[0]))
    for index in range(len(phantoms[0])):
        of_slice = {second: share for (first, second), share in found.items() if first == index}
        assert max(of_slice, key=of_slice.__getitem__) == index


def test_phantoms_of_one_family_are_different_patients(phantoms):
    check_contents_disjoint({f"side {n}": {"p": describe(hu)} for n, hu in enumerate(phantoms)})


def test_real_patients_are_different_patients(patient17, shared_data):
    files = [
        shared_data / "lits/volume-1.nii.gz",
        shared_data / "lits/volume-2.nii.gz",
        shared_data / "btcv/img0031.nii.gz",
    ]
    sides = {path.name: {"p": describe(read_nifti(path).hu[::4])} for path in files}
    check_contents_disjoint(sides | {"patient17": {"p": describe(patient17)}})


def test_slices_of_two_random_toys_are_different():
    first, second = toy_slices(0)[0][..., 0], toy_slices(1)[0][..., 0]
    assert pairs(first, second) == {}
    assert pairs(first, first[:, ::-1]).keys() == {(index, index) for index in range(len(first))}


def test_slices_that_show_too_little_match_nothing(rng):
    blank = np.full((2, 64, 64), -1000, np.int16)
    nearly = blank.copy()
    nearly[:, 20:30, 30:40] = 60
    small = rng.integers(-1000, 1000, (2, 15, 15), dtype=np.int16)
    for slices in (blank, nearly, small):
        assert pairs(slices, slices) == {}
    assert describe(blank[:0]).shape == (0, BYTES)
    assert find_duplicates(describe(blank[:0]), describe(blank)) == []


def test_sets_larger_than_a_block_keep_their_numbers(phantoms):
    many = np.zeros((700, BYTES), np.uint8)
    first, second = many.copy(), many.copy()
    first[650], second[[3, 600]] = describe(phantoms[0][8:9]), describe(phantoms[0][8:9])
    found = find_duplicates(first, second)
    assert [tuple(pair) for pair in found] == [(650, 3, 1.0), (650, 600, 1.0)]


def test_one_slice_on_two_sides_is_refused_by_name(phantoms):
    a, b, c, d = map(describe, phantoms[:4])
    smuggled = np.concatenate([d, a[7:8]])
    sides = {"train": {"a": a, "b": b}, "validation": {}, "test": {"c": c, "d": d}}
    check_contents_disjoint(sides)
    message = (
        "a of train and y of test show the same: their slices 7 and 16, counted from 0, have an "
        r"agreement of 1\.00, expected less than 0\.6; leave one"
    )
    with pytest.raises(SplitError, match=message):
        check_contents_disjoint(sides | {"test": {"c": c, "y": smuggled}})
    with pytest.raises(SplitError, match=r"a of validation .* \(so do 1 other pairs\)"):
        check_contents_disjoint({"validation": {"a": a, "b": b}, "test": {"a": a, "x": b}})


@pytest.mark.parametrize(
    "content", [np.zeros((2, BYTES - 1), np.uint8), np.zeros((2, BYTES)), np.zeros(BYTES, np.uint8)]
)
def test_content_of_another_form_is_refused(content):
    with pytest.raises(InputError, match=f"expected uint8 .N, {BYTES}., found .*describe"):
        find_duplicates(np.zeros((1, BYTES), np.uint8), content)


def test_a_record_comes_back_and_is_the_same_in_any_order(tmp_path, phantoms):
    contents = {"b/../ö": describe(phantoms[0]), "file": describe(phantoms[1][:2])}
    save_contents(tmp_path / "c.npz", contents)
    found = load_contents(tmp_path / "c.npz")
    assert found.keys() == contents.keys()
    for name, content in contents.items():
        np.testing.assert_array_equal(found[name], content)
    save_contents(tmp_path / "d.npz", dict(reversed(contents.items())))
    assert (tmp_path / "d.npz").read_bytes() == (tmp_path / "c.npz").read_bytes()
    save_contents(tmp_path / "none.npz", {})
    assert load_contents(tmp_path / "none.npz") == {}


def test_a_damaged_record_is_named(tmp_path, phantoms):
    path = tmp_path / "c.npz"
    save_contents(path, {"a": describe(phantoms[0])})
    whole = path.read_bytes()
    middle = len(whole) - 600  # within the last and largest array
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    for data in (b"", b"\x93NUMPY", b"anything", whole[:-30], flipped):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"c\.npz: expected a record.*restore"):
            load_contents(path)
    with pytest.raises(InputError, match=r"absent\.npz: expected a record"):
        load_contents(tmp_path / "absent.npz")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("record", 0, "a record of version 1, found 0"),
        ("slices", [2], "slices of 1 patients, 3 in all"),
        ("slices", [-1, 4], "slices of 1 patients"),
        ("patients", ["a", "b"], "slices of 2 patients"),
        ("content", np.zeros((3, 9), np.uint8), f"content: expected uint8 .N, {BYTES}."),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(tmp_path, field, value, message):
    content = np.zeros((3, BYTES), np.uint8)
    fields = {"record": 1, "patients": ["a"], "slices": [3], "content": content}
    np.savez(tmp_path / "c.npz", **(fields | {field: value}))
    with pytest.raises(InputError, match=rf"c\.npz: .*{message}"):
        load_contents(tmp_path / "c.npz")
