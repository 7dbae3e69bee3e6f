import numpy as np
import pytest

from liverjax.datasets.in_memory import InMemorySource
from liverjax.datasets.ircadb import ircadb_dataset_builder
from liverjax.datasets.livers import within
from liverjax.datasets.order import Sampling, Shown, epoch_plan
from liverjax.errors import ConfigError, InputError, SplitError
from liverjax.input_pipeline import reader, slice_source
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
    return reader.open_dataset("ircadb", root / "data")


def source(builder, **options):
    names = [name for name in Sampling._fields if name in options]
    sampling = Sampling(**{"seed": 1} | {name: options.pop(name) for name in names})
    options = {"batch_size": 4, "sampling": sampling} | options
    return slice_source.SliceSource(builder, PATIENTS, **options)


def images(batches):
    """All slices that are no padding, in the order of the batches."""
    return np.concatenate([batch["image"][batch["weight"] > 0] for batch in batches])


def as_set(slices):
    return {image.tobytes() for image in slices}


def test_opening_what_is_not_prepared_says_how_to_build_it(tmp_path):
    with pytest.raises(InputError, match=r"no prepared dataset ircadb.*experiments\.build_dataset"):
        reader.open_dataset("ircadb", tmp_path)


def test_summaries_and_fingerprint(builder):
    found = reader.summaries(builder)
    assert list(found) == ["patient04", "patient09", "patient17"]
    assert (found["patient17"].slices, found["patient17"].liver_slices) == (7, 5)
    assert (found["patient17"].liver_voxels, found["patient17"].tumor_voxels) == (5 * 64, 4)
    assert (found["patient09"].height, found["patient09"].width) == (20, 20)
    assert len(reader.dataset_fingerprint(builder)) == 64


def test_a_volume_comes_back_as_it_was(builder):
    volume, segmentation = reader.read_volume(builder, "patient17")
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


@pytest.mark.parametrize(
    ("shares", "liver_only"),
    [
        ({}, True),
        ({"tumor_share": 0.5}, True),
        ({"liver_share": 0.5}, False),
        ({"liver_share": 0.5, "patient_balance": 1.0}, False),
    ],
)
def test_an_epoch_is_that_of_its_plan(builder, shares, liver_only):
    slices = source(builder, liver_only=liver_only, **shares)
    every = list(slices.eval_batches())
    in_order, labels = images(every), np.concatenate([batch["label"] for batch in every])
    whose = np.repeat([0, 1], [7, 5])
    if liver_only:
        whose = np.repeat([0, 1], [5, 3])
    shown = Shown(*((labels >= least).any(axis=(1, 2, 3)) for least in (1, 2)), whose)
    plan = epoch_plan(Sampling(1, **shares), 5, shown, steps=slices.steps_per_epoch, batch_size=4)
    np.testing.assert_array_equal(slices.plan(5), plan)
    expected = in_order[plan.ravel()]
    np.testing.assert_array_equal(images(slices.train_batches(5)), expected)


def test_a_later_start_leaves_out_batches_and_changes_none(builder):
    slices = source(builder, batch_size=3, tumor_share=0.3, neighbors=1)
    whole = list(slices.train_batches(2))
    for start in (1, 3, 4):
        rest = list(slices.train_batches(2, start))
        assert len(rest) == 4 - start
        for left, right in zip(rest, whole[start:], strict=True):
            for name in whole[0]:
                np.testing.assert_array_equal(left[name], right[name])


@pytest.mark.parametrize("options", [{}, {"tumor_share": 0.5, "neighbors": 1}])
def test_processes_see_together_what_one_sees_alone(builder, options):
    options = {"batch_size": 4, "liver_only": True, **options}
    alone = source(builder, **options)
    parts = [source(builder, **options, share=(index, 2)) for index in (0, 1)]
    for read in (lambda s: s.train_batches(1), lambda s: s.eval_batches()):
        for whole, *halves in zip(read(alone), *map(read, parts), strict=True):
            for name in whole:
                assert [len(half[name]) for half in halves] == [2, 2]
                together = np.concatenate([half[name] for half in halves])
                np.testing.assert_array_equal(together, whole[name])


def test_shares_of_the_last_batch_are_padded_alike(builder):
    parts = [list(source(builder, share=(index, 4)).eval_batches()) for index in range(4)]
    assert [len(batches) for batches in parts] == [3] * 4
    five = [
        list(source(builder, batch_size=10, share=(index, 5)).eval_batches()) for index in range(5)
    ]
    assert [batches[-1]["weight"].tolist() for batches in five] == [[1, 1]] + [[0, 0]] * 4


def test_batches_that_cannot_be_shared_are_refused(builder):
    with pytest.raises(ConfigError, match=r"config.batch_size: .* multiple of the 3 processes"):
        source(builder, share=(0, 3))


@pytest.mark.parametrize("liver_only", [False, True])
def test_neighbours_are_the_patients_own_slices(builder, liver_only):
    slices = source(builder, batch_size=5, neighbors=2, liver_only=liver_only)
    volumes = [tiny_patient(17, depth=7), tiny_patient(4)]
    expected = []
    for hu, labels in volumes:
        for index in range(len(hu)):
            if labels[index].any() or not liver_only:
                around = np.clip(np.arange(index - 2, index + 3), 0, len(hu) - 1)
                expected.append(np.moveaxis(hu[around], 0, -1))
    np.testing.assert_array_equal(images(slices.eval_batches()), expected)
    stack_of = {stack[..., 2].tobytes(): stack for stack in expected}
    for batch in slices.train_batches(0):
        for stack in batch["image"]:
            np.testing.assert_array_equal(stack, stack_of[stack[..., 2].tobytes()])


