import numpy as np
import pytest

from liverjax.errors import InputError
from liverjax.io.dicom.read_segmentation import is_segmentation_object, read_segment_numbers
from liverjax.volume import Geometry
from tests.io.dicom.objects import FILES, LABELS, read, write


@pytest.fixture
def scan(tmp_path):
    return read(tmp_path / "in", FILES)


def test_segments_come_back_on_the_grid_of_the_ct(tmp_path, scan):
    path, geometry = write(tmp_path / "out.dcm", scan), scan.volume.geometry
    assert is_segmentation_object(path)
    # Of liver and tumour, which overlap, the higher number; slices without either have no frame.
    np.testing.assert_array_equal(read_segment_numbers(path, LABELS.shape, geometry), LABELS)


def test_what_lies_elsewhere_or_is_no_segmentation_is_refused(tmp_path, scan):
    path, geometry = write(tmp_path / "out.dcm", scan), scan.volume.geometry
    moved = np.array(geometry.affine)
    moved[0, 3] += 0.4
    coarse = geometry.affine @ np.diag([1.0, 2.0, 2.0, 1.0])
    for affine in (moved, coarse):
        with pytest.raises(InputError, match=r"out\.dcm: expected a segmentation on the grid"):
            read_segment_numbers(path, LABELS.shape, Geometry(affine))
    slice_file = next((tmp_path / "in").iterdir())
    assert not is_segmentation_object(slice_file)
    with pytest.raises(InputError, match="expected a NIfTI file or a DICOM segmentation"):
        read_segment_numbers(slice_file, LABELS.shape, geometry)
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"cut\.dcm: no segmentation, or damaged"):
        read_segment_numbers(cut, LABELS.shape, geometry)
