import jax.numpy as jnp
import numpy as np
import pytest

from liverjax.choices import Stage
from tests.training.augment.examples import augmented, only

COUNT, SIDE, STRENGTH = 96, 32, 60.0


@pytest.fixture(scope="module")
def changes():
    """By how much every pixel of COUNT slices changes whose liver is a square, and that square."""
    liver = np.zeros((SIDE, SIDE), bool)
    liver[8:24, 6:20] = True
    image = np.where(liver, 90.0, 40.0).astype(np.float32)[None, ..., None].repeat(COUNT, 0)
    masks = np.stack([np.ones_like(liver), liver], -1).astype(np.uint8)[None].repeat(COUNT, 0)
    masks[-1, ..., 1] = 0
    given = jnp.asarray(image), jnp.asarray(masks)
    after, same = augmented(only(parenchyma=STRENGTH), *given, stage=Stage.LIVER)
    np.testing.assert_array_equal(same, masks)
    return (after - image)[..., 0], liver


def test_livers_become_brighter_and_darker_and_nothing_else_does(changes):
    change, liver = changes
    within = change[:-1, liver].mean(axis=1)
    assert within.min() < -0.8 * STRENGTH
    assert within.max() > 0.8 * STRENGTH
    assert abs(within.mean()) < 0.25 * STRENGTH
    far = np.ones_like(liver)
    far[4:28, 2:24] = False
    assert not change[:, far].any()
    assert not change[-1].any()


def test_the_change_is_smooth_inside_and_ends_softly_at_the_border(changes):
    change, _ = changes
    strong = change[:-1][np.abs(change[:-1, 16, 12]) > 0.5 * STRENGTH]
    relative = strong / strong[:, 16:17, 12:13]
    inside = relative[:, 11:21, 9:17]
    assert np.abs(np.diff(inside, axis=1)).max() < 0.2
    assert inside.std(axis=(1, 2)).max() > 0.02
    # Half of it lies on either side of the border.
    first, last = relative[:, 16, 5].mean(), relative[:, 16, 6].mean()
    assert 0.05 < first < 0.5 < last < 0.95
