"""What lenient reading mends, what it says of it, and what it refuses all the same."""

import numpy as np
import pytest

from liverjax.errors import InputError
from liverjax.io.ct import read_scan
from tests.io.dicom.files import SPACING, edited, series_files, write_files

SHAPE = (12, 9, 7)
# Smooth along every axis, so that what is interpolated is known.
Z, Y, X = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
HU = (30 * Z + 7 * Y - 4 * X - 100).astype(np.int16)
FILES = series_files(HU)


def read(tmp_path, files):
    """What strict reading says, and what lenient reading gives."""
    path = write_files(tmp_path / "in", files)
    with pytest.raises(InputError) as refused:
        read_scan(path)
    return str(refused.value), read_scan(path, lenient=True)


def moved(files, positions):
    return {
        name: edited(data, ImagePositionPatient=[round(float(x), 6) for x in position])
        for (name, data), position in zip(files.items(), positions, strict=True)
    }


def whats(scan):
    return [item.what for item in scan.repairs]


def test_a_sound_series_is_read_as_ever(tmp_path):
    path = write_files(tmp_path / "in", FILES)
    strict, lenient = read_scan(path), read_scan(path, lenient=True)
    np.testing.assert_array_equal(strict.volume.hu, lenient.volume.hu)
    assert strict.volume.geometry.matches(lenient.volume.geometry)
    assert lenient.repairs == ()


def test_missing_slices_are_filled_between_their_neighbours(tmp_path):
    gone = ("image_4", "image_8", "image_9")
    error, scan = read(tmp_path, {k: v for k, v in FILES.items() if k not in gone})
    assert "is a slice missing?" in error
    np.testing.assert_array_equal(scan.volume.hu, HU)
    assert scan.volume.geometry.spacing == pytest.approx(SPACING)
    assert whats(scan) == ["filled in 3 slices missing between others"]
    assert [name.rpartition("/")[2] for name in scan.repairs[0].where] == ["image_5", "image_10"]


@pytest.mark.parametrize("length", [-10, -200, 300, 129, 0])
def test_a_cut_slice_is_left_out_and_filled(tmp_path, length):
    error, scan = read(tmp_path, FILES | {"image_5": FILES["image_5"][:length]})
    assert "image_5: " in error
    np.testing.assert_array_equal(scan.volume.hu, HU)
    assert whats(scan) == [
        "left out 1 slice, which cannot be read",
        "filled in 1 slice missing between others",
    ]


def test_a_copy_is_dropped_and_another_slice_in_its_place_is_not(tmp_path):
    error, scan = read(tmp_path, FILES | {"copy": FILES["image_3"]})
    assert "the same position" in error
    np.testing.assert_array_equal(scan.volume.hu, HU)
    assert whats(scan) == ["dropped 1 slice that is there twice"]
    other = edited(FILES["image_3"], PixelData=FILES["image_4"][-HU[0].nbytes :])
    with pytest.raises(InputError, match="the same position"):
        read_scan(write_files(tmp_path / "two", FILES | {"other": other}), lenient=True)


def test_spacing_that_strict_reading_takes_for_equal_is_equal(tmp_path):
    files = {
        name: edited(data, PixelSpacing=[0.742501 if index % 3 else 0.742499] * 2)
        for index, (name, data) in enumerate(FILES.items())
    }
    path = write_files(tmp_path / "in", files)
    assert len(read_scan(path).volume.hu) == len(read_scan(path, lenient=True).volume.hu) == 12
    assert read_scan(path, lenient=True).repairs == ()


def test_damaged_files_of_another_folder_do_not_count(tmp_path):
    files = {f"ct/{name}": data for name, data in FILES.items()}
    files |= {f"other/{index}.dcm": b"damaged" for index in range(9)}
    scan = read_scan(write_files(tmp_path / "in", files), lenient=True)
    assert scan.repairs == ()
    np.testing.assert_array_equal(scan.volume.hu, HU)


