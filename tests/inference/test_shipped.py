"""The networks that come with the package, on real CT: what no toy network can show broken."""

import jax
import numpy as np
import pytest

from liverjax.datasets.ircadb.layout import find_patients, read_patient
from liverjax.datasets.volumes import read_pairs
from liverjax.evaluation.confusion import count
from liverjax.inference.cascade import load_cascade
from liverjax.volume import Segmentation, Volume


@pytest.fixture(scope="module")
def cascade(shared_data):  # where there is none, nothing is loaded
    """As users have it, which is compiled with all effort."""
    jax.config.update("jax_disable_most_optimizations", False)
    yield load_cascade()
    jax.config.update("jax_disable_most_optimizations", True)


def test_liver_and_tumours_of_a_patient_who_was_not_trained_on(cascade, shared_data):
    patient = read_patient(find_patients(shared_data / "ircadb")[17])
    through = slice(86, 106)  # the dome, with both tumours
    found = cascade(Volume(patient.volume.hu[through], patient.volume.geometry))
    reference = Segmentation(patient.labels[through], patient.volume.geometry)
    liver, tumor = count(found.liver, reference.liver), count(found.tumor, reference.tumor)
    # A little less than they reach: what breaks preprocessing or weights costs far more.
    assert liver.dice > 0.93
    assert tumor.dice > 0.5


def test_neither_a_chest_nor_a_pelvis_shows_a_liver(cascade, shared_data):
    patients = read_pairs([shared_data / "btcv"], exclude=("img002?", "img0031", "img0039"))
    volume, reference = patients.read("img0037")
    slices = np.flatnonzero(reference.liver.any(axis=(1, 2)))
    for part in (slice(None, slices[0] - 1), slice(slices[-1] + 2, None)):
        stack = Volume(volume.hu[part], volume.geometry)
        assert len(stack.hu) > 5
        assert not cascade(stack).liver.any()