def test_batches_say_how_large_their_pixels_are(builder):
    (batch,) = source(builder, batch_size=16).eval_batches()
    assert (batch["spacing"].shape, batch["spacing"].dtype) == ((16, 2), np.float32)
    np.testing.assert_allclose(batch["spacing"][:12], [SPACING[1:]] * 12)
    assert not batch["spacing"][12:].any()


def test_balanced_batches_hold_their_share_of_tumours(builder):
    # Two of the twelve slices show tumour.
    slices = source(builder, batch_size=4, tumor_share=0.5)
    assert slices.steps_per_epoch == 3
    epochs = [list(slices.train_batches(epoch)) for epoch in (0, 0, 1)]
    for batch in epochs[0]:
        assert (batch["label"] == 2).any(axis=(1, 2, 3)).sum() >= 2
        assert batch["weight"].tolist() == [1] * 4
    first, again, other = map(images, epochs)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert len(as_set(first)) == 8  # two with tumour, and six others


def test_balanced_batches_hold_their_share_of_slices_without_liver(builder):
    # Four of the twelve slices show no liver.
    slices = source(builder, batch_size=4, liver_share=0.5)
    for batch in slices.train_batches(0):
        assert batch["label"].any(axis=(1, 2, 3)).sum() == 2


def test_a_share_of_tumours_needs_one(builder, monkeypatch):
    found = reader.summaries(builder)
    for summary in found.values():
        summary.tumor_voxels = 0
    monkeypatch.setattr(reader, "summaries", lambda _: found)
    with pytest.raises(ConfigError, match=r"config.tumor_share: patient17, patient04 have no sl"):
        source(builder, tumor_share=0.5)


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
        slice_source.SliceSource(builder, patients, batch_size=2)


def test_reading_an_unknown_patient_lists_those_there_are(builder):
    with pytest.raises(SplitError, match="does not hold patient01; it holds patient04, patient09"):
        reader.read_volume(builder, "patient01")


@pytest.mark.parametrize("liver_only", [False, True])
def test_copies_come_as_from_arrays_in_memory(builder, liver_only):
    ours = source(builder, batch_size=5, copies=True, liver_only=liver_only)
    hu, labels = (
        np.concatenate(parts)
        for parts in zip(tiny_patient(17, depth=7), tiny_patient(4), strict=True)
    )
    used = labels.any(axis=(1, 2)) | (not liver_only)
    arrays = InMemorySource(
        hu[used][..., None],
        labels[used][..., None],
        np.tile(np.array(SPACING[1:], np.float32), (used.sum(), 1)),
        batch_size=5,
        sampling=Sampling(1),
        copies=True,
    )
    assert ours.num_slices == arrays.num_slices == used.sum() + 2 * 36
    pairs = [
        (ours.train_batches(2, start=3), arrays.train_batches(2, start=3)),
        (ours.eval_batches(), arrays.eval_batches()),
    ]
    for left, right in pairs:
        for one, other in zip(left, right, strict=True):
            assert one.keys() == other.keys()
            real = one["weight"] > 0
            for name in one:
                assert one[name].dtype == other[name].dtype
                np.testing.assert_array_equal(one[name][real], other[name][real])
            np.testing.assert_array_equal(one["copy"], other["copy"])
            np.testing.assert_array_equal(one["weight"], other["weight"])


@pytest.mark.parametrize("liver_only", [False, True])
def test_given_livers_stand_for_the_true_ones(builder, liver_only):
    livers = {}
    for patient in ("patient17", "patient04"):
        _, reference = reader.read_volume(builder, patient)
        livers[patient] = reference.tumor.copy()
        livers[patient][0] = True  # a slice whole, and of the tumours their left half
        livers[patient][1:, :, reference.labels.shape[2] // 2 :] = False
    ours = source(builder, batch_size=5, liver_only=liver_only, livers=livers)
    found = [batch["label"][batch["weight"] > 0] for batch in ours.eval_batches()]
    masks = np.concatenate([livers["patient17"], livers["patient04"]])
    labels = np.concatenate([reader.read_volume(builder, name)[1].labels for name in livers])
    used = masks.any(axis=(1, 2)) | (not liver_only)
    np.testing.assert_array_equal(np.concatenate(found)[..., 0], within(labels, masks)[used])
    assert ours.num_slices == used.sum()
    tumors = (within(labels, masks)[used] == 2).any(axis=(1, 2))
    shares = source(builder, batch_size=2, liver_only=liver_only, livers=livers, tumor_share=0.5)
    for batch in shares.train_batches(0):
        assert (batch["label"] == 2).any(axis=(1, 2, 3)).sum() == (1 if tumors.any() else 0)


def test_livers_of_other_shapes_are_refused(builder):
    livers = {"patient04": np.zeros((1, 2, 3), bool)}
    with pytest.raises(InputError, match="the given liver of patient04: expected a mask"):
        slice_source.SliceSource(builder, ["patient04"], batch_size=2, livers=livers)
