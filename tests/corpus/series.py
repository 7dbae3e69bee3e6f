"""DICOM series with something wrong, and those that only look so."""

from functools import partial

import numpy as np
from pydicom.sequence import Sequence
from pydicom.uid import MediaStorageDirectoryStorage, MRImageStorage

from liverjax.errors import InputError
from liverjax.io.ct import read_scan
from liverjax.io.dicom.uid import derive_uid
from tests.corpus.case import Case
from tests.corpus.dicom_files import (
    FILES,
    HU,
    big_endian,
    deflated_bomb,
    enhanced,
    in_syntax,
    meta,
    nested,
    opened,
    packed,
    raw,
    raw_nested,
    saved,
    with_streams,
)
from tests.io.dicom.compressed import SYNTAXES, deflated
from tests.io.dicom.files import SPACING, below, edited, series_files, write_files, zipped

LENIENT = partial(read_scan, lenient=True)
TARGET = "image_2"


def same(scan):
    np.testing.assert_array_equal(scan.volume.hu, HU)
    assert np.allclose(scan.volume.geometry.spacing, SPACING)


def case(name, files, field, message=None, *, error=InputError, read=read_scan, check=same):
    """A case of `files`, or of what `files` gives when called."""

    def make(folder):
        return write_files(folder / "in", files() if callable(files) else files)

    message = message if message is not None else rf"{TARGET}: {field}"
    return Case(f"series: {name}", make, error, field, message, read, check)


def one(name, change, field, message=None, **options):
    """A case in which one slice is changed."""
    return case(name, lambda: FILES | {TARGET: change(FILES[TARGET])}, field, message, **options)


def every(name, change, field, message=None, **options):
    """A case in which all slices are changed."""
    if message is None:
        message = rf"image_\d: {field}"
    return case(
        name, lambda: {key: change(data) for key, data in FILES.items()}, field, message, **options
    )


def fine(name, files, check=same, read=read_scan):
    return case(name, files, "", "", error=None, read=read, check=check)


def decimals():
    """Tags with decimal numbers, in every way in which such a value can be wrong."""
    counts = {
        "ImagePositionPatient": 3,
        "ImageOrientationPatient": 6,
        "PixelSpacing": 2,
        "RescaleSlope": 1,
        "RescaleIntercept": 1,
    }
    for tag, count in counts.items():
        values = {
            "empty": [],
            "one too many": [b"1"] * (count + 1),
            "text": [b"abc"] * count,
            "not a number": [b"nan"] * count,
            "infinite": [b"inf"] * count,
            "beyond a double": [b"1e999"] * count,
            "comma": [b"0,5"] * count,
            "not ASCII": [b"\xff\xfe"] * count,
        }
        if count > 1:
            values["one too few"] = [b"1"] * (count - 1)
        yield one(f"{tag} missing", partial(edited, **{tag: None}), tag)
        for what, parts in values.items():
            change = partial(raw, keyword=tag, vr="DS", value=b"\\".join(parts))
            yield one(f"{tag} {what}", change, tag)
        yield one(f"{tag} as text", partial(raw, keyword=tag, vr="LO", value=b"none"), tag)


