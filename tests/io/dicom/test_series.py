"""CT series and masks from DICOM files."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from liverjax.errors import InputError
from liverjax.io.archives import open_tree
from liverjax.io.ct import read_ct, read_scan
from liverjax.io.dicom.mask import read_mask
from liverjax.io.dicom.series import read_files
from liverjax.io.tree import walk
from liverjax.volume import Geometry
from tests.io.dicom.files import (
    SHAPE,
    SPACING,
    box,
    edited,
    example_hu,
    series_files,
    write_files,
    zipped,
)

HU = example_hu()


def with_edit(files, name, **tags):
    return files | {name: edited(files[name], **tags)}


def itk_geometry(path):
    """HU [D, H, W] and geometry as SimpleITK's series reader gives them."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(path)))
    image = reader.Execute()
    directions = np.array(image.GetDirection()).reshape(3, 3).T[::-1]
    geometry = Geometry.from_axes(image.GetOrigin(), image.GetSpacing()[::-1], directions)
    return sitk.GetArrayFromImage(image), geometry


@pytest.mark.parametrize("packed", [False, True])
def test_slices_are_ordered_by_position(tmp_path, packed):
    files = series_files(HU) | {"README.txt": b"read me"}
    if packed:
        files = {"series.zip": zipped(files)}
    volume = read_ct(write_files(tmp_path / "in", files))
    np.testing.assert_array_equal(volume.hu, HU)
    assert volume.geometry.spacing == pytest.approx(SPACING)
    assert volume.geometry.matches(Geometry.from_axes((0, 0, 0), SPACING))


def test_names_and_instance_numbers_play_no_part(tmp_path):
    names = [f"x{number}" for number in np.random.default_rng(1).permutation(SHAPE[0])]
    files = series_files(HU)
    shuffled = {
        name: edited(files[f"image_{index}"], InstanceNumber=99 - index)
        for index, name in enumerate(names)
    }
    with open_tree(write_files(tmp_path / "in", shuffled)) as tree:
        series = read_files(lambda: walk(tree), "in")
    np.testing.assert_array_equal(series.volume.hu, HU)
    assert [path.name for path in series.paths] == names
    np.testing.assert_allclose(
        [item.position[2] for item in series.source.slices], np.arange(SHAPE[0]) * SPACING[0]
    )


@pytest.mark.parametrize(
    ("orientation", "step"),
    [
        ([1, 0, 0, 0, 1, 0], [0, 0, 1.6]),
        # Slices from front to back, as in a coronal series.
        ([1, 0, 0, 0, 0, -1], [0, 1.6, 0]),
        # Lying on the belly.
        ([-1, 0, 0, 0, -1, 0], [0, 0, 1.6]),
        # Tilted by 30 degrees about the left-right axis, slices along their normal.
        ([1, 0, 0, 0, 0.8660254, 0.5], [0, -0.8, 1.38564065]),
    ],
)
def test_geometry_agrees_with_simpleitk(tmp_path, orientation, step):
    origin = np.array([-120.5, 33.25, 410.0])
    files = {
        name: edited(
            data,
            ImageOrientationPatient=orientation,
            ImagePositionPatient=[round(x, 6) for x in origin + index * np.array(step)],
        )
        for index, (name, data) in enumerate(series_files(HU).items())
    }
    path = write_files(tmp_path / "in", files)
    volume = read_ct(path)
    hu, geometry = itk_geometry(path)
    np.testing.assert_array_equal(volume.hu, hu)
    assert volume.geometry.matches(geometry)
    assert volume.geometry.spacing == pytest.approx(SPACING)


def test_real_patient_agrees_with_simpleitk(shared_data, tmp_path):
    archive = shared_data / "ircadb" / "3Dircadb1.17.zip"
    with open_tree(archive) as tree:
        files = {f.path.name: f.read() for f in walk(tree) if "PATIENT_DICOM.zip" in f.path.parts}
    path = write_files(tmp_path / "in", files)
    volume = read_ct(path)
    hu, geometry = itk_geometry(path)
    np.testing.assert_array_equal(volume.hu, hu)
    assert volume.geometry.matches(geometry)


