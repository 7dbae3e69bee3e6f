"""Multi-frame CT: all slices in one file, or in several."""

import io

import numpy as np
import pydicom
import pytest

from liverjax.errors import InputError
from liverjax.io.ct import list_series, read_scan
from liverjax.volume import Geometry
from tests.io.dicom.compressed import compressed
from tests.io.dicom.enhanced import enhanced_ct
from tests.io.dicom.files import SPACING, example_hu, write_files

HU = example_hu()
ORDER = np.random.default_rng(3).permutation(len(HU)).tolist()


def changed(change):
    """A multi-frame file after `change` was applied to its data set."""
    dataset = pydicom.dcmread(io.BytesIO(enhanced_ct(HU)))
    change(dataset)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def read(tmp_path, files, **options):
    return read_scan(write_files(tmp_path / "in", files), **options)


@pytest.mark.parametrize("syntax", [None, "JPEG-LS", "RLE", "deflated"])
def test_frames_in_any_order_are_slices_in_place(tmp_path, syntax):
    data = enhanced_ct(HU, order=ORDER)
    data = data if syntax is None else compressed(data, syntax)
    scan = read(tmp_path, {"image": data})
    np.testing.assert_array_equal(scan.volume.hu, HU)
    assert scan.volume.geometry.matches(Geometry.from_axes((0, 0, 0), SPACING))
    assert [item.frame for item in scan.source.slices] == [ORDER.index(i) + 1 for i in range(12)]


def test_a_series_may_be_in_several_files(tmp_path):
    files = {
        "b": enhanced_ct(HU[:5], name="below"),
        "a": enhanced_ct(HU[5:], first=5, name="above"),
    }
    scan = read(tmp_path, files)
    np.testing.assert_array_equal(scan.volume.hu, HU)
    assert [path.file for path in scan.source.slices] == [0] * 5 + [1] * 7
    assert len(scan.source.files) == 2


def test_listing_counts_its_frames(tmp_path):
    (info,) = list_series(write_files(tmp_path / "in", {"image": enhanced_ct(HU)}))
    assert (info.slices, info.is_ct) == (12, True)
    assert info.spacing == pytest.approx(SPACING)


def drop_last_item(dataset):
    del dataset.PerFrameFunctionalGroupsSequence[-1]


def drop_position(dataset):
    del dataset.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence


def drop_spacing(dataset):
    del dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence


def second_stack(dataset):
    dataset.PerFrameFunctionalGroupsSequence[3].FrameContentSequence[0].StackID = "2"


def same_place(dataset):
    first, second = dataset.PerFrameFunctionalGroupsSequence[:2]
    second.PlanePositionSequence = first.PlanePositionSequence


def fewer_pixels(dataset):
    dataset.PixelData = dataset.PixelData[: -HU[0].nbytes]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_last_item, "PerFrameFunctionalGroupsSequence: expected 12 items .* found 11"),
        (drop_position, "image frame 4: ImagePositionPatient: expected 3 numbers, missing"),
        (drop_spacing, "image frame 1: PixelSpacing: expected 2 numbers, missing"),
        (second_stack, "StackID: expected one stack of frames, found 2"),
        (same_place, "image frame 2: ImagePositionPatient: .* same position as .*image frame 1"),
        (fewer_pixels, "image: PixelData: expected 720 bytes for 12 x 6 x 5 pixels, found 660"),
    ],
)
def test_what_does_not_fit_is_refused_by_frame_and_tag(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, {"image": changed(change)})


def test_a_missing_frame_is_filled_leniently(tmp_path):
    def drop_frame(dataset):
        del dataset.PerFrameFunctionalGroupsSequence[4]
        size = HU[0].nbytes
        dataset.PixelData = dataset.PixelData[: 4 * size] + dataset.PixelData[5 * size :]
        dataset.NumberOfFrames = 11

    scan = read(tmp_path, {"image": changed(drop_frame)}, lenient=True)
    others = [index for index in range(12) if index != 4]
    np.testing.assert_array_equal(scan.volume.hu[others], HU[others])
    np.testing.assert_array_equal(scan.source.on_slices(scan.volume.hu), HU[others])
    assert scan.repairs[0].what == "filled in 1 slice missing between others"
