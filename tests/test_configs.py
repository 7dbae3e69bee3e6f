import pytest

from configs import (
    liver_resunet,
    quickstart_liver,
    quickstart_tumor,
    shipped,
    thesis_liver,
    thesis_tumor,
    tumor_unet,
)
from liverjax.choices import Loss, Recipe, Schedule, Stage
from liverjax.datasets.splits import check_disjoint
from liverjax.validation import validate, validate_protocol
from liverjax.workflows.ship import gflop_per_slice

CASCADES = [
    (liver_resunet, tumor_unet),
    (quickstart_liver, quickstart_tumor),
    (thesis_liver, thesis_tumor),
]


@pytest.mark.parametrize(("liver", "tumor"), CASCADES)
def test_both_stages_hold_the_same_patients_out(liver, tumor):
    configs = [module.get_config() for module in (liver, tumor)]
    assert [config.stage for config in configs] == list(Stage)
    for config in configs:
        validate(config)
    sides = configs[0].dataset
    assert configs[1].dataset == sides
    check_disjoint({"train": sides.train, "validation": sides.validation, "test": sides.test})
    assert len({*sides.train, *sides.validation, *sides.test}) == 20


def test_the_networks_that_ship_run_on_a_laptop():
    config = shipped.get_config()
    validate_protocol(config)
    assert sum(map(gflop_per_slice, (config.liver, config.tumor))) <= 20


def test_the_quickstart_is_judged_with_and_without_tumour():
    test = quickstart_liver.get_config().dataset.test
    assert len(test) >= 4
    assert "patient05" in test  # every fifth phantom has no tumour


def test_the_thesis_network_is_the_default_of_the_liver():
    model = liver_resunet.get_config().model
    assert model.features == (16, 32, 64, 128, 256)


@pytest.mark.parametrize(("module", "epochs"), [(thesis_liver, 20), (thesis_tumor, 50)])
def test_the_thesis_trains_as_its_notebooks_say(module, epochs):
    config = module.get_config()
    assert (config.epochs, config.batch_size, config.loss) == (epochs, 8, Loss.DICE)
    assert config.preprocess.recipe is Recipe.THESIS
    assert (config.preprocess.size, config.preprocess.input_channels) == (256, 3)
    assert config.augment.copies
    assert config.all_slices is (module is thesis_tumor)
    optimizer = config.optimizer
    assert (optimizer.schedule, optimizer.learning_rate) == (Schedule.CONSTANT, 1e-3)
    assert (optimizer.weight_decay, optimizer.epsilon) == (0.0, 1e-7)
