import jax
import numpy as np
import pytest

from liverjax.choices import Recipe, ResizeFilter, Stage
from liverjax.config import PreprocessConfig
from liverjax.datasets.ircadb.layout import find_patients, read_patient
from liverjax.preprocess.stages import build_preprocess
from liverjax.preprocess.thesis import normalize
from tests.preprocess import thesis_reference as reference
from tests.preprocess.test_pil_resize import PIL_FILTERS

SIZE = 64
GREY_LEVEL = 1 / 255


def random_slices(rng, count, shape):
    """CT-like and other slices: tissue of some spread, air, bone and metal."""
    slices = []
    for _ in range(count):
        spread, middle = rng.uniform(1, 200), rng.uniform(-150, 250)
        hu = rng.normal(middle, spread, shape)
        hu[: shape[0] // 4] = rng.choice([-1024, 0, 500, 3000])
        slices.append(np.clip(hu, -1024, 3071).astype(np.int16))
    return np.stack(slices)


def preprocess(stage, method, size=SIZE):
    config = PreprocessConfig(
        recipe=Recipe.THESIS, resize_filter=method, size=size, channels=3, neighbors=0
    )
    return build_preprocess(config, stage)


def check_example(stage, method, hu, labels, size=SIZE):
    """Network input and target of slices [N, H, W] against the plain reference."""
    steps = preprocess(stage, method, size)

    @jax.jit
    def run(batch):
        example = steps.to_example(batch)
        return steps.to_input(example.image, example.masks[..., :1]), example.masks[..., 1]

    inputs, targets = run({"image": hu[..., None], "label": labels[..., None]})
    assert inputs.shape == (len(hu), size, size, 3)
    for index in range(len(hu)):
        liver = labels[index] >= 1
        sought = liver if stage is Stage.LIVER else labels[index] == 2
        inside = liver if stage is Stage.TUMOR else None
        wanted = reference.network_input(hu[index], size, PIL_FILTERS[method], inside)
        for channel in range(3):
            difference = np.abs(np.asarray(inputs[index, ..., channel]) - wanted)
            assert difference.max() < GREY_LEVEL / 2
        soft = reference.network_target(sought, size, PIL_FILTERS[method])
        np.testing.assert_array_equal(targets[index], soft >= 0.5 - 1e-4)


@pytest.mark.parametrize("method", ResizeFilter)
@pytest.mark.parametrize("stage", Stage)
def test_random_slices_equal_the_reference(rng, stage, method):
    hu = random_slices(rng, 25, (128, 96))
    labels = np.zeros(hu.shape, np.uint8)
    labels[:, 30:101, 20:71] = 1
    labels[:, 50:63, 33:48] = 2
    check_example(stage, method, hu, labels)


@pytest.mark.parametrize("method", ResizeFilter)
@pytest.mark.parametrize("stage", Stage)
def test_real_slices_equal_the_reference(shared_data, stage, method):
    (source,) = find_patients(shared_data / "ircadb").values()
    patient = read_patient(source)
    check_example(stage, method, patient.volume.hu[::20], patient.labels[::20], size=256)


def test_levels_of_real_and_random_slices_are_those_of_opencv(shared_data, rng):
    (source,) = find_patients(shared_data / "ircadb").values()
    hu = read_patient(source).volume.hu[::2]
    slices = np.concatenate([hu, random_slices(rng, 50, hu.shape[1:])])
    assert len(slices) >= 100
    step = jax.jit(normalize)
    for start in range(0, len(slices), 10):
        part = slices[start : start + 10]
        found = np.asarray(step(part[..., None]))[..., 0]
        for ours, one in zip(found, part, strict=True):
            np.testing.assert_array_equal(np.round(ours * 255), reference.equalized(one) * 255)


def test_quotients_on_the_border_of_two_levels_fall_as_in_float64():
    # Every range, and in it every value, once.
    wide = np.arange(-100, 401, dtype=np.int16)
    for span in range(1, 501, 7):
        hu = np.clip(wide, -100, span - 100)[None]
        found = np.asarray(normalize(hu[None, ..., None]))[0, ..., 0]
        np.testing.assert_allclose(found, reference.equalized(hu), atol=1e-6)


@pytest.mark.parametrize("level", [-1024, -100, 40, 400, 2000])
def test_a_constant_slice_gives_zeros(level):
    hu = np.full((1, 32, 32, 1), level, np.int16)
    np.testing.assert_array_equal(normalize(hu), np.zeros(hu.shape))


def test_neighbours_are_equalised_one_by_one(rng):
    slices = random_slices(rng, 3, (32, 32))
    together = normalize(np.moveaxis(slices, 0, -1)[None])
    for index, one in enumerate(slices):
        np.testing.assert_array_equal(
            together[0, ..., index], normalize(one[None, ..., None])[0, ..., 0]
        )


def test_a_predicted_liver_takes_the_place_of_the_true_one(rng):
    hu = random_slices(rng, 1, (64, 64))
    liver = np.zeros((1, 64, 64, 1), bool)
    liver[:, 8:40, 8:40] = True
    steps = preprocess(Stage.TUMOR, ResizeFilter.NEAREST)
    grid = steps.to_grid({"image": hu[..., None], "liver": liver})
    shown = np.asarray(grid.image[0, ..., 0]) != 0
    assert shown.any()
    assert not shown[~liver[0, ..., 0]].any()


@pytest.mark.parametrize("method", ResizeFilter)
@pytest.mark.parametrize("size", [48, 64, 128])
def test_what_is_found_lies_where_it_was_seen(rng, method, size):
    """Discs that go to the grid and come back keep their places, on average over many."""
    rows, columns = np.mgrid[:128, :128]
    centers = rng.uniform(40, 88, (40, 2))
    masks = np.stack([(rows - y) ** 2 + (columns - x) ** 2 < 15**2 for y, x in centers])
    steps = preprocess(Stage.LIVER, method, size)
    batch = {"image": np.zeros((40, 128, 128, 1), np.int16), "label": masks[..., None] * 1}
    example, view = steps.to_example(batch), steps.to_grid(batch).view
    back = steps.to_slices(example.masks[..., 1:].astype(np.float32), view, 128, 128)
    moved = [
        np.argwhere(found).mean(0) - np.argwhere(mask).mean(0)
        for found, mask in zip(np.asarray(back)[..., 0] >= 0.5, masks, strict=True)
    ]
    assert np.abs(np.mean(moved, axis=0)).max() < 0.1


def test_results_come_back_to_where_they_were(rng):
    hu = random_slices(rng, 1, (128, 96))
    steps = preprocess(Stage.LIVER, ResizeFilter.NEAREST)
    grid = steps.to_grid({"image": hu[..., None]})
    values = np.zeros((1, SIZE, SIZE, 1), np.float32)
    values[:, SIZE // 2 :, SIZE // 4 :] = 1
    back = np.asarray(steps.to_slices(values, grid.view, 128, 96))[0, ..., 0]
    np.testing.assert_array_equal(back[70:, 30:] > 0.5, True)
    np.testing.assert_array_equal(back[:58] < 0.5, True)
    np.testing.assert_array_equal(back[:, :18] < 0.5, True)
