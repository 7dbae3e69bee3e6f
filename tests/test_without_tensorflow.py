"""Training from memory and inference work where TensorFlow cannot be imported."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = """
import sys
from pathlib import Path

# An entry of None makes the import fail as if the package were not there.
sys.modules["tensorflow"] = sys.modules["tensorflow_datasets"] = None
try:
    import tensorflow
except ImportError:
    pass
else:
    sys.exit("the block does not work")

import numpy as np
import liverjax
from liverjax.choices import Stage
from liverjax.training.loop import fit
from tests.toy import toy_config, toy_slices, toy_source

folder = Path(sys.argv[1])
for stage in Stage:
    fit(toy_config(stage, epochs=1), toy_source(), toy_source(1), folder / stage.value, {})
cascade = liverjax.load_cascade(folder / "liver", folder / "tumor")
hu = np.ascontiguousarray(toy_slices()[0][..., 0])
volume = liverjax.Volume(hu, liverjax.Geometry.from_axes((0, 0, 0), (2.0, 1.0, 1.0)))
segmentation = cascade(volume)
liverjax.write_segmentation(folder / "segmentation.nii.gz", segmentation)
liverjax.save_preview(folder / "preview.png", volume, segmentation)
liverjax.measure(segmentation, volume)
import liverjax.workflows.predict, liverjax.workflows.train, liverjax.workflows.quickstart
print("done", segmentation.labels.shape)
"""


def test_tensorflow_is_needed_for_prepared_datasets_alone(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert result.stdout == "done (16, 32, 32)\n", result.stderr
