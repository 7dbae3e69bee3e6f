"""NIfTI files, against nibabel and SimpleITK."""

import gzip
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from liverjax.errors import InputError
from liverjax.io.ct import read_ct
from liverjax.io.nifti import read_labels, read_nifti, write_probability, write_segmentation
from liverjax.volume import Geometry, Segmentation
from tests.io.dicom.files import SPACING, example_hu, series_files, write_files

AFFINE = np.array([[-0.7, 0, 0, 90], [0, -0.7, 0, 80], [0, 0, 1.5, -40], [0, 0, 0, 1]])
HU = example_hu(shape=(4, 3, 5))
LABELS = np.random.default_rng(2).integers(0, 3, HU.shape).astype(np.uint8)
# Neither axial nor of equal steps: 20 degrees about the left-right axis, axes in another order.
TURN = np.array([[0, 0, 1], [0.34202014, 0.93969262, 0], [0.93969262, -0.34202014, 0]])
MEBIBYTE = 1 << 20
OBLIQUE = Geometry.from_axes((-12.5, 40, 7), (2.5, 0.75, 0.5), TURN)


def save(path, data, affine=AFFINE, unit="mm"):
    """Saves `data` [i, j, k] with nibabel."""
    image = nib.Nifti1Image(data, affine)
    image.header.set_xyzt_units(unit)
    nib.save(image, path)
    return path


def patch(path, **header):
    """Changes header fields in the file: nibabel sets some of them anew when it saves."""
    packed = path.name.lower().endswith(".gz")
    data = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    fields = nib.Nifti1Header(data[:348])
    for field, value in header.items():
        fields[field] = value
    data = fields.binaryblock + data[348:]
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


@pytest.fixture(params=[".nii", ".nii.gz", ".NII.GZ"])
def path(tmp_path, request):
    return tmp_path / f"file{request.param}"


def test_ct_is_read_in_this_packages_axes(path):
    volume = read_nifti(save(path, HU.T))
    np.testing.assert_array_equal(volume.hu, HU)
    assert volume.geometry.spacing == pytest.approx((1.5, 0.7, 0.7))
    # RAS to LPS: the first two coordinates change their signs.
    assert volume.geometry.matches(Geometry.from_axes((-90, -80, -40), (1.5, 0.7, 0.7)))


def test_ct_agrees_with_simpleitk(path):
    affine = np.diag([-1, -1, 1, 1]) @ OBLIQUE.affine[:, [2, 1, 0, 3]]
    volume = read_nifti(save(path, HU.T, affine))
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(volume.hu, sitk.GetArrayFromImage(image))
    for index in ((0, 0, 0), (3, 2, 4), (1, 2, 0)):
        point = image.TransformIndexToPhysicalPoint(index[::-1])
        np.testing.assert_allclose((volume.geometry.affine @ [*index, 1])[:3], point, atol=1e-4)


def test_values_are_scaled_rounded_and_clipped(path):
    stored = np.array([[[0, 1, 2, 255]]], dtype=np.uint8)
    patch(save(path, stored.T), scl_slope=1.6, scl_inter=-160)
    # -160, -158.4, -156.8 and 248
    assert read_nifti(path).hu.tolist() == [[[-160, -158, -157, 248]]]
    floats = np.array([[[0.4, -0.6, 1e6, -1e6]]])
    assert read_nifti(save(path, floats.T)).hu.tolist() == [[[0, -1, 32767, -32768]]]


def test_one_frame_is_a_volume(path):
    np.testing.assert_array_equal(read_nifti(save(path, HU.T[..., None])).hu, HU)


