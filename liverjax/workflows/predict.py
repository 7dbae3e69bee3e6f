"""What `predict` does: a CT in, a segmentation, a picture and a report out."""

import tempfile
from pathlib import Path
from typing import Any

from liverjax.inference.cascade import Cascade
from liverjax.io.atomic import make_folder, write_json
from liverjax.io.nifti import write_segmentation
from liverjax.reporting.measurements import measure, to_json
from liverjax.reporting.preview import save_preview
from liverjax.volume import Segmentation, Volume

SEGMENTATION = "segmentation.nii.gz"
PREVIEW = "preview.png"
REPORT = "report.json"


def predict(volume: Volume, cascade: Cascade, output: Path) -> Segmentation:
    """Segments one CT and writes `segmentation.nii.gz`, `preview.png` and `report.json`.

    Args:
        volume: the CT, e.g. from `liverjax.io.ct.read_ct`.
        cascade: see `liverjax.inference.cascade.load_cascade`.
        output: folder, made where it is absent; nothing in it changes until all is made.

    Raises:
        InputError: `output` cannot be a folder.
    """
    make_folder(output)
    segmentation = cascade(volume)
    # All are made before the first takes its place, so that no two of different runs mix.
    with tempfile.TemporaryDirectory(prefix=".", dir=output) as name:
        made = Path(name)
        write_segmentation(made / SEGMENTATION, segmentation)
        save_preview(made / PREVIEW, volume, segmentation)
        write_json(made / REPORT, build_report(volume, segmentation))
        for file in (SEGMENTATION, PREVIEW, REPORT):
            (made / file).replace(output / file)
    return segmentation


def build_report(volume: Volume, segmentation: Segmentation) -> dict[str, Any]:
    """What `report.json` says; names neither the input nor the patient."""
    return {
        "shape": list(volume.hu.shape),
        "spacing_mm": volume.geometry.spacing,
        **to_json(measure(segmentation, volume)),
    }
