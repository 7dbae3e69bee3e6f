"""The quickstart on few and coarse phantoms: seconds in place of minutes."""

import dataclasses

from configs import quickstart_liver, quickstart_tumor
from liverjax.choices import Network, Stage
from liverjax.config import DatasetConfig, ModelConfig
from liverjax.datasets.phantom.patient import PhantomSpec
from liverjax.workflows.quickstart import quickstart

SPEC = PhantomSpec(shape=(16, 96, 96))
PATIENTS = DatasetConfig(
    name="ircadb",
    train=("patient01", "patient02", "patient03"),
    validation=("patient06",),
    test=("patient04", "patient05"),
)


def small_config(stage):
    module, network = {
        Stage.LIVER: (quickstart_liver, Network.RESUNET),
        Stage.TUMOR: (quickstart_tumor, Network.UNET),
    }[stage]
    config = module.get_config()
    config.preprocess = dataclasses.replace(config.preprocess, size=48)
    return dataclasses.replace(
        config,
        epochs=8,
        evaluate_every=4,
        batch_size=4,
        dataset=PATIENTS,
        model=ModelConfig(network, (8, 16, 16), momentum=0.8),
    )


def run_quickstart(workdir):
    return quickstart(workdir, small_config(Stage.LIVER), small_config(Stage.TUMOR), spec=SPEC)