def test_a_localizer_is_left_out(tmp_path):
    localizer = edited(FILES["image_0"], ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    error, scan = read(tmp_path, FILES | {"image_99": localizer})
    assert "localizer" in error
    np.testing.assert_array_equal(scan.volume.hu, HU)
    assert whats(scan) == ["left out 1 slice of another size or orientation"]


def test_uneven_steps_are_resampled(tmp_path):
    heights = np.array([0, 1.6, 3.2, 4.8, 6.4, 7.2, 8.0, 8.8, 10.4, 12.0, 13.6, 15.2])
    hu = np.rint(HU[0] + 30 * heights[:, None, None] / 1.6).astype(np.int16)
    files = moved(series_files(hu), [(0, 0, height) for height in heights])
    error, scan = read(tmp_path, files)
    assert "expected 1.600 mm" in error
    assert len(scan.volume.hu) == 10
    assert scan.volume.geometry.spacing[0] == pytest.approx(1.6)
    expected = HU[0] + 30 * np.arange(10)[:, None, None]
    np.testing.assert_allclose(scan.volume.hu, expected, atol=1)
    assert whats(scan) == ["resampled uneven steps of 0.80 to 1.60 mm to 1.60 mm"]
    shown = scan.source.on_slices(scan.volume.hu)
    assert shown.shape == hu.shape
    # Of a slice between two of the volume's, one of them.
    assert np.abs(shown - hu).max() <= 16


@pytest.mark.parametrize("slope", [0.25, -0.25])
def test_gantry_tilt_is_straightened(tmp_path, slope):
    step, down = SPACING[0], SPACING[1]
    # A slanted scene sampled on tilted slices: HU depend on the patient's place alone.
    shifts = slope * step * np.arange(SHAPE[0])
    hu = np.rint(HU + 7 * (shifts / down)[:, None, None]).astype(np.int16)
    places = [(0, shift, step * index) for index, shift in enumerate(shifts)]
    error, scan = read(tmp_path, moved(series_files(hu), places))
    assert "shifted sideways" in error
    assert "gantry tilt" in whats(scan)[0]
    volume = scan.volume
    assert volume.geometry.spacing == pytest.approx(SPACING)
    d, h, w = np.meshgrid(*map(np.arange, volume.hu.shape), indexing="ij")
    at = np.stack([d, h, w, np.ones_like(d)], axis=-1) @ volume.geometry.affine.T
    expected = 30 * at[..., 2] / step + 7 * at[..., 1] / down - 4 * at[..., 0] / SPACING[2] - 100
    # Away from the rim, where tissue meets the padding.
    inside = scan.source.on_slices(np.abs(volume.hu - expected))
    assert inside[:, 1:-1].max() <= 1
    np.testing.assert_allclose(scan.source.on_slices(volume.hu)[:, 1:-1], hu[:, 1:-1], atol=4)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({k: v for k, v in FILES.items() if k not in {f"image_{i}" for i in range(3, 8)}}, "9.600"),
        ({k: v[:-10] if int(k[6:]) % 2 else v for k, v in FILES.items()}, "PixelData"),
        (moved(FILES, [(1.5 * (i % 2), 0, 1.6 * i) for i in range(12)]), "shifted sideways"),
        ({k: edited(v, ImagePositionPatient=None) for k, v in FILES.items()}, "missing"),
        (
            {
                k: edited(v, ImageOrientationPatient=[0, 1, 0, 0, 0, -1]) if int(k[6:]) < 6 else v
                for k, v in FILES.items()
            },
            "ImageOrientationPatient",
        ),
    ],
    ids=["wide gap", "half is damaged", "sideways", "no position", "two orientations"],
)
def test_what_has_no_plausible_answer_is_refused(tmp_path, files, message):
    with pytest.raises(InputError, match=message):
        read_scan(write_files(tmp_path / "in", files), lenient=True)


def test_what_was_done_names_no_file(tmp_path):
    files = {f"Smith^John_{name[6:]}": data for name, data in FILES.items() if name != "image_5"}
    _, scan = read(tmp_path, files)
    assert "Smith" not in " ".join(whats(scan))
    assert "Smith" in " ".join(scan.repairs[0].where)
