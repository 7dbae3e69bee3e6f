import numpy as np
import pytest

from tests.models.keras_import import networks

SMALL = (4, 6)


@pytest.fixture(scope="package")
def images():
    """Two images, float32 [2, 64, 64, 3] in 0..1."""
    return np.random.default_rng(1).uniform(0, 1, (2, 64, 64, 3)).astype(np.float32)


@pytest.fixture(scope="package")
def thesis(images, tmp_path_factory):
    """The thesis' network, and the file of the whole model that Keras wrote of it."""
    folder = tmp_path_factory.mktemp("thesis")
    # Others were made before, so that numbers do not start at the first.
    networks.make_network(SMALL, size=8)
    model = networks.make_network()
    networks.spread(model, images)
    return model, networks.write_model(model, folder / "whole.h5")


@pytest.fixture(scope="package")
def small(tmp_path_factory):
    """Writes a network of two levels, or a variant of it, and gives the path."""
    folder = tmp_path_factory.mktemp("small")
    written = {}

    def write(**variant):
        key = repr(sorted(variant.items()))
        if key not in written:
            features = variant.pop("features", SMALL)
            model = networks.make_network(features, size=8, **variant)
            written[key] = networks.write_model(model, folder / f"{len(written)}.h5")
        return written[key]

    return write
