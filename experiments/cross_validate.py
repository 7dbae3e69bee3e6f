"""Trains and judges the cascade on every patient once, fold by fold.

python -m experiments.cross_validate --config=configs/cross_validation.py --workdir=DIR
"""

from pathlib import Path

from absl import flags
from ml_collections import config_flags

from liverjax.commands import app
from liverjax.commands.data import define_data_flags, open_data
from liverjax.errors import ConfigError
from liverjax.protocol import CrossValidationConfig
from liverjax.reporting.score_tables import short_table
from liverjax.reporting.table import plain_text
from liverjax.validation import validate_protocol
from liverjax.workflows.cross_validate import cross_validate, merge

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Both stages and the protocol; fields change with e.g. --config.folds=3."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the cross-validation.", required=True)
_DATA = define_data_flags()
_FOLDS = flags.DEFINE_list("folds", [], "Numbers of the folds to run here; by default all.")
_MERGE = flags.DEFINE_list(
    "merge", [], "Workdirs whose folds are pooled into --workdir; nothing is trained."
)


def main() -> None:
    workdir = app.path(_WORKDIR)
    if _MERGE.value:
        sources = [Path(each).expanduser() for each in _MERGE.value]
        print(plain_text(short_table(merge(sources, workdir))))
        return
    if _CONFIG.value is None:
        raise ConfigError("--config: expected a file such as configs/cross_validation.py")
    config = app.config(_CONFIG, CrossValidationConfig)
    validate_protocol(config)
    collection = open_data(_DATA, config.liver.dataset.name)
    scores = cross_validate(config, collection, workdir, _numbers(_FOLDS.value))
    if scores is not None:
        print(plain_text(short_table(scores)))


def _numbers(texts: list[str]) -> list[int]:
    wrong = [text for text in texts if not text.strip().isdecimal()]
    if wrong:
        raise ConfigError(f"--folds: expected numbers such as 0,2, found {wrong[0]!r}")
    return [int(text) for text in texts]


if __name__ == "__main__":
    app.run(main)
