"""DICOM segmentations keep the standard, as dciodvfy judges it, and are right on a real CT."""

import subprocess

import numpy as np
import pytest
from pydicom.dataset import Dataset

from liverjax.io.ct import read_scan
from tests.conftest import require_program
from tests.io.dicom.enhanced import enhanced_ct
from tests.io.dicom.files import edited
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


def check_standard(path):
    """Asserts that dciodvfy finds no error in an object."""
    program = require_program("dciodvfy")
    done = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    assert "Segmentation" in lines
    assert [line for line in lines if line.startswith("Error")] == []


@pytest.mark.parametrize("anonymize", [False, True])
@pytest.mark.parametrize("case", ["binary", "fractional", "no tumour", "nothing"])
@pytest.mark.parametrize("source", ["slices", "personal", "frames"])
def test_keeps_the_standard(tmp_path, source, case, anonymize):
    files = {
        "slices": FILES,
        "personal": {name: edited(data, **PERSONAL) for name, data in FILES.items()},
        "frames": {"all": enhanced_ct(HU)},
    }[source]
    labels = {
        "binary": LABELS,
        "fractional": example_probabilities(),
        "no tumour": np.minimum(LABELS, 1),
        "nothing": np.zeros_like(LABELS),
    }[case]
    scan = read(tmp_path / "in", files)
    check_standard(write(tmp_path / "out.dcm", scan, labels, anonymize=anonymize))


@pytest.mark.parametrize("anonymize", [False, True])
def test_keeps_the_standard_for_images_without_identity(tmp_path, anonymize):
    method = Dataset()
    method.CodeValue, method.CodingSchemeDesignator = "113100", "DCM"
    method.CodeMeaning = "Basic Application Confidentiality Profile"
    tags = {"PatientIdentityRemoved": "YES", "DeidentificationMethodCodeSequence": [method]}
    scan = read(tmp_path / "in", {name: edited(data, **tags) for name, data in FILES.items()})
    check_standard(write(tmp_path / "out.dcm", scan, anonymize=anonymize))


@pytest.fixture(scope="module")
def real_scan(shared_data):
    path = shared_data / "ircadb" / "3Dircadb1.17.zip"
    if not path.is_file():
        pytest.skip("no patient 17 of 3D-IRCADb-01")
    return read_scan(path)


@pytest.mark.parametrize("anonymize", [False, True])
@pytest.mark.parametrize("fractional", [False, True])
def test_real_patient(tmp_path, real_scan, fractional, anonymize):
    labels = np.zeros(real_scan.volume.hu.shape, dtype=np.uint8)
    labels[30:90, 150:400, 100:300] = 1
    labels[50:60, 200:250, 150:180] = 2
    masks = (labels >= 1).astype(np.float32), (labels == 2) * np.float32(0.6)
    path = tmp_path / "out.dcm"
    write(path, real_scan, masks if fractional else labels, anonymize=anonymize)
    check_standard(path)
    _, frames = read_frames(path)
    depth, step = len(labels), real_scan.source.step
    for number, mask in enumerate(masks, start=1):
        found = stacked(frames, number, depth, step) > 0
        np.testing.assert_array_equal(found, mask > 0)
    name = str(real_scan.source.files[0].PatientName).encode()
    assert (name in path.read_bytes()) is not anonymize
