"""The notebook runs from its first cell to its last on the checkpoints of a quickstart."""

import asyncio
import os
import sys
import warnings
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[1] / "experiments" / "checkpoints.ipynb"


def execute(notebook, workdir):
    """Runs the cells with this interpreter, whatever kernels are registered."""
    client = NotebookClient(
        notebook, timeout=240, resources={"metadata": {"path": NOTEBOOK.parent}}
    )
    client.create_kernel_manager()
    client.km.kernel_spec.argv[0] = sys.executable
    client.execute(env=os.environ | {"LIVERJAX_WORKDIR": str(workdir), "PYTHONWARNINGS": ""})


def test_the_notebook_runs_and_shows_overlays_and_curves(small_run):
    workdir, _ = small_run
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with warnings.catch_warnings():
        # The kernel's client warns of event loops that it makes itself.
        warnings.simplefilter("ignore")
        asyncio.set_event_loop_policy(None)
        execute(notebook, workdir)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 2
    text = "".join(output.get("text", "") for output in outputs)
    assert "liver: resunet" in text
    assert "patient04" in text


def test_the_notebook_is_stored_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
