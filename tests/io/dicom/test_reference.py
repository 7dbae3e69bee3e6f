"""Whose a DICOM object is, what it refers to, and that anonymised ones tell nothing of it."""

import contextlib
import warnings

import numpy as np
import pydicom
import pytest

from liverjax.errors import InputError
from liverjax.io.dicom.uid import derive_uid
from tests.io.dicom.enhanced import enhanced_ct
from tests.io.dicom.files import SPACING, edited
from tests.io.dicom.objects import (
    FILES,
    HU,
    LABELS,
    PERSONAL,
    example_probabilities,
    read,
    read_frames,
    stacked,
    write,
)


@pytest.mark.parametrize("fractional", [False, True])
@pytest.mark.parametrize("multi_frame", [False, True])
def test_anonymised_objects_tell_nothing(tmp_path, fractional, multi_frame):
    files = {"all": enhanced_ct(HU)} if multi_frame else FILES
    files = {name: edited(data, **PERSONAL) for name, data in files.items()}
    scan = read(tmp_path / "in", files)
    labels = example_probabilities() if fractional else LABELS
    open_path = write(tmp_path / "open.dcm", scan, labels)
    path = write(tmp_path / "anonymous.dcm", scan, labels, anonymize=True)
    uids = [
        str(file[keyword].value)
        for file in scan.source.files
        for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
    ]
    assert PERSONAL["PatientName"].encode() in open_path.read_bytes()
    assert uids[0].encode() in open_path.read_bytes()
    data = path.read_bytes()
    for secret in [*PERSONAL.values(), *uids]:
        if len(secret) > 1:  # the sex may stand anywhere
            assert secret.encode() not in data
    dataset, frames = read_frames(path)
    for keyword in ("PatientSex", "PatientBirthDate", "StudyDate", "StudyID", "AccessionNumber"):
        assert not dataset[keyword].value
    assert dataset.PatientIdentityRemoved == "YES"
    assert frames[0].image == derive_uid("anonymous", _image_uid(scan, frames[0]))
    assert (dataset.PatientName, dataset.PatientID[:5]) == ("Anonymous^Patient", "ANON-")


def _image_uid(scan, frame):
    """Of the image at the place of a frame."""
    index = round(frame.places[0, 0, 2] / SPACING[0])
    return str(scan.source.files[scan.source.slices[index].file].SOPInstanceUID)


def test_patient_and_study_are_those_of_the_images(tmp_path):
    files = {name: edited(data, **PERSONAL) for name, data in FILES.items()}
    dataset, _ = read_frames(write(tmp_path / "out.dcm", read(tmp_path / "in", files)))
    for keyword in (
        *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge"),
        *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
        *("StudyDescription", "FrameOfReferenceUID"),
    ):
        assert dataset[keyword].value == PERSONAL[keyword]
    assert (dataset.ContentDate, dataset.ContentTime) == ("20240229", "101112")
    for absent in ("InstitutionName", "StationName", "OperatorsName", "PatientComments"):
        assert absent not in dataset


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("ISO_IR 100", "Müller^Jürgen"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小东"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ISO_IR 144", "Женя^Шум"),
        (None, "Name without caret"),
    ],
)
def test_names_survive(tmp_path, encoding, name):
    files = {
        key: edited(
            data, **({"SpecificCharacterSet": encoding} if encoding else {}), PatientName=name
        )
        for key, data in FILES.items()
    }
    dataset, _ = read_frames(write(tmp_path / "out.dcm", read(tmp_path / "in", files)))
    assert str(dataset.PatientName) == name
    assert dataset.get("SpecificCharacterSet") == encoding


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"PatientSex": "W"}, {"PatientSex": ""}),
        ({"PatientBirthDate": "unknown"}, {"PatientBirthDate": ""}),
        ({"PatientBirthDate": "19431399"}, {"PatientBirthDate": ""}),
        ({"StudyDate": "2024.02.29"}, {"StudyDate": "", "ContentDate": "19000101"}),
        (
            {"StudyDate": "", "AcquisitionDate": "20240302", "AcquisitionTime": "25"},
            {"ContentDate": "20240302", "ContentTime": "000000"},
        ),
        ({"StudyTime": "9:30"}, {"StudyTime": ""}),
        ({"StudyID": "longer than sixteen letters"}, {"StudyID": ""}),
        ({"PatientName": "A" * 70}, {"PatientName": "A" * 70}),
        ({"FrameOfReferenceUID": "none"}, {}),
        ({"SpecificCharacterSet": "nonsense"}, {}),
    ],
)
def test_odd_values_do_no_harm(tmp_path, tags, expected):
    files = {name: odd(data, **tags) for name, data in FILES.items()}
    with quiet():
        scan = read(tmp_path / "in", files)
    for anonymize in (False, True):
        path = write(tmp_path / "out.dcm", scan, anonymize=anonymize)
        with quiet():
            dataset, frames = read_frames(path)
            np.testing.assert_array_equal(stacked(frames, 1), LABELS >= 1)
            if not anonymize:
                assert {keyword: dataset[keyword].value for keyword in expected} == expected


def odd(data, **tags):
    """A DICOM file with values that pydicom would not write."""
    with quiet():
        return edited(data, **tags)


@contextlib.contextmanager
def quiet():
    """Without what pydicom has to say of values."""
    with warnings.catch_warnings(), pydicom.config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def test_lossy_compression_is_told(tmp_path):
    lossy = {
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": 10,
        "LossyImageCompressionMethod": "ISO_10918_1",
    }
    files = {name: edited(data, **lossy) for name, data in FILES.items()}
    scan = read(tmp_path / "in", files)
    for anonymize in (False, True):
        dataset, _ = read_frames(write(tmp_path / "out.dcm", scan, anonymize=anonymize))
        assert {keyword: dataset[keyword].value for keyword in lossy} == lossy


@pytest.mark.parametrize(
    ("keyword", "value", "found"),
    [
        ("SOPInstanceUID", "", "SOPInstanceUID: .* missing"),
        ("StudyInstanceUID", None, "StudyInstanceUID: .* missing"),
        ("SeriesInstanceUID", "1.2.x", "SeriesInstanceUID: .* found 1.2.x"),
    ],
)
def test_images_without_uids_are_refused(tmp_path, keyword, value, found):
    files = {name: odd(data, **{keyword: value}) for name, data in FILES.items()}
    scan = read(tmp_path / "in", files)
    path = tmp_path / "out.dcm"
    path.write_bytes(b"as before")
    for labels in (LABELS, example_probabilities()):
        with pytest.raises(InputError, match=found):
            write(path, scan, labels)
    assert path.read_bytes() == b"as before"
    assert {item.name for item in tmp_path.iterdir()} == {"in", "out.dcm"}


def test_images_that_share_a_uid_are_refused(tmp_path):
    files = {name: edited(data, SOPInstanceUID="1.2.3") for name, data in FILES.items()}
    scan = read(tmp_path / "in", files)
    with pytest.raises(InputError, match="SOPInstanceUID: expected one of its own for every"):
        write(tmp_path / "object.dcm", scan, LABELS)