def integers():
    """Tags with whole numbers, likewise."""
    for tag in ("Rows", "Columns", "BitsAllocated", "PixelRepresentation"):
        yield one(f"{tag} missing", partial(edited, **{tag: None}), tag)
        for what, value in {"empty": b"", "two values": bytes(4)}.items():
            yield one(f"{tag} {what}", partial(short, keyword=tag, value=value), tag)
        yield one(f"{tag} as text", partial(raw, keyword=tag, vr="LO", value=b"many"), tag)
        number = partial(edited, **{tag: 65535})
        yield one(f"{tag} huge", number, tag)
    for tag, value in [
        ("Rows", 0), ("Columns", 0), ("BitsAllocated", 0), ("BitsAllocated", 1),
        ("BitsAllocated", 12), ("BitsAllocated", 32), ("BitsStored", 17), ("BitsStored", 0),
        ("PixelRepresentation", 2), ("SamplesPerPixel", 3), ("SamplesPerPixel", 0),
        ("NumberOfFrames", 0), ("NumberOfFrames", -1), ("NumberOfFrames", 2),
        ("NumberOfFrames", 2**31 - 1), ("Rows", 17), ("Rows", 15),
    ]:  # fmt: skip
        field = "PixelData" if value in (15, 17) and tag == "Rows" else tag
        field = "PixelData" if (tag, value) == ("NumberOfFrames", 2) else field
        yield one(f"{tag} {value}", partial(edited, **{tag: value}), field)
    yield one("HighBit 99", partial(edited, HighBit=99), "HighBit", rf"{TARGET}: .*HighBit 99")
    frames = partial(raw, keyword="NumberOfFrames", vr="IS", value=b"many")
    yield one("NumberOfFrames as text", frames, "NumberOfFrames")


def short(data, keyword, value):
    """A tag of the type US with these bytes, of which an odd one stays."""
    dataset = opened(raw(data, keyword, "US", value + bytes(len(value) % 2)))
    return saved(dataset)


def values():
    """Values that can be read, but of which no CT is made."""
    for tag, value in [
        ("PixelSpacing", [0, 1]), ("PixelSpacing", [-0.5, 0.5]),
        ("ImageOrientationPatient", [0] * 6), ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0]),
        ("ImageOrientationPatient", [2, 0, 0, 0, 2, 0]),
        ("RescaleSlope", 0), ("RescaleType", "OD"), ("PhotometricInterpretation", "RGB"),
        ("PhotometricInterpretation", "PALETTE COLOR"), ("PhotometricInterpretation", "YBR_FULL"),
        ("Modality", "MR"), ("ModalityLUTSequence", Sequence([])),
    ]:  # fmt: skip
        change = partial(edited, **{tag: value})
        label = "empty" if isinstance(value, Sequence) else value
        yield one(f"{tag} {label}", change, tag)
    for what, tag, value in [
        ("huge", "PixelSpacing", b"1e300\\1e300"),
        ("tiny", "PixelSpacing", b"1e-300\\1e-300"),
        ("far", "ImagePositionPatient", b"0\\0\\1e300"),
        ("huge", "RescaleSlope", b"1e300"),
        ("negative", "RescaleSlope", b"-1"),
        ("huge", "RescaleIntercept", b"-1e300"),
    ]:
        yield every(f"{tag} {what}", partial(raw, keyword=tag, vr="DS", value=value), tag)
    yield one(
        "no rescale", partial(edited, RescaleSlope=None, RescaleIntercept=None), "RescaleSlope"
    )
    yield one("PixelData missing", partial(edited, PixelData=None), "PixelData")
    yield one("PixelData short", partial(edited, PixelData=HU[2].tobytes()[:-2]), "PixelData")
    yield one("PixelData long", partial(edited, PixelData=HU[2].tobytes() + b"123456"), "PixelData")
    single = {"image_0": FILES["image_0"]}
    for what, value in {"missing": None, "text": b"abc", "zero": b"0", "nan": b"nan"}.items():
        yield case(
            f"SliceThickness of a single slice {what}",
            partial(bare, single, value),
            "SliceThickness",
            "image_0: SliceThickness",
        )
    spacing = partial(raw, keyword="SpacingBetweenSlices", vr="DS", value=b"abc")
    yield every("SpacingBetweenSlices text", spacing, "SpacingBetweenSlices")
    for tag in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        change = partial(raw, keyword=tag, vr="LO", value=b"none")
        yield one(f"{tag} text", lambda data, change=change: change(padded(data)), tag)
    huge = partial(raw, keyword="PixelPaddingValue", vr="DS", value=b"1e300")
    yield every("PixelPaddingValue huge", huge, "PixelPaddingValue")


def padded(data):
    return raw(data, "PixelPaddingValue", "SS", (-2000).to_bytes(2, "little", signed=True))


