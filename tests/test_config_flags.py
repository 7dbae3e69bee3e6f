"""What commands make of the flag that names a configuration."""

from types import SimpleNamespace

import pytest
from absl import flags
from ml_collections import config_flags

from configs import shipped
from liverjax.commands import app
from liverjax.config import ExperimentConfig
from liverjax.errors import ConfigError
from liverjax.protocol import CrossValidationConfig


def test_a_configuration_of_the_other_kind_is_told_from_what_is_needed():
    both = shipped.get_config()
    flag = SimpleNamespace(name="config", value=both)
    assert app.config(flag, CrossValidationConfig) is both
    with pytest.raises(ConfigError, match=r"expected .* of one network, .*; found one of both"):
        app.config(flag, ExperimentConfig)
    flag.value = both.liver
    with pytest.raises(ConfigError, match=r"expected .* of both networks, .*; found one of one"):
        app.config(flag, CrossValidationConfig)
    flag.value = SimpleNamespace(epochs=3)
    with pytest.raises(ConfigError, match=r"expected a file whose get_config\(\) gives Experiment"):
        app.config(flag, ExperimentConfig)


@pytest.mark.filterwarnings("ignore:the load_module")  # ml_collections calls it
def test_a_file_that_is_not_there_is_named():
    own = flags.FlagValues()
    flag = config_flags.DEFINE_config_file("config", None, "", own)
    own(["train", "--config=configs/absent.py"])
    with pytest.raises(ConfigError, match=r"--config: (.|\n)*configs/absent\.py"):
        app.config(flag, ExperimentConfig)
