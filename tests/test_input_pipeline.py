import numpy as np
import pytest

from liverjax import input_pipeline
from liverjax.datasets.ircadb import ircadb_dataset_builder
from liverjax.errors import ConfigError, InputError, SplitError
from tests.datasets.tiny_archive import SPACING, tiny_patient, write_patient

PATIENTS = ["patient17", "patient04"]


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    """Patient 4 with 5 slices, 3 of them with liver; 17 with 7 and 5; 9 with larger slices."""
    root = tmp_path_factory.mktemp("ircadb")
    write_patient(root / "manual", 4)
    write_patient(root / "manual", 9, side=20)
    write_patient(root / "manual", 17, depth=7)
    ircadb_dataset_builder.prepare(root / "manual", root / "data")
    return input_pipeline.open_dataset("ircadb", root / "data")


def source(builder, **options):
    return input_pipeline.SliceSource(builder, PATIENTS, **{"batch_size": 4, "seed": 1, **options})


def images(batches):
    """All slices that are no padding, in the order of the batches."""
    return np.concatenate([batch["image"][batch["weight"] > 0] for batch in batches])


def as_set(slices):
    return {image.tobytes() for image in slices}


def test_opening_what_is_not_prepared_says_how_to_build_it(tmp_path):
    with pytest.raises(InputError, match=r"no prepared dataset ircadb.*experiments\.build_dataset"):
        input_pipeline.open_dataset("ircadb", tmp_path)


def test_summaries_and_fingerprint(builder):
    found = input_pipeline.summaries(builder)
    assert list(found) == ["patient04", "patient09", "patient17"]
    assert (found["patient17"].slices, found["patient17"].liver_slices) == (7, 5)
    assert (found["patient17"].liver_voxels, found["patient17"].tumor_voxels) == (5 * 64, 4)
    assert (found["patient09"].height, found["patient09"].width) == (20, 20)
    assert len(input_pipeline.dataset_fingerprint(builder)) == 64


def test_a_volume_comes_back_as_it_was(builder):
    volume, segmentation = input_pipeline.read_volume(builder, "patient17")
    hu, labels = tiny_patient(17, depth=7)
    assert np.array_equal(volume.hu, hu)
    assert np.array_equal(segmentation.labels, labels)
    assert volume.geometry.spacing == SPACING
    assert volume.geometry.affine[:3, 3].tolist() == [0.0, 0.0, 0.0]


def test_eval_batches_are_in_order_padded_and_unchanged(builder):
    batches = list(source(builder, batch_size=5).eval_batches())
    expected = [tiny_patient(17, depth=7), tiny_patient(4)]
    assert np.array_equal(images(batches)[..., 0], np.concatenate([hu for hu, _ in expected]))
    labels = np.concatenate([b["label"][b["weight"] > 0] for b in batches])
    assert np.array_equal(labels[..., 0], np.concatenate([labels for _, labels in expected]))
    for batch in batches:
        assert batch["image"].shape == batch["label"].shape == (5, 16, 16, 1)
        assert (batch["image"].dtype, batch["label"].dtype) == (np.int16, np.uint8)
    assert [batch["weight"].tolist() for batch in batches] == [[1] * 5, [1] * 5, [1, 1, 0, 0, 0]]
    assert not batches[-1]["image"][2:].any()


def test_an_epoch_is_every_slice_once_in_an_order_of_its_own(builder):
    slices = source(builder, batch_size=3)
    assert (slices.num_slices, slices.steps_per_epoch) == (12, 4)
    first, again, second = (images(slices.train_batches(epoch)) for epoch in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)
    everything = as_set(images(slices.eval_batches()))
    assert as_set(first) == as_set(second) == everything
    assert len(everything) == 12
    other_seed = images(source(builder, batch_size=3, seed=2).train_batches(0))
    assert not np.array_equal(first, other_seed)


def test_images_keep_their_labels_when_shuffled(builder):
    label_of = {}
    for number, depth in ((4, 5), (17, 7)):
        hu, labels = tiny_patient(number, depth)
        label_of |= {h.tobytes(): s for h, s in zip(hu, labels, strict=True)}
    for batch in source(builder).train_batches(0):
        for image, label in zip(batch["image"], batch["label"], strict=True):
            assert np.array_equal(label[..., 0], label_of[image.tobytes()])


def test_training_drops_the_remainder(builder):
    slices = source(builder, batch_size=5)
    batches = list(slices.train_batches(0))
    assert len(batches) == slices.steps_per_epoch == 2
    assert all(batch["weight"].tolist() == [1] * 5 for batch in batches)


def test_liver_only_leaves_out_slices_without_liver(builder):
    slices = source(builder, batch_size=3, liver_only=True)
    assert (slices.num_slices, slices.steps_per_epoch) == (8, 2)
    batches = list(slices.eval_batches())
    assert all(batch["label"][batch["weight"] > 0].any(axis=(1, 2, 3)).all() for batch in batches)
    assert len(images(batches)) == 8
    assert len(images(slices.train_batches(0))) == 6


def test_fewer_slices_than_a_batch_is_an_error_with_both_numbers(builder):
    slices = source(builder, batch_size=9, liver_only=True)
    with pytest.raises(ConfigError, match="have 8 slices with liver, fewer than one batch of 9"):
        next(slices.train_batches(0))
    assert len(list(slices.eval_batches())) == 1


@pytest.mark.parametrize(
    ("patients", "error", "message"),
    [
        ([], SplitError, "found none"),
        (["patient04", "patient04"], SplitError, "patient04 is named twice"),
        (["patient04", "patient05"], SplitError, "not hold patient05; it holds patient04, pat"),
        (["patient04", "patient09"], InputError, "patient04 16x16, patient09 20x20"),
    ],
)
def test_patients_that_cannot_be_used_are_named(builder, patients, error, message):
    with pytest.raises(error, match=message):
        input_pipeline.SliceSource(builder, patients, batch_size=2)


def test_reading_an_unknown_patient_lists_those_there_are(builder):
    with pytest.raises(SplitError, match="does not hold patient01; it holds patient04, patient09"):
        input_pipeline.read_volume(builder, "patient01")