def bare(files, thickness):
    """A slice that says nothing of its thickness, or only this."""
    changed = {key: edited(data, SpacingBetweenSlices=None) for key, data in files.items()}
    if thickness is None:
        return {key: edited(data, SliceThickness=None) for key, data in changed.items()}
    return {key: raw(data, "SliceThickness", "DS", thickness) for key, data in changed.items()}


def files_cut():
    """Files that end early, and other files under the name of one."""
    size = len(FILES[TARGET])
    for length in (0, 1, 100, 127, 128, 131):
        yield one(f"cut to {length} bytes", lambda d, n=length: d[:n], "DICM", rf"{TARGET}: .*DICM")
    for length in (132, 140, 200, 300, 400, 500, 600, 700, 800, size - 97, size - 96, size - 1):
        # Which tag is the first to be missing depends on the place.
        yield one(f"cut to {length} bytes", lambda d, n=length: d[:n], TARGET, rf"{TARGET}: \w+")
    yield case(
        "text named like a slice",
        FILES | {"image_5.dcm": b"text" * 100},
        "DICM",
        r"image_5\.dcm: .*DICM",
    )
    yield one("zeros", lambda d: bytes(len(d)), "DICM", rf"{TARGET}: .*DICM")
    yield one("zeros after the mark", lambda d: d[:132] + bytes(len(d) - 132), TARGET, TARGET)
    yield one("0xFF after the mark", lambda d: d[:132] + b"\xff" * 900, TARGET, TARGET)
    yield one("sequences 5000 deep", partial(raw_nested, depth=5000), TARGET, TARGET)
    yield fine("sequences 20 deep", lambda: {
        key: edited(data, ReferencedImageSequence=nested(20)) for key, data in FILES.items()
    })  # fmt: skip
    yield fine("a read-me beside the slices", FILES | {"README.txt": b"read me"})
    yield fine("packed twice", {"a.zip": zipped({"b.zip": zipped(FILES)})})


def syntaxes():
    """Transfer syntaxes that cannot be read, and damage in those that can."""
    field = "TransferSyntaxUID"
    for what, uid in {
        "unknown": "1.2.3.4",
        "MPEG-4": "1.2.840.10008.1.2.4.102",
        "JPEG 12 bit": "1.2.840.10008.1.2.4.51",
        "JPIP": "1.2.840.10008.1.2.4.94",
        "text": "none",
    }.items():
        yield one(f"{field} {what}", partial(in_syntax, uid=uid), field)
    yield one(f"{field} big endian", big_endian, field)
    yield one(f"{field} missing", partial(meta, TransferSyntaxUID=None), field)
    for syntax in SYNTAXES[:-1]:
        yield from streams(syntax)
    for what, change in {
        "cut": lambda data: data[:-20],
        "garbage": lambda data: data[:400] + b"\xff" * (len(data) - 400),
    }.items():
        yield case(
            f"deflated {what}",
            lambda change=change: FILES | {TARGET: change(deflated(FILES[TARGET]))},
            TARGET,
            rf"{TARGET}: .*(deflated|damaged)",
        )
    yield case(
        "deflated bomb",
        lambda: FILES | {TARGET: deflated_bomb(FILES[TARGET], 1100)},
        "inflated",
        rf"{TARGET}: expected at most \d+ bytes when inflated",
    )
    yield fine("deflated", lambda: FILES | {TARGET: deflated(FILES[TARGET])})


