import numpy as np
import pytest

from liverjax.datasets.collection import SourceOptions, VolumeCollection
from liverjax.datasets.order import Sampling
from liverjax.datasets.phantom.patient import PhantomSpec
from liverjax.datasets.volumes import phantom_volumes
from liverjax.errors import InputError, SplitError
from liverjax.volume import Geometry, Segmentation, Volume

GEOMETRY = Geometry.from_axes((0, 0, 0), (2.0, 0.7, 0.8))


def pair(rng, depth=4):
    hu = rng.integers(-200, 200, (depth, 8, 8)).astype(np.int16)
    labels = np.zeros((depth, 8, 8), np.uint8)
    labels[1:3, 2:6, 2:6] = 1
    labels[2, 3:5, 3:5] = 2
    return Volume(hu, GEOMETRY), Segmentation(labels, GEOMETRY)


@pytest.fixture
def collection(rng):
    return VolumeCollection("toy", {"a": pair(rng), "b": pair(rng, 5)})


def test_summaries_tell_what_is_there(collection):
    found = collection.summaries["b"]
    assert (found.slices, found.height, found.width) == (5, 8, 8)
    assert (found.liver_slices, found.liver_voxels, found.tumor_voxels) == (2, 32, 4)


def test_the_fingerprint_follows_from_every_voxel(collection):
    volumes = {name: collection.read(name) for name in ("a", "b")}
    assert VolumeCollection("toy", dict(reversed(volumes.items()))).fingerprint == (
        collection.fingerprint
    )
    unknown = VolumeCollection("toy", volumes, {"b"})
    assert [each.tumors_known for each in unknown.summaries.values()] == [True, False]
    assert unknown.fingerprint != collection.fingerprint
    volume, reference = volumes["a"]
    for changed in (
        (Volume(volume.hu + np.int16(1), GEOMETRY), reference),
        (volume, Segmentation(np.where(reference.labels == 2, 1, reference.labels), GEOMETRY)),
    ):
        other = VolumeCollection("toy", volumes | {"a": changed})
        assert other.fingerprint != collection.fingerprint


def test_batches_hold_the_slices_in_order_with_their_neighbours(collection):
    options = SourceOptions(batch_size=3, neighbors=1)
    batches = list(collection.source(["a", "b"], options).eval_batches())
    images = np.concatenate([batch["image"] for batch in batches])[:9]
    a, b = (collection.read(name)[0].hu for name in "ab")
    np.testing.assert_array_equal(images[..., 1], np.concatenate([a, b]))
    np.testing.assert_array_equal(
        images[..., 0], np.concatenate([a[[0, 0, 1, 2]], b[[0, 0, 1, 2, 3]]])
    )
    np.testing.assert_allclose(batches[0]["spacing"], np.tile([0.7, 0.8], (3, 1)))


def test_patients_are_balanced_by_the_slices_that_are_used(collection):
    options = SourceOptions(1, Sampling(patient_balance=1.0), liver_only=True)
    livers = {name: np.zeros((len(collection.read(name)[0].hu), 8, 8), bool) for name in "ab"}
    livers["a"][0] = True
    livers["b"][:3] = True
    source = collection.source(["a", "b"], options, livers)
    plan = np.concatenate([source.plan(epoch).ravel() for epoch in range(2)])
    assert np.count_nonzero(plan == 0) == 4  # of 8 places; the other patient has the rest


def test_given_livers_decide_which_slices_are_used_and_what_is_tumour(collection):
    liver = np.zeros((4, 8, 8), bool)
    liver[2:4, :, :4] = True
    source = collection.source(["a"], SourceOptions(batch_size=1, liver_only=True), {"a": liver})
    labels = np.concatenate([batch["label"] for batch in source.eval_batches()])[..., 0]
    assert len(labels) == 2
    np.testing.assert_array_equal(labels > 0, liver[2:4])
    assert np.argwhere(labels == 2).tolist() == [[0, 3, 3], [0, 4, 3]]


def test_unknown_patients_and_foreign_grids_are_refused(collection, rng):
    with pytest.raises(SplitError, match="toy: does not hold c"):
        collection.read("c")
    volume, _ = pair(rng)
    with pytest.raises(InputError, match="a: the CT and its reference are not on the same grid"):
        VolumeCollection("toy", {"a": (volume, pair(rng, 5)[1])})


def test_phantoms_come_with_their_tumours_and_every_fifth_without():
    found = phantom_volumes([4, 5], PhantomSpec((12, 64, 64)))
    assert list(found.summaries) == ["patient04", "patient05"]
    assert [found.summaries[name].tumor_voxels > 0 for name in found.summaries] == [True, False]
