"""Pages of an example, for tests."""

import numpy as np

from liverjax.reporting.case_page import save_report_page
from liverjax.reporting.case_report import build_report
from liverjax.volume import Geometry, Segmentation, Volume

SHAPE = (24, 60, 80)
BODY = ((0, 24), (5, 55), (5, 75))
GRID = Geometry.from_axes((-20.0, 10.0, 100.0), (3.0, 1.0, 1.0))
UNKNOWN = Geometry.from_axes((0.0, 0.0, 0.0), None)
VIEWS = {"axial": (0, 2, 1), "coronal": (1, 2, 0), "sagittal": (2, 1, 0)}  # axis, across, down
NETWORK = {
    "checkpoint": "0123456789abcdef",
    "step": 300,
    "commit": None,
    "recipe": "resized",
    "postprocess": {"threshold": 0.5, "min_voxels": 10, "min_ml": 0.0, "flips": False}
    | {"min_liver_ml": 20.0, "min_certain": 0.25},
    "chosen_on": [],
    "trained_on": {"dataset": "ircadb", "train": ["patient01"], "validation": []},
    "weights": None,
}
SOURCE = {
    "liverjax": {"version": "0.1.0", "commit": "ab" * 20},
    "liver": NETWORK | {"weights": {"version": "1.2", "sha256": "e" * 64}},
    "tumor": NETWORK,
}


def make_labels():
    """A liver on the patient's right with two tumours, far apart."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[4:20, 12:45, 10:45] = 1
    labels[6:10, 16:26, 16:26] = 2
    labels[14:17, 30:36, 34:40] = 2
    return labels


def make_hu():
    """A body of noise, and a bright marker to the left, the front and the head."""
    hu = np.full(SHAPE, -1000, np.int16)
    hu[tuple(slice(*side) for side in BODY)] = np.random.default_rng(0).integers(
        -20, 80, [stop - start for start, stop in BODY]
    )
    hu[16:20, 9:15, 60:68] = 240
    return hu


def save(path, hu=None, labels=None, geometry=GRID, **changes):
    volume = Volume(make_hu() if hu is None else hu, geometry)
    segmentation = Segmentation(make_labels() if labels is None else labels, geometry)
    report = {**build_report(volume, segmentation, source=SOURCE), **changes}
    save_report_page(path, report, volume, segmentation)
    return path


def slider(page, view):
    return int(page.input_value(f"#{view}-slider"))


def move(page, view, value):
    page.evaluate(
        """([view, value]) => {
          const slider = document.getElementById(`${view}-slider`);
          slider.value = value;
          slider.dispatchEvent(new Event("input"));
        }""",
        [view, value],
    )
