import numpy as np
import pytest

from liverjax.datasets.slices import (
    PatientSummary,
    changes,
    check_one_size,
    select_patients,
    slice_examples,
)
from liverjax.errors import InputError, SplitError
from liverjax.volume import Geometry, Volume

HU = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
GEOMETRY = Geometry.from_axes((-10.0, -20.0, 30.0), (2.5, 0.7, 0.8))


def test_examples_hold_each_slice_and_where_it_lies():
    labels = np.zeros(HU.shape, dtype=np.uint8)
    labels[1, 0] = [0, 1, 1, 2]
    first, second = slice_examples("patient01", Volume(HU, GEOMETRY), labels)
    assert np.array_equal(second["image"], HU[1][..., None])
    assert np.array_equal(second["label"], labels[1][..., None])
    assert (second["patient"], second["slice_index"]) == ("patient01", 1)
    assert (first["liver_pixels"], first["tumor_pixels"]) == (0, 0)
    assert (second["liver_pixels"], second["tumor_pixels"]) == (3, 1)
    np.testing.assert_allclose(second["spacing"], (2.5, 0.7, 0.8), rtol=1e-6)
    np.testing.assert_allclose(second["position"], (-10.0, -20.0, 32.5))

    summary = PatientSummary("abc")
    for example in (first, second):
        summary.add(example)
    assert summary == PatientSummary("abc", 3, 4, 2, 1, 3, 1)


def test_a_voxel_size_that_is_not_known_is_0_whatever_its_placeholder():
    placeholder = Geometry(GEOMETRY.affine, spacing_known=False)
    _, second = slice_examples("patient01", Volume(HU, placeholder), np.zeros(HU.shape, np.uint8))
    assert second["spacing"].tolist() == [0, 0, 0]
    assert second["position"].tolist() == [-10, -20, 31]


@pytest.mark.parametrize(
    ("geometry", "depth", "message"),
    [
        (GEOMETRY, 1, "its labels"),
        (Geometry(Geometry.from_axes((0, 0, 0), None, np.eye(3)).affine, False), 2, "axial"),
        (Geometry.from_axes((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), np.eye(3)), 2, "axial"),
    ],
)
def test_a_volume_that_examples_cannot_describe_is_refused(geometry, depth, message):
    labels = np.zeros((depth, 3, 4), dtype=np.uint8)
    with pytest.raises(InputError, match=f"patient01.*{message}"):
        list(slice_examples("patient01", Volume(HU, geometry), labels))


def test_changes_lists_patients_by_what_happened_to_them():
    prepared = {"patient01": "a", "patient02": "b", "patient03": "c"}
    found = {"patient01": "a", "patient02": "x", "patient04": "d"}
    assert changes(prepared, found) == [
        "added: patient04",
        "removed: patient03",
        "changed: patient02",
    ]
    assert changes(prepared, prepared) == []


def test_patients_are_selected_in_the_order_asked_for():
    held = {"patient01": PatientSummary("a", 8, 8), "patient02": PatientSummary("b", 8, 9)}
    selected = select_patients("tiny", held, ["patient02", "patient01"])
    assert list(selected.items()) == [(name, held[name]) for name in ("patient02", "patient01")]
    with pytest.raises(SplitError, match="tiny: does not hold patient03; it holds patient01, pat"):
        select_patients("tiny", held, ["patient01", "patient03"])
    check_one_size("tiny", {"patient01": held["patient01"]})
    with pytest.raises(InputError, match=r"tiny: .* found patient02 8x9, patient01 8x8"):
        check_one_size("tiny", selected)
