"""Segments CTs: DICOM folders, zip archives, NIfTI files, or folders of patients.

python -m experiments.predict --input=PATH --output=DIR [--liver=DIR --tumor=DIR]
"""

from liverjax.commands.predict import run

if __name__ == "__main__":
    run()