@pytest.mark.parametrize(
    ("affine", "unit", "known"),
    [
        (AFFINE, "mm", True),
        (AFFINE, "unknown", True),
        (np.diag([-1, -1, 1, 1]), "mm", False),
        (np.eye(4), "unknown", False),
        (np.array([[1, 0, 0, 5], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "unknown", False),
        (np.array([[1, 0, 0, 5], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "mm", False),
        (np.array([[1, 0, 0, 5], [0, 1, 0, 0.5], [0, 0, 1, 0], [0, 0, 0, 1]]), "mm", True),
        (np.diag([1, 1, 2, 1]), "mm", True),
    ],
)
def test_placeholder_spacing_is_not_known(path, affine, unit, known):
    save(path, HU.T, affine, unit)
    assert read_nifti(path).geometry.spacing_known is known
    assert read_labels(save(path, LABELS.T, affine, unit)).geometry.spacing_known is known
    for stated in (True, False):
        assert read_nifti(path, spacing_known=stated).geometry.spacing_known is stated


@pytest.mark.parametrize("folder", ["lits", "btcv"])
def test_spacing_of_development_data_is_not_known(shared_data, folder):
    for path in sorted((shared_data / folder).glob("[iv]*.nii.gz"))[:1]:
        volume = read_nifti(path)
        assert volume.geometry.spacing is None
        expected = np.rint(nib.load(path).get_fdata(dtype=np.float32)).T
        np.testing.assert_array_equal(volume.hu, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": np.zeros((3, 4, 5, 2), np.int16)}, r"three-dimensional .* \(3, 4, 5, 2\)"),
        ({"data": np.zeros((3, 4), np.int16)}, "three-dimensional"),
        ({"data": np.full((3, 4, 5), np.nan)}, "not finite"),
        ({"data": np.zeros((3, 4, 5), np.complex64)}, "found voxels of type complex64"),
        ({"sform_code": 0, "qform_code": 0}, "neither qform_code nor sform_code"),
        ({"xyzt_units": 1}, "xyzt_units: expected mm"),
    ],
)
def test_what_is_no_ct_is_refused(tmp_path, change, message):
    change = dict(change)
    path = patch(save(tmp_path / "file.nii.gz", change.pop("data", HU.T)), **change)
    with pytest.raises(InputError, match=rf"file\.nii\.gz: .*{message}"):
        read_nifti(path)


@pytest.mark.parametrize("keep", [0, 20, 200, 400, -40])
def test_cut_file_is_refused(path, keep):
    save(path, example_hu(shape=(9, 8, 7)).T)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"(?i)file\.nii"):
        read_nifti(path)


def test_absent_file_and_other_names_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_nifti(tmp_path / "x.nii")
    with pytest.raises(InputError, match=r"ends in \.nii or \.nii\.gz"):
        read_nifti(tmp_path / "x.nrrd")


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_labels_of_any_type(path, dtype):
    found = read_labels(save(path, LABELS.T.astype(dtype)))
    np.testing.assert_array_equal(found.labels, LABELS)
    assert found.labels.dtype == np.uint8


def test_labels_can_be_renamed(path):
    save(path, np.where(LABELS == 1, 6, 0).astype(np.int16).T)
    np.testing.assert_array_equal(read_labels(path, values={0: 0, 6: 1}).labels, LABELS == 1)


@pytest.mark.parametrize("wrong", [3, -1, 256, 1.5, 255, np.nan])
def test_other_labels_are_refused(path, wrong):
    labels = LABELS.astype(np.float32)
    labels[1, 1, 1] = wrong
    with pytest.raises(InputError, match=rf"expected the labels \[0, 1, 2\], found {wrong}"):
        read_labels(save(path, labels.T))


@pytest.mark.parametrize("geometry", [OBLIQUE, Geometry.from_axes((1, 2, 3), (1.6, 0.7, 0.7))])
def test_written_segmentation_comes_back(path, geometry):
    write_segmentation(path, Segmentation(LABELS, geometry))
    found = read_labels(path)
    np.testing.assert_array_equal(found.labels, LABELS)
    assert found.geometry.matches(geometry, tolerance=1e-5)
    header = nib.load(path).header
    assert (int(header["qform_code"]), int(header["sform_code"])) == (1, 1)
    np.testing.assert_allclose(header.get_qform(), header.get_sform(), atol=1e-5)
    assert header.get_data_dtype() == np.uint8
    assert header.get_xyzt_units()[0] == "mm"


def test_written_segmentation_of_unknown_spacing_stays_so(path):
    geometry = Geometry.from_axes((5, 6, 7), None)
    write_segmentation(path, Segmentation(LABELS, geometry))
    assert read_labels(path).geometry.matches(geometry)


def test_sheared_grid_has_no_qform(path):
    affine = np.diag([2.0, 1, 1, 1])
    affine[1, 0] = 0.5
    geometry = Geometry(affine)
    write_segmentation(path, Segmentation(LABELS, geometry))
    assert read_labels(path).geometry.matches(geometry, tolerance=1e-5)
    assert int(nib.load(path).header["qform_code"]) == 0


def test_written_segmentation_lies_on_the_series_for_simpleitk(tmp_path):
    ct = write_files(tmp_path / "ct", series_files(HU, spacing=SPACING))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(ct)))
    series = reader.Execute()
    path = tmp_path / "segmentation.nii.gz"
    write_segmentation(path, Segmentation(LABELS, read_ct(ct).geometry))
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), LABELS)
    for name in ("GetSpacing", "GetOrigin", "GetDirection"):
        found, expected = getattr(image, name)(), getattr(series, name)()
        np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=name)


