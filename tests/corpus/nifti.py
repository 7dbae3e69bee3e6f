"""NIfTI files with something wrong, and those that only look so."""

import gzip
import io
from functools import partial

import nibabel as nib
import numpy as np

from liverjax.errors import InputError
from liverjax.io.ct import read_scan
from liverjax.io.nifti import read_labels
from tests.corpus.case import Case
from tests.io.dicom.files import example_hu

HU = example_hu(shape=(4, 3, 5))
AFFINE = np.array([[-0.7, 0, 0, 90], [0, -0.7, 0, 80], [0, 0, 1.5, -40], [0, 0, 0, 1]])
LABELS = np.random.default_rng(2).integers(0, 3, HU.shape).astype(np.uint8)


def encode(data=HU, affine=AFFINE, kind=nib.Nifti1Image):
    image = kind(data.T, affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    image.header.set_xyzt_units("mm")
    return image.to_bytes()


DATA = encode()


def patched(data=DATA, **fields):
    """`data` with other header fields."""
    kind = nib.Nifti1Header if data[:4] == (348).to_bytes(4, "little") else nib.Nifti2Header
    size = kind.sizeof_hdr
    header = kind(data[:size], check=False)
    for field, value in fields.items():
        header[field] = value
    return header.binaryblock + data[size:]


def same(scan):
    np.testing.assert_array_equal(scan.volume.hu, HU)
    assert np.allclose(scan.volume.geometry.spacing, (1.5, 0.7, 0.7))


def case(name, data, field, message=None, *, error=InputError, read=read_scan, check=same,
         suffix=".nii"):  # fmt: skip
    """A case of a file; `packed` by the name."""

    def make(folder):
        path = folder / f"ct{suffix}"
        content = data() if callable(data) else data
        path.write_bytes(content)
        return path

    message = rf"ct\.nii.*: .*{field if message is None else message}"
    return Case(f"nifti: {name}", make, error, field, message, read, check)


def fields(field, *values, message=None):
    """A field of the header with each of `values`, in both versions of the format."""
    two = encode(kind=nib.Nifti2Image)
    for value in values:
        label = f"{field} {value}"
        yield case(label, partial(patched, **{field: value}), field, message)
        if field not in ("magic",):
            changed = partial(patched, two, **{field: value})
            yield case(f"NIfTI-2, {label}", changed, field, message)


def dim(*sizes):
    return [*sizes, *[1] * (8 - len(sizes))]


def headers():
    yield from fields(
        "dim", dim(0), dim(2, 15, 4), dim(3, 5, 3, 0), dim(3, -5, 3, 4), dim(4, 5, 3, 2, 2),
        dim(8, 5, 3, 4), dim(-1, 5, 3, 4), dim(3, 30000, 3, 4), dim(3, 4096, 4096, 4096),
        dim(4, 5, 3, 4, 0), dim(7, 5, 3, 4, 1, 1, 1, 2),
    )  # fmt: skip
    for sizes in (dim(3, 2000, 2000, 100), dim(3, 5, 3, 5)):
        yield case(f"too little for {sizes}", patched(dim=sizes), "dim", "cut short: .*dim")
        packed = partial(lambda sizes: gzip.compress(patched(dim=sizes)), sizes)
        yield case(
            f"packed, too little for {sizes}", packed, "dim", "cut short: .*dim", suffix=".nii.gz"
        )
    yield from fields("datatype", 32, 128, 1792, 2304, 1, 0, 77, 1536)
    yield from fields("vox_offset", 0, 100, 1e9)
    yield case("vox_offset nan", patched(vox_offset=np.nan), "vox_offset")
    yield from fields("scl_slope", np.inf, -np.inf)
    yield case("scl_inter nan", patched(scl_slope=2, scl_inter=np.nan), "scl_inter")
    yield case("scl_inter inf", patched(scl_slope=2, scl_inter=np.inf), "scl_inter")
    yield from fields("qform_code", -1, 9)
    yield from fields("sform_code", -1, 77)
    yield case("no form", patched(qform_code=0, sform_code=0), "qform_code", "sform_code")
    yield from fields("xyzt_units", 1, 3)
    yield case("magic of a pair", patched(magic=b"ni1"), "magic")
    yield case("magic", patched(magic=b"xyz"), "magic")
    yield case("sizeof_hdr", patched(sizeof_hdr=100), "sizeof_hdr")


def forms():
    for value in (np.nan, np.inf, 1e30):
        row = [value, 0, 0, 0]
        yield case(f"sform with {value}", patched(srow_x=row, qform_code=0), "sform")
        yield case(f"quaternion with {value}", patched(quatern_b=value, sform_code=0), "qform")
        place = patched(qoffset_x=value, sform_code=0)
        yield case(f"qoffset_x {value}", place, "qform")
    zeros = patched(srow_x=[0] * 4, qform_code=0)
    yield case("sform with an axis of no length", zeros, "sform")
    flat = patched(srow_x=[1, 1, 0, 0], srow_y=[1, 1, 0, 0], qform_code=0)
    yield case("sform with two axes alike", flat, "affine")
    for value in (0, -0.7, np.nan):
        sizes = [1, value, 0.7, 1.5, 1, 1, 1, 1]
        yield case(f"pixdim {value}", patched(pixdim=sizes, sform_code=0), "pixdim")
    for what, change in {
        "mirrored": {"srow_x": [0.7, 0, 0, 90]},
        "5 mm apart": {"srow_z": [0, 0, 1.5, -45]},
        "of another spacing": {"srow_z": [0, 0, 3, -40]},
    }.items():
        yield case(f"forms {what}", patched(**change), "qform and sform")
    near = patched(srow_z=[0, 0, 1.5, -40.5])
    yield case("forms half a millimetre apart", near, "", "", error=None)


def contents():
    for length in (0, 1, 3, 20, 340, 347, 352, 400, len(DATA) - 1):
        field = "cut short" if length > 3 else "ct"
        message = "cut short|sizeof_hdr"
        yield case(f"cut to {length} bytes", DATA[:length], field, message)
    packed = gzip.compress(encode(example_hu(shape=(20, 30, 40))))
    for length in (0, 1, 5, 30, 2000, len(packed) - 9, len(packed) - 1):
        cut = packed[:length]
        message = "cut short|sizeof_hdr"
        yield case(f"packed, cut to {length} bytes", cut, "cut short", message, suffix=".nii.gz")
    for at in (3, 500, len(packed) - 6):
        flipped = packed[:at] + bytes([packed[at] ^ 0xFF]) + packed[at + 1 :]
        yield case(f"packed, byte {at} damaged", flipped, "damaged", suffix=".nii.gz")
    misnamed = "expected other data by its name, found gzip data"
    yield case("packed but called .nii", gzip.compress(DATA), "gzip", misnamed)
    called = "expected gzip data by its name, found other data"
    yield case("not packed but called .nii.gz", DATA, "gzip", called, suffix=".nii.gz")
    yield case("more than its header says", DATA + bytes(9000), "dim", "dim: .*found more")
    bomb = partial(lambda: gzip.compress(DATA + bytes(256 << 20), 1))
    yield case("a bomb", bomb, "dim", "dim: .*found more", suffix=".nii.gz")
    for value in (np.nan, np.inf):
        floats = HU.astype(np.float32)
        floats[2, 1, 1] = value
        yield case(f"a voxel of {value}", encode(floats), "HU", "expected HU, found .* not finite")
    huge = patched(encode(HU.astype(np.float32)), scl_slope=3e38)
    yield case("values beyond float32", huge, "HU", "expected HU, found .* not finite")
    for dtype in (np.complex64, np.complex128):
        yield case(f"voxels of {np.dtype(dtype)}", encode(HU.astype(dtype)), "datatype")
    color = np.zeros(HU.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    yield case("voxels of colours", lambda: encode(color), "datatype")
    for wrong in (3, -1, 0.5, np.nan):
        labels = LABELS.astype(np.float32)
        labels[1, 1, 1] = wrong
        yield case(f"label {wrong}", encode(labels), "labels", read=read_labels)


def pairs_and_names():
    def other(name, data=b"text"):
        def make(folder):
            (folder / name).write_bytes(data)
            return folder / name

        return make

    for name in ("ct.nrrd", "ct.mha", "ct.hdr", "ct.txt"):
        message = rf"{name}: expected a NIfTI file"
        yield Case(f"nifti: called {name}", other(name), InputError, "NIfTI file", message)
    named = partial(read_scan, series_uid="1.2")
    yield case("with --series_uid", DATA, "--series_uid", read=named)

    def is_labels(found):
        np.testing.assert_array_equal(found.labels, LABELS)

    yield case("labels", encode(LABELS), "", "", error=None, read=read_labels, check=is_labels)


def sound():
    """What is unusual, but says one thing only."""
    good = partial(case, field="", message="", error=None)
    yield good("plain", DATA)
    yield good("packed", gzip.compress(DATA), suffix=".NII.GZ")
    yield good("packed in two members", gzip.compress(DATA[:400]) + gzip.compress(DATA[400:]),
               suffix=".nii.gz")  # fmt: skip
    yield good("NIfTI-2", encode(kind=nib.Nifti2Image))
    yield good("one frame", encode(HU[None]))
    yield good("float64", encode(HU.astype(np.float64)))
    yield good("no slope", patched(scl_slope=0, scl_inter=7))
    yield good("slope of NaN", patched(scl_slope=np.nan, scl_inter=np.nan))
    yield good("qform alone", patched(sform_code=0))
    yield good("sform alone", patched(qform_code=0, quatern_b=9))
    yield good("big endian", big_endian())
    yield good("an extension", with_extension())
    yield good("a wrong size of its extension", with_extension(esize=1 << 30))
    yield good("a text in its header", patched(descrip=b"name of a patient"))


def big_endian():
    image = nib.Nifti1Image(HU.T, AFFINE, nib.Nifti1Header(endianness=">"))
    image.header.set_xyzt_units("mm")
    return image.to_bytes()


def with_extension(esize=32):
    head = io.BytesIO()
    head.write(patched(vox_offset=384)[:348])
    head.write(bytes([1, 0, 0, 0]) + esize.to_bytes(4, "little") + bytes(28))
    return head.getvalue() + DATA[352:]


def cases():
    for group in (headers, forms, contents, pairs_and_names, sound):
        yield from group()
