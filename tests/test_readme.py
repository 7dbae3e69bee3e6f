"""What the README promises is there, and its Python runs."""

import re
from pathlib import Path

import nibabel

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def test_every_picture_is_there():
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert len(pictures) >= 2
    for picture in pictures:
        assert (ROOT / picture).is_file(), picture


def test_every_module_and_configuration_named_is_there():
    for name in set(re.findall(r"python -m experiments\.(\w+)", README)):
        assert (ROOT / "experiments" / f"{name}.py").is_file(), name
    for name in set(re.findall(r"--config=([^\s`]+)", README)):
        assert (ROOT / name).is_file(), name


def test_the_python_example_runs(small_run, tmp_path, monkeypatch, capsys):
    workdir, _ = small_run
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    archive = workdir / "archive" / "3Dircadb1.4.zip"
    for shown, real in (("CT", archive), ("runs/liver", workdir / "liver")):
        assert f'"{shown}"' in code
        code = code.replace(f'"{shown}"', f'"{real}"')
    code = code.replace('"runs/tumor"', f'"{workdir / "tumor"}"')
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert 0 <= float(capsys.readouterr().out) < 1
    assert nibabel.load("segmentation.nii.gz").ndim == 3
