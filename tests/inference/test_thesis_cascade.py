import jax
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from liverjax.choices import Recipe, ResizeFilter, Stage
from liverjax.config import ExperimentConfig, ModelConfig, PreprocessConfig
from liverjax.inference.cascade import compose
from liverjax.inference.load import bind_network
from liverjax.models.build import build, logits_of
from liverjax.volume import Geometry, Volume
from tests.preprocess import thesis_reference as reference

SIZE, FULL = 16, 32
GEOMETRY = Geometry.from_axes((0, 0, 0), (2, 1, 1))


def network(stage):
    config = ExperimentConfig(
        stage=stage,
        preprocess=PreprocessConfig(
            recipe=Recipe.THESIS, resize_filter=ResizeFilter.NEAREST, size=SIZE, channels=3
        ),
        model=ModelConfig(features=(8, 8)),
    )
    model = build(config.model)
    example = np.zeros((1, SIZE, SIZE, 3), np.float32)
    variables = model.init(jax.random.key(list(Stage).index(stage)), example, train=False)
    bound = bind_network(config, {}, model, variables)

    def probability(image):
        """Of a network input [SIZE, SIZE], on the slice's grid, plainly."""
        logits = logits_of(model, variables, np.repeat(image[None, ..., None], 3, -1))
        small = np.asarray(jax.nn.sigmoid(logits))[0, ..., 0]
        # Nearest took the second of every two pixels: pixel i of the grid is pixel 2 i + 1.
        places = (np.mgrid[:FULL, :FULL] - 1) / 2
        return ndimage.map_coordinates(small, places, order=1, mode="nearest")

    return bound, probability


@pytest.fixture(scope="module")
def networks():
    return {stage: network(stage) for stage in Stage}


def plain_cascade(networks, hu):
    """The thesis' two stages for one slice."""
    nearest = Image.Resampling.NEAREST
    seen = reference.network_input(hu, SIZE, nearest).astype(np.float32)
    liver = networks[Stage.LIVER][1](seen)
    inside = reference.network_input(hu, SIZE, nearest, liver >= 0.5).astype(np.float32)
    return liver, networks[Stage.TUMOR][1](inside)


def test_two_stages_equal_the_plain_ones(networks, rng):
    hu = rng.normal(100, 150, (4, FULL, FULL)).astype(np.int16)
    found = compose(networks[Stage.LIVER][0], networks[Stage.TUMOR][0])(Volume(hu, GEOMETRY))
    checked = 0
    for index, one in enumerate(hu):
        liver, tumor = plain_cascade(networks, one)
        # Where rounding could decide, it may.
        sure = (np.abs(liver - 0.5) > 1e-3) & (np.abs(tumor - 0.5) > 1e-3)
        wanted = np.where(liver >= 0.5, np.where(tumor >= 0.5, 2, 1), 0)
        np.testing.assert_array_equal(found.labels[index][sure], wanted[sure])
        checked += len(np.unique(wanted[sure])) == 3
    assert checked  # all three labels occur


def test_nothing_is_cleaned(networks):
    """Pieces and specks stay, which the project's own recipe would remove."""
    probability = np.zeros((1, FULL, FULL, 1), np.float32)
    probability[0, 4:20, 4:20] = 1
    probability[0, 25, 25] = 1
    liver, tumor = (
        networks[stage][0]._replace(
            probability=lambda batch: np.repeat(probability, len(batch["image"]), 0)
        )
        for stage in Stage
    )
    hu = np.zeros((1, FULL, FULL), np.int16)
    found = compose(liver, tumor)(Volume(hu, GEOMETRY))
    np.testing.assert_array_equal(found.tumor[0], probability[0, ..., 0] == 1)