def test_rescale_is_applied_per_slice_rounded_and_clipped(tmp_path):
    files = series_files(np.array([[[3, -7]], [[3, 32000]], [[100, 200]]], dtype=np.int16))
    files = with_edit(files, "image_0", RescaleSlope=0.5, RescaleIntercept=-1000)
    files = with_edit(files, "image_1", RescaleSlope=2, RescaleIntercept=10)
    volume = read_ct(write_files(tmp_path / "in", files))
    # Halves go to the even neighbour.
    assert volume.hu.tolist() == [[[-998, -1004]], [[16, 32767]], [[100, 200]]]


def test_positions_rounded_to_a_tenth_of_a_millimetre_are_even(tmp_path):
    files = {
        name: edited(data, ImagePositionPatient=[0, 0, round(0.625 * index, 1)])
        for index, (name, data) in enumerate(series_files(HU).items())
    }
    volume = read_ct(write_files(tmp_path / "in", files))
    assert volume.geometry.spacing[0] == pytest.approx(0.625, abs=0.01)


def test_single_slice_takes_its_thickness(tmp_path):
    files = series_files(HU[:1])
    volume = read_ct(write_files(tmp_path / "in", files))
    assert volume.geometry.spacing == pytest.approx(SPACING)
    bare = with_edit(files, "image_0", SliceThickness=None, SpacingBetweenSlices=None)
    with pytest.raises(InputError, match="image_0: SliceThickness: missing"):
        read_ct(write_files(tmp_path / "bare", bare))


@pytest.mark.parametrize(
    ("name", "tags", "message"),
    [
        ("image_4", {"Rows": 5, "Columns": 6}, r"image_4: Rows and Columns: found \[5, 6\]"),
        ("image_4", {"PixelSpacing": [0.8, 0.5]}, r"image_4: PixelSpacing: found \[0.8, 0.5\]"),
        (
            "image_4",
            {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]},
            "image_4: ImageOrientationPatient: .* localizer",
        ),
        ("image_4", {"ImagePositionPatient": [0, 0, 8.0]}, "the same position as in/image_"),
        ("image_4", {"ImagePositionPatient": [0, 0, 6.9]}, "image_4: .*expected 1.600 mm"),
        ("image_4", {"ImagePositionPatient": [3, 0, 6.4]}, "image_4: .*sideways by 3.000 mm"),
        ("image_4", {"RescaleSlope": None, "RescaleIntercept": None}, "image_4: RescaleSlope"),
    ],
)
def test_slices_that_do_not_fit_are_refused(tmp_path, name, tags, message):
    path = write_files(tmp_path / "in", with_edit(series_files(HU), name, **tags))
    with pytest.raises(InputError, match=message):
        read_ct(path)


def two_scans(second_heights, **tags):
    """A series of two scans, the second at its own heights and with its own tags."""
    files = {k: edited(v, AcquisitionNumber=1) for k, v in series_files(HU).items()}
    for height, (name, data) in zip(second_heights, series_files(HU).items(), strict=False):
        files[f"second_{name}"] = edited(data, ImagePositionPatient=[0, 0, height], **tags)
    return files


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("shift", [0.8, 0.4])
def test_scans_among_one_another_are_not_one_volume(tmp_path, shift, lenient):
    heights = [round(1.6 * index + shift, 3) for index in range(12)]
    path = write_files(tmp_path / "in", two_scans(heights, AcquisitionNumber=2))
    with pytest.raises(InputError, match=r"AcquisitionNumber.* found 2.* among slices of 1"):
        read_scan(path, lenient=lenient)


def test_scans_after_one_another_are(tmp_path):
    heights = [round(1.6 * index, 3) for index in range(12, 20)]
    files = two_scans(heights, AcquisitionNumber=2)
    assert len(read_ct(write_files(tmp_path / "in", files)).hu) == 20


