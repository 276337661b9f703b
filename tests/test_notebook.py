"""The teaching notebook: it runs from top to bottom, and what it teaches is true."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from ipykernel.kernelspec import install
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "separate.ipynb"
KERNEL = "this-environment"
TIMEOUT_SECONDS = 300


def read_notebook() -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.mark.weights
def test_it_runs_and_the_stems_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(kernel_name=KERNEL, prefix=str(tmp_path))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share" / "jupyter"))
    notebook = read_notebook()
    client = NotebookClient(
        notebook, timeout=TIMEOUT_SECONDS, kernel_name=KERNEL, resources={"metadata": {"path": NOTEBOOK.parent}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    text = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    (null_depth_db,) = re.findall(r"null depth: (-[\d.]+) dBFS", text)
    assert float(null_depth_db) < -120
    assert "Slow Motion Dream" in text
    shown = [kind for output in outputs if "data" in output for kind in output.data]
    assert "image/png" in shown
    assert shown.count("text/html") == 3, "players of the mixture and of two stems"


def test_it_is_kept_without_outputs() -> None:
    for cell in read_notebook().cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
