"""The order of liverjax's modules, and who may import what, held by a walk over all imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# A module imports only from what stands above it, or beside it in its own folder.
LAYERS = (
    "errors",
    "wording",
    "process",
    "labels",
    "volume",
    "batch",
    "components",
    "trees",
    "choices",
    "augment_config",
    "config",
    "protocol",
    "config_json",
    "validation",
    "io",
    "checkpoint",
    "datasets",
    "preprocess",
    "input_pipeline",
    "models",
    "training",
    "inference",
    "evaluation",
    "reporting",
    "benchmark",
    "workflows",
    "commands",
)
# Pairs that the order alone would allow: training takes batches from anywhere, and a trained
# network is used without what trained it.
FORBIDDEN = {("training", "input_pipeline"), ("inference", "training")}
TENSORFLOW = {"tensorflow", "tensorflow_datasets"}
MAIN_LINES = 80


def module_name(path: Path, root: Path) -> str:
    """`liverjax/io/atomic.py` below `root` as "liverjax.io.atomic"."""
    parts = list(path.relative_to(root).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.Module, path: Path, root: Path) -> list[tuple[str, str]]:
    """Every (module, name) imported anywhere in `tree`, functions included; name may be ""."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                folder = path.relative_to(root).parent.parts
                folder = folder[: len(folder) - node.level + 1]
                base = ".".join([*folder, *([base] if base else [])])
            found += [(base, alias.name) for alias in node.names]
    return found


def layer(module: str) -> str:
    """The entry of LAYERS that a dotted liverjax module belongs to."""
    return module.split(".")[1]


def is_module(dotted: str, root: Path) -> bool:
    path = root.joinpath(*dotted.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def check_internal(where: str, target: str, name: str, root: Path) -> list[str]:
    """What is wrong with `from target import name` in module `where`, both in liverjax."""
    if name and is_module(f"{target}.{name}", root):
        target, name = f"{target}.{name}", ""
    if target == "liverjax":
        return [f"{where} imports from the package's front, which stands below everything"]
    problems = []
    own, other = layer(where), layer(target)
    if other not in LAYERS:
        problems.append(f"{where} imports the unknown {target}")
    elif LAYERS.index(other) > LAYERS.index(own) or (own, other) in FORBIDDEN:
        problems.append(f"{where} imports {target}")
    if any(part.startswith("_") for part in [*target.split("."), name]):
        problems.append(f"{where} imports the private {target}.{name}")
    return problems


def check_external(where: str, path: Path, target: str) -> list[str]:
    """What is wrong with an import of the foreign package `target`."""
    package = target.split(".")[0]
    reads_data = "input_pipeline" in where.split(".") or path.stem.endswith("_dataset_builder")
    if package in TENSORFLOW and not reads_data:
        return [f"{where} imports {target}"]
    if package == "orbax" and where != "liverjax.checkpoint":
        return [f"{where} imports {target}"]
    return []


def check_private_attributes(where: str, tree: ast.Module) -> list[str]:
    """Uses of `module._name` for names bound by an import from liverjax."""
    modules = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("liverjax")
        for alias in node.names
    }
    return [
        f"{where} uses the private {node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in modules
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
    ]


def check_package(root: Path) -> list[str]:
    """Every breach of the rules by the package `liverjax` below `root`."""
    problems = []
    for path in sorted((root / "liverjax").rglob("*.py")):
        where = module_name(path, root)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if path.name == "__init__.py":
            if where != "liverjax" and tree.body:
                problems.append(f"{where}: its __init__ holds code")
            continue
        if layer(where) not in LAYERS:
            problems.append(f"{where} has no place in the order")
            continue
        problems += check_private_attributes(where, tree)
        for target, name in imports(tree, path, root):
            if target.split(".")[0] == "liverjax":
                problems += check_internal(where, target, name, root)
            else:
                problems += check_external(where, path, target)
    return problems


