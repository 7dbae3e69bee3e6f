"""Scores the cascade on the patients that its networks hold back.

python -m experiments.evaluate --liver=DIR --tumor=DIR --output=DIR
"""

from pathlib import Path

from absl import flags

from experiments import app
from liverjax.config import Stage
from liverjax.inference.load import load_network
from liverjax.workflows import evaluate

_LIVER = flags.DEFINE_string("liver", None, "Workdir of the liver network.", required=True)
_TUMOR = flags.DEFINE_string("tumor", None, "Workdir of the tumour network.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for evaluation.json.", required=True)
_DATA_DIR = flags.DEFINE_string("data_dir", "data", "Folder with prepared datasets.")
_PATIENTS = flags.DEFINE_list("patients", [], "Whom to score; by default the test patients.")


def main() -> None:
    scores = evaluate.evaluate(
        load_network(Path(_LIVER.value), Stage.LIVER),
        load_network(Path(_TUMOR.value), Stage.TUMOR),
        Path(_DATA_DIR.value),
        _PATIENTS.value,
    )
    output = Path(_OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    evaluate.write_evaluation(output / evaluate.EVALUATION, scores)
    print(evaluate.format_scores(scores))


if __name__ == "__main__":
    app.run(main)