def test_equal_segmentations_are_equal_bytes(tmp_path):
    for name in ("a.nii.gz", "b.nii.gz"):
        write_segmentation(tmp_path / name, Segmentation(LABELS, OBLIQUE))
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.nii.gz", "b.nii.gz"]


def test_segmentation_is_not_written_under_another_suffix(tmp_path):
    with pytest.raises(InputError, match="expected a name that ends in"):
        write_segmentation(tmp_path / "a.nrrd", Segmentation(LABELS, OBLIQUE))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("geometry", [OBLIQUE, Geometry.from_axes((5, 6, 7), None)])
def test_written_probability_comes_back(path, geometry):
    probability = np.random.default_rng(3).random(HU.shape, dtype=np.float32)
    probability[0, 0, :3] = 0, 0.5, 1
    write_probability(path, probability, geometry)
    image = nib.load(path)
    found = image.get_fdata().T
    np.testing.assert_allclose(found, probability, rtol=0, atol=2**-16)
    assert found[0, 0, :3].tolist() == [0, 0.5, 1]
    assert (found.min(), found.max()) == (0, 1)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), found)
    write_segmentation(path, Segmentation(LABELS, geometry))
    np.testing.assert_array_equal(nib.load(path).affine, image.affine)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, np.nan, np.inf])
def test_what_is_no_probability_is_not_written(path, wrong):
    probability = np.zeros(HU.shape, np.float32)
    probability[1, 1, 1] = wrong
    with pytest.raises(InputError, match="expected probabilities"):
        write_probability(path, probability, OBLIQUE)
    assert not path.exists()
    with pytest.raises(InputError, match=r"ends in \.nii"):
        write_probability(path.with_suffix(".mha"), np.zeros(HU.shape, np.float32), OBLIQUE)


def test_headers_hold_no_text_and_equal_arrays_give_equal_bytes(path):
    for write in (
        lambda: write_segmentation(path, Segmentation(LABELS, OBLIQUE)),
        lambda: write_probability(path, LABELS / np.float32(2), OBLIQUE),
    ):
        write()
        first = path.read_bytes()
        header = nib.load(path).header
        for field in ("descrip", "aux_file", "intent_name", "db_name", "data_type"):
            assert header[field].tobytes().strip(b"\0") == b""
        assert not header.extensions
        write()
        assert path.read_bytes() == first


def test_memory_holds_the_result_and_a_plane(path):
    hu = np.zeros((64, 128, 128), np.float64)
    save(path, hu.T)
    tracemalloc.start()
    try:
        read_nifti(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < hu.size * 2 + 2 * MEBIBYTE


def test_what_is_claimed_is_not_allocated(path):
    save(path, HU.T)
    patch(path, dim=[3, 1000, 1000, 500, 1, 1, 1, 1])
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="cut short: expected"):
            read_nifti(path)
        assert tracemalloc.get_traced_memory()[1] < MEBIBYTE
    finally:
        tracemalloc.stop()


def test_a_long_rest_is_not_inflated(tmp_path):
    path = save(tmp_path / "file.nii.gz", HU.T)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + bytes(64 * MEBIBYTE), 1))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"dim: expected the file to end .* found more"):
            read_nifti(path)
        assert tracemalloc.get_traced_memory()[1] < 4 * MEBIBYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", ["qform", "sform"])
def test_either_form_is_read(path, form):
    image = nib.Nifti1Image(HU.T, None)
    getattr(image, f"set_{form}")(AFFINE, 1)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    assert read_nifti(path).geometry.matches(
        Geometry.from_axes((-90, -80, -40), (1.5, 0.7, 0.7)), tolerance=1e-4
    )


def test_forms_that_differ_are_refused_and_those_alike_are_not(path):
    image = nib.Nifti1Image(HU.T, AFFINE)
    moved = AFFINE.copy()
    for shift, fits in ((0.9, True), (1.1, False)):
        moved[2, 3] = AFFINE[2, 3] + shift
        image.set_sform(AFFINE, 2)
        image.set_qform(moved, 1)
        nib.save(image, path)
        if fits:
            # The sform counts, as for nibabel.
            assert read_nifti(path).geometry.affine[2, 3] == AFFINE[2, 3]
        else:
            with pytest.raises(InputError, match=r"qform and sform: .* found 1\.1 mm between"):
                read_nifti(path)