def streams(syntax):
    def changed(change):
        return lambda: FILES | {TARGET: change(packed(syntax))}

    yield fine(syntax, changed(lambda data: data))
    for what, change in {
        "cut short": lambda found: [found[0][: len(found[0]) // 3]],
        "zeros": lambda found: [bytes(len(found[0]))],
        "nearly empty": lambda found: [found[0][:2]],
        "twice": lambda found: found * 2,
    }.items():
        if (syntax, what) != ("RLE", "zeros"):  # no segments: refused as well, but not by size
            yield case(
                f"{syntax} {what}",
                changed(lambda data, change=change: with_streams(data, change)),
                "PixelData",
                rf"{TARGET}: PixelData",
            )
    if syntax != "RLE":
        yield case(
            f"{syntax} of another size",
            lambda: {TARGET: edited(packed(syntax), Rows=24, Columns=16)},
            "PixelData",
            rf"{TARGET}: PixelData.*24 x 16",
        )
    other = changed(lambda data: in_syntax(data, "1.2.840.10008.1.2.1"))
    yield case(f"{syntax} called uncompressed", other, "PixelData", rf"{TARGET}: ")


def places():
    """Slices that do not make a volume."""
    field = "ImagePositionPatient"
    step = SPACING[0]
    for what, position in {
        "same place": [0, 0, step],
        "uneven": [0, 0, 2 * step + 0.5],
        "sideways": [3, 0, 2 * step],
        "far away": [0, 0, 1e6],
    }.items():
        message = rf"image_\d: {field}"
        yield one(f"{what}", partial(edited, ImagePositionPatient=position), field, message)
    gap = {name: data for name, data in FILES.items() if name != TARGET}
    yield case("a slice missing", gap, field, rf"image_3: {field}.*missing")
    yield case("a slice twice", FILES | {"copy_9": FILES[TARGET]}, field, rf": {field}.*same")
    yield case("gantry tilt", tilted, field, rf": {field}.*--lenient")
    yield one("another spacing", partial(edited, PixelSpacing=[1, 1]), "PixelSpacing")
    yield one("another size", partial(edited, Rows=24, Columns=16), "Rows and Columns")
    turned = partial(edited, ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    yield one("a localizer", turned, "ImageOrientationPatient")


def tilted():
    return {
        name: edited(data, ImagePositionPatient=[0, round(0.5 * i, 3), round(SPACING[0] * i, 3)])
        for i, (name, data) in enumerate(FILES.items())
    }


def several():
    """Several series, or none."""
    other = {key: edited(d, SeriesInstanceUID="2.25.7") for key, d in FILES.items()}
    two = below("a", FILES) | below("b", other)
    yield case("two alike", two, "series", "in: expected one CT series with most slices")
    patient = {key: edited(data, PatientID="another") for key, data in other.items()}
    yield case(
        "two patients", below("a", FILES) | below("b", patient), "PatientID", "in: PatientID"
    )
    fewer = dict(list(other.items())[:3])
    yield fine("a shorter one beside it", below("a", FILES) | below("b", fewer))
    uid = derive_uid("series", "patient")
    yield fine("two alike, one of them named", two, read=partial(read_scan, series_uid=uid))
    unknown = partial(read_scan, series_uid="1.2")
    yield case("no such series", FILES, "series 1.2", r"in: no series 1\.2", read=unknown)
    mr = {
        key: meta(edited(data, Modality="MR", SOPClassUID=MRImageStorage),
                  MediaStorageSOPClassUID=MRImageStorage)
        for key, data in FILES.items()
    }  # fmt: skip
    yield case("MR alone", mr, "Modality", "in: Modality: expected a CT series")
    named = partial(read_scan, series_uid=uid)
    yield case("MR named", mr, "Modality", "in: series .*Modality: expected CT", read=named)
    yield case("nothing", {}, "CT images", "in: expected CT images")
    yield case("no DICOM", {"a.txt": b"1", "b.png": b"\x89PNG"}, "CT images", "in: expected CT")
    directory = meta(FILES["image_0"], MediaStorageSOPClassUID=MediaStorageDirectoryStorage)
    yield case("DICOMDIR alone", {"DICOMDIR": directory}, "CT images", "in: expected CT")
    no_class = meta(edited(FILES[TARGET], SOPClassUID=None), MediaStorageSOPClassUID=None)
    yield case("no SOP class", FILES | {TARGET: no_class}, "SOPClassUID")


def multi_frame():
    """Enhanced CT: the tags of the slices lie in sequences."""

    def changed(change):
        def files():
            dataset = enhanced()
            change(dataset)
            return {"ct.dcm": saved(dataset)}

        return files

    def drop_last(dataset):
        dataset.PerFrameFunctionalGroupsSequence.pop()

    def other_stack(dataset):
        dataset.PerFrameFunctionalGroupsSequence[1].FrameContentSequence[0].StackID = "2"

    def no_position(dataset):
        del dataset.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence

    def empty_measures(dataset):
        dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence = Sequence([])

    def no_shared(dataset):
        del dataset.SharedFunctionalGroupsSequence

    def no_rescale(dataset):
        del dataset.PerFrameFunctionalGroupsSequence[1].PixelValueTransformationSequence

    def more_frames(dataset):
        dataset.NumberOfFrames = 9

    def no_frames(dataset):
        del dataset.NumberOfFrames

    def no_groups(dataset):
        dataset.PerFrameFunctionalGroupsSequence = Sequence([])

    def text_for_groups(dataset):
        bad = opened(raw(saved(dataset), "PerFrameFunctionalGroupsSequence", "LO", b"none"))
        dataset.update(bad)

    yield fine("multi-frame", changed(lambda dataset: None))
    for change, field in [
        (drop_last, "PerFrameFunctionalGroupsSequence"),
        (no_groups, "PerFrameFunctionalGroupsSequence"),
        (text_for_groups, "PerFrameFunctionalGroupsSequence"),
        (other_stack, "StackID"),
        (no_position, "ImagePositionPatient"),
        (empty_measures, "PixelSpacing"),
        (no_shared, "ImageOrientationPatient"),
        (no_rescale, "RescaleSlope"),
        (more_frames, "PixelData"),
        (no_frames, "PixelData"),
    ]:
        name = f"multi-frame, {change.__name__.replace('_', ' ')}"
        yield case(name, changed(change), field, rf"ct\.dcm.*: {field}")


def lenient():
    """What is refused above is mended where it can be."""

    def repaired(text, planes=(0, 1, 2, 3, 4), depth=5):
        def check(scan):
            assert text in scan.repairs[0].what, scan.repairs
            assert scan.volume.hu.shape[0] == depth
            for plane in planes:
                np.testing.assert_array_equal(scan.volume.hu[plane], HU[plane])

        return check

    others = (0, 1, 3, 4)
    gap = {name: data for name, data in FILES.items() if name != TARGET}
    cut = FILES | {TARGET: FILES[TARGET][:-10]}
    size = FILES | {TARGET: edited(FILES[TARGET], Rows=24, Columns=16)}
    yield fine("lenient: nothing to mend", FILES, read=LENIENT)
    twice = FILES | {"copy_9": FILES[TARGET]}
    yield fine("lenient: twice", twice, repaired("there twice"), LENIENT)
    yield fine("lenient: a gap", gap, repaired("filled in 1 slice", others), LENIENT)
    yield fine("lenient: a slice cut", cut, repaired("left out 1 slice", others), LENIENT)
    yield fine("lenient: another size", size, repaired("left out 1 slice", others), LENIENT)
    yield fine("lenient: tilt", tilted, repaired("gantry tilt", ()), LENIENT)
    conflict = FILES | {"copy_9": edited(FILES[TARGET], PixelData=HU[3].tobytes())}
    field = "ImagePositionPatient"
    yield case("lenient: two in one place", conflict, field, rf": {field}.*same", read=LENIENT)
    wide = {name: data for name, data in series_files(np.repeat(HU, 4, axis=0)).items()
            if not 3 < int(name[6:]) < 14}  # fmt: skip
    yield case("lenient: a wide gap", wide, field, rf"image_14: {field}", read=LENIENT)
    most = {name: data[:-10] for name, data in FILES.items()}
    yield case("lenient: all cut", most, "PixelData", r"image_\d: PixelData", read=LENIENT)


def cases():
    for group in (
        decimals, integers, values, files_cut, syntaxes, places, several, multi_frame, lenient,
    ):  # fmt: skip
        yield from group()
