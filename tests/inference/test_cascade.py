import itertools
import shutil

import numpy as np
import pytest

from liverjax.choices import Stage
from liverjax.errors import CheckpointError
from liverjax.evaluation.confusion import count
from liverjax.inference.cascade import Cascade, load_cascade
from liverjax.inference.load import load_network
from liverjax.inference.predict import predict_volume
from liverjax.io.seal import seal
from liverjax.training.loop import fit
from liverjax.volume import Geometry, Volume
from tests.toy import toy_config, toy_slices, toy_source


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for stage in Stage:
        fit(toy_config(stage, epochs=12), toy_source(), toy_source(), folder / stage.value, {})
    return folder


@pytest.fixture(scope="module")
def cascade(runs):
    return load_cascade(runs / "liver", runs / "tumor")


@pytest.fixture(scope="module")
def case():
    hu, labels = (array[..., 0] for array in toy_slices(7))
    # One slice repeated is a solid object, as organs are.
    hu, labels = (np.ascontiguousarray(np.repeat(array[:1], 10, axis=0)) for array in (hu, labels))
    return Volume(hu, Geometry.from_axes((0, 0, 0), (4.0, 3.0, 3.0))), labels


def test_the_cascade_finds_liver_and_tumour(cascade, case):
    volume, labels = case
    found = cascade(volume)
    assert found.geometry is volume.geometry
    assert count(found.liver, labels >= 1).dice > 0.9
    assert count(found.tumor, labels == 2).dice > 0.7


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_the_result_lies_on_the_grid_of_the_input(cascade, case, axes):
    volume, _ = case
    for signs in itertools.product((1, -1), repeat=3):
        affine = volume.geometry.affine.copy()
        hu = np.transpose(volume.hu, axes)
        affine[:, :3] = affine[:, axes]
        for axis, sign in enumerate(signs):
            if sign < 0:
                hu = np.flip(hu, axis)
                affine[:3, 3] += affine[:3, axis] * (hu.shape[axis] - 1)
                affine[:3, axis] *= -1
        found = cascade(Volume(np.ascontiguousarray(hu), Geometry(affine)))
        expected = np.transpose(cascade(volume).labels, axes)
        expected = np.flip(expected, [axis for axis, sign in enumerate(signs) if sign < 0])
        np.testing.assert_array_equal(found.labels, expected)


def test_a_volume_without_liver_gives_an_empty_segmentation(cascade):
    empty = Volume(np.full((3, 32, 32), -1000, np.int16), Geometry(np.eye(4)))
    assert not cascade(empty).labels.any()


def test_without_a_liver_the_tumour_network_does_not_run(cascade, case):
    volume, _ = case

    def run(batch):
        raise AssertionError("the tumour network ran")

    alone = Cascade(cascade.liver, cascade.tumor._replace(probability=run))
    with pytest.raises(AssertionError, match="the tumour network ran"):
        alone(volume)
    # The same liver in voxels of a tenth of the side has 0.1 mL, and is none.
    small = Volume(volume.hu, Geometry.from_axes((0, 0, 0), (0.4, 0.3, 0.3)))
    found = alone.predict(small)
    assert not found.segmentation.labels.any()
    assert found.liver.max() > 0.5
    assert not found.tumor.any()


def test_the_tumour_stage_skips_slices_without_liver(runs, case):
    volume, labels = case
    network = load_network(runs / "tumor", Stage.TUMOR)
    liver = labels >= 1
    liver[3:] = False
    probability = predict_volume(network, volume, liver)
    assert not probability[3:].any()
    assert probability[:3].max() > 0.5


def test_batches_of_any_size_give_the_same(runs, case):
    volume, _ = case
    network = load_network(runs / "liver", Stage.LIVER)
    first, second = (predict_volume(network, volume, batch_size=size) for size in (4, 10))
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_the_stages_cannot_be_swapped(runs):
    with pytest.raises(CheckpointError, match="expected a network of stage liver, found tumor"):
        load_cascade(runs / "tumor", runs / "liver")


def test_weights_of_another_network_than_configured_are_refused(runs, tmp_path):
    folder = shutil.copytree(runs / "liver", tmp_path / "liver")

    def change(*replacements):
        """Changes the stored configuration, sealed as if it had been written so."""
        for path in folder.glob("checkpoints/*/config/data.json"):
            text = path.read_text()
            for before, after in replacements:
                text = text.replace(before, after)
            path.write_text(text)
            seal(path.parents[1])

    change(("[8, 8]", "[8, 16]"), ("[8,8]", "[8,16]"))
    with pytest.raises(CheckpointError, match=r"stored configuration: .*expected \(.*found \("):
        load_network(folder, Stage.LIVER)
    change(("epochs", "epoch"))
    with pytest.raises(CheckpointError, match=r"config\.epoch: no such field"):
        load_network(folder, Stage.LIVER)
