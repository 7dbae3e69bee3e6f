"""Scores segmentations made by any tool against references, both folders of NIfTI files.

python -m experiments.score --predictions=DIR --references=DIR --output=DIR
"""

from liverjax.commands.score import run

if __name__ == "__main__":
    run()
