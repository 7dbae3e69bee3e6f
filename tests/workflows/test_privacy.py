"""Nothing that is written tells whose CT it was."""

import base64
import gzip
import io
import re
import zlib
from functools import partial

import pydicom
import pytest

from liverjax.errors import InputError
from liverjax.io.ct import read_scan
from liverjax.workflows.case_files import Wanted
from liverjax.workflows.inputs import find_cases
from liverjax.workflows.predict_all import predict_all
from tests.io.dicom.files import write_files
from tests.workflows.predicting import study, thresholds

PATIENT = {
    "PatientName": "Quillfeather^Zebedee",
    "PatientID": "QX-774193",
    "PatientBirthDate": "19310827",
    "PatientComments": "wombatcomment",
    "OtherPatientIDs": "wombatother",
    "PatientAddress": "wombataddress",
}
STUDY = {
    "StudyDate": "19770713",
    "SeriesDate": "19770714",
    "AcquisitionDate": "19770715",
    "ContentDate": "19770716",
    "StudyTime": "112233.445566",
    "AccessionNumber": "wombataccess",
    "StudyID": "wombatstudy",
    "StudyDescription": "wombatstudydescription",
    "ReferringPhysicianName": "Wombatreferring",
}
ELSEWHERE = {
    "SeriesDescription": "wombatseriesdescription",
    "InstitutionName": "wombatinstitution",
    "InstitutionAddress": "wombatstreet",
    "OperatorsName": "Wombatoperator",
    "StationName": "wombatstation",
    "DeviceSerialNumber": "wombatserial",
    "ImageComments": "wombatimage",
    "ProtocolName": "wombatprotocol",
}
PATHS = ["folderwombat", "filewombat"]
ENCODED = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}")


def marked(name, value):
    """The files of a study, with marks in all tags that tell something."""
    for number, data in enumerate(study(name).values()):
        dataset = pydicom.dcmread(io.BytesIO(data))
        for keyword, text in {**PATIENT, **STUDY, **ELSEWHERE}.items():
            setattr(dataset, keyword, text)
        dataset.private_block(0x0011, "wombatcreator", create=True).add_new(
            1, "LO", "wombatprivate"
        )
        buffer = io.BytesIO()
        dataset.save_as(buffer)
        yield f"{value}/filewombat_{number}.dcm", buffer.getvalue()


def unpacked(data):
    """Bytes, and what is packed or encoded in them."""
    yield data
    if data.startswith(b"\x1f\x8b"):
        yield from unpacked(gzip.decompress(data))
        return
    for block in ENCODED.findall(data):
        try:
            inner = base64.b64decode(block)
        except ValueError:
            continue
        if inner.startswith(b"\x1f\x8b"):
            yield from unpacked(gzip.decompress(inner))
        elif inner.startswith(b"\x78"):
            yield from unpacked(zlib.decompress(inner))
        else:
            yield inner


def found_in(path, marks):
    """Which of the marks a file holds anywhere."""
    everything = b"\n".join(unpacked(path.read_bytes())).lower()
    forms = {mark: [mark.lower().encode(), mark.lower().encode("utf-16-le")] for mark in marks}
    for mark in marks:  # the parts of a name and a date as people write it
        forms[mark] += [part.lower().encode() for part in mark.split("^")]
        if re.fullmatch(r"\d{8}", mark):
            forms[mark].append(f"{mark[:4]}-{mark[4:6]}-{mark[6:]}".encode())
    return {mark for mark, each in forms.items() if any(form in everything for form in each)}


@pytest.fixture
def patients(tmp_path):
    files = dict(marked("a", "folderwombat_1"))
    del files["folderwombat_1/filewombat_2.dcm"]  # so that something is mended
    return write_files(tmp_path / "folderwombat", files | dict(marked("b", "folderwombat_2")))


@pytest.mark.parametrize("anonymize", [False, True])
def test_no_file_tells_whose_it_is(patients, tmp_path, anonymize):
    output = tmp_path / "out"
    outcome = predict_all(
        find_cases([patients]),
        thresholds(),
        output,
        read=partial(read_scan, lenient=True),
        wanted=Wanted(probabilities=True, fractional=True, anonymize=anonymize),
    )
    assert len(outcome.done) == 2, outcome
    files = [path for path in output.rglob("*") if path.is_file()]
    assert len(files) == 2 * 9
    in_objects = set() if anonymize else {*PATIENT.values(), *STUDY.values()}
    for path in files:
        marks = {*PATIENT.values(), *STUDY.values(), *ELSEWHERE.values(), *PATHS, str(tmp_path)}
        marks |= {"wombatcreator", "wombatprivate"}
        allowed = in_objects if path.suffix == ".dcm" else set()
        assert found_in(path, marks) <= allowed, path
    if anonymize:
        assert sorted(path.name for path in output.iterdir()) == ["case001", "case002"]
    else:
        assert all(found_in(path, PATIENT.values()) for path in output.rglob("*.dcm"))


def test_errors_are_told_and_not_written(patients, tmp_path):
    output = tmp_path / "out"

    def read(path):
        raise (InputError if path.name.endswith("1") else ValueError)(f"{path}: wombat")

    outcome = predict_all(find_cases([patients]), thresholds(), output, read=read)
    assert len(outcome.failed) == len(outcome.broken) == 1
    assert not output.exists()


def test_the_search_finds_what_is_packed(tmp_path):
    packed = base64.b64encode(gzip.compress(b"Wombat " * 9))
    (tmp_path / "page.html").write_bytes(b"<script>" + packed + b"</script>")
    (tmp_path / "image.nii.gz").write_bytes(gzip.compress(b"1977-07-13 " + b"x" * 99))
    assert found_in(tmp_path / "page.html", ["wombat"]) == {"wombat"}
    assert found_in(tmp_path / "image.nii.gz", ["19770713"]) == {"19770713"}