def test_package_keeps_its_order():
    assert check_package(ROOT) == []


def test_experiments_are_short():
    lengths = {
        path.name: len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / "experiments").glob("*.py")
    }
    assert {name: lines for name, lines in lengths.items() if lines > MAIN_LINES} == {}


def test_runs_without_tensorflow():
    without = [
        module_name(path, ROOT)
        for path in sorted((ROOT / "liverjax").rglob("*.py"))
        if "input_pipeline" not in path.parts
        and not path.stem.endswith("_dataset_builder")
        # The benchmarks' peers run where their own framework is installed.
        and not path.stem.startswith(("torch_", "monai_"))
        and "workflows" not in path.parts
    ]
    program = (
        "import importlib, sys\n"
        f"for name in {without}: importlib.import_module(name)\n"
        f"print(*({TENSORFLOW} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("path", "source", "problem"),
    [
        ("volume.py", "from liverjax.io import atomic", "liverjax.volume imports liverjax.io"),
        ("volume.py", "import liverjax.config", "liverjax.volume imports liverjax.config"),
        ("io/nifti.py", "def f():\n    from liverjax import models", "imports liverjax.models"),
        ("io/nifti.py", "from ..training import step", "imports liverjax.training"),
        ("io/nifti.py", "from .. import training", "imports liverjax.training"),
        ("io/nifti.py", "from liverjax import Volume", "imports from the package's front"),
        ("training/loop.py", "from liverjax import input_pipeline", "liverjax.input_pipeline"),
        ("training/loop.py", "from liverjax.inference import load", "liverjax.inference"),
        ("inference/load.py", "from liverjax.training import step", "liverjax.training"),
        ("inference/load.py", "import tensorflow as tf", "imports tensorflow"),
        ("workflows/train.py", "import tensorflow_datasets", "imports tensorflow_datasets"),
        ("inference/load.py", "from orbax.checkpoint import v1", "imports orbax.checkpoint"),
        ("io/nifti.py", "from liverjax.volume import _shape", "private liverjax.volume._shape"),
        ("io/nifti.py", "from liverjax import volume\nvolume._f()", "private volume._f"),
        ("io/__init__.py", "from liverjax.io.nifti import read", "its __init__ holds code"),
        ("helpers.py", "", "liverjax.helpers has no place in the order"),
        ("io/nifti.py", "from liverjax.helpers import f", "imports the unknown liverjax.helpers"),
    ],
)
def test_breach_is_found(tmp_path, path, source, problem):
    package = make_package(tmp_path)
    (package / path).parent.mkdir(exist_ok=True)
    (package / path).write_text(source)
    found = check_package(tmp_path)
    assert len(found) == 1
    assert problem in found[0]


def test_allowed_imports_pass(tmp_path):
    package = make_package(tmp_path)
    allowed = {
        "__init__.py": "VERSION = 1",
        "io/dicom.py": "import numpy\nfrom liverjax.io import nifti\nfrom liverjax.volume import V",
        "io/zips.py": "from . import nifti\nfrom ..volume import V\nfrom .nifti import read",
        "checkpoint.py": "from orbax.checkpoint import v1",
        "input_pipeline.py": "import tensorflow as tf",
        "datasets/lits_dataset_builder.py": "import tensorflow_datasets as tfds",
        "workflows/run.py": "from liverjax import input_pipeline, training",
    }
    for path, source in allowed.items():
        (package / path).parent.mkdir(exist_ok=True)
        (package / path).write_text(source)
    assert check_package(tmp_path) == []


def make_package(root: Path) -> Path:
    """A package with one module of several layers, all empty."""
    package = root / "liverjax"
    for folder in ("io", "training", "inference", "models"):
        (package / folder).mkdir(parents=True)
        (package / folder / "__init__.py").touch()
    for path in ("volume.py", "input_pipeline.py", "io/nifti.py", "training/loop.py"):
        (package / path).touch()
    return package