def test_steps_that_add_up_to_another_place_are_refused(tmp_path):
    heights = np.concatenate([np.arange(0, 20), 20 + 1.1 * np.arange(20)])
    files = {
        f"image_{index}": edited(data, ImagePositionPatient=[0, 0, round(float(height), 3)])
        for index, (data, height) in enumerate(
            zip(list(series_files(HU[:1]).values()) * 40, heights, strict=True)
        )
    }
    path = write_files(tmp_path / "in", files)
    with pytest.raises(InputError, match=r"image_\d+: .* mm from where even steps of 1\.0"):
        read_ct(path)
    scan = read_scan(path, lenient=True)
    assert "resampled uneven steps" in scan.repairs[0].what


def test_one_file_of_a_series_is_a_slice(tmp_path):
    path = write_files(tmp_path, {"one": series_files(HU)["image_3"]}) / "one"
    np.testing.assert_array_equal(read_ct(path).hu, HU[3:4])


def test_a_name_that_is_too_long_is_refused():
    with pytest.raises(InputError, match="cannot be read: File name too long"):
        read_ct("a" * 300)


def test_missing_and_cut_slices_are_refused(tmp_path):
    files = series_files(HU)
    missing = {name: data for name, data in files.items() if name != "image_5"}
    with pytest.raises(InputError, match=r"image_6: .*3\.200 mm from image_4, .*missing"):
        read_ct(write_files(tmp_path / "missing", missing))
    cut = files | {"image_11": files["image_11"][:-10]}
    with pytest.raises(InputError, match="image_11: PixelData"):
        read_ct(write_files(tmp_path / "cut", cut))


@pytest.fixture
def on_ct(tmp_path):
    """Reads a mask's files on the grid of the CT."""

    def read(files, value=None):
        write_files(tmp_path / "in", {f"ct/{k}": v for k, v in series_files(HU).items()})
        write_files(tmp_path / "in" / "mask", files)
        with open_tree(tmp_path / "in") as tree:
            ct, mask = tree.open().folders
            series = read_files(lambda: walk(ct), "in")
            return read_mask(mask.path, mask.open().files, series, value)

    return read


@pytest.mark.parametrize("foreground", [1, 255])
def test_mask_is_paired_by_name(on_ct, foreground):
    mask = box(2, 10, foreground)
    found = on_ct(series_files(mask, "liver"))
    assert found.dtype == bool
    np.testing.assert_array_equal(found, mask > 0)


def test_mask_of_one_value(on_ct):
    labels = np.zeros(SHAPE, dtype=np.int16)
    labels[3, 1:3], labels[4, 2:4] = 329, 328
    np.testing.assert_array_equal(on_ct(series_files(labels), 329), labels == 329)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: {k: v for k, v in f.items() if k != "image_7"}, r"1 missing \(image_7\)"),
        (lambda f: f | {"image_12": f["image_1"]}, r"1 too many \(image_12\)"),
        (lambda f: f | {"image_7": f["image_8"]}, "image_7: ImagePositionPatient"),
        (lambda f: with_edit(f, "image_7", PixelSpacing=[1, 1]), "image_7: PixelSpacing and"),
        (lambda f: with_edit(f, "image_7", Rows=5, Columns=6), "image_7: Rows and Columns"),
        (lambda f: f | {"image_7": f["image_7"][:-9]}, "image_7: PixelData"),
        (lambda f: f | {"image_7": b"text"}, "image_7: expected a DICOM slice"),
        (lambda f: {}, r"in/mask: expected the names of the 12 files in in/ct, found 0"),
    ],
)
def test_mask_that_does_not_fit_is_refused(on_ct, tmp_path, change, message):
    (tmp_path / "in" / "mask").mkdir(parents=True)
    with pytest.raises(InputError, match=message):
        on_ct(change(series_files(box(2, 9), "liver")))
