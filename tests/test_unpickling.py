"""Nothing that comes from a file is ever executed, held by a walk over all source."""

import ast

import pytest

from tests.conftest import ROOT

# Modules whose loaders run what they read.
UNSAFE = {
    "_pickle", "cloudpickle", "cPickle", "dill", "jsonpickle", "joblib", "marshal", "pickle",
    "ruamel", "shelve", "yaml",
}  # fmt: skip
# Loaders that are safe with this keyword at this value alone.
LOADERS = {"numpy.load": ("allow_pickle", False), "torch.load": ("weights_only", True)}
FORBIDDEN = {
    "eval", "exec", "numpy.core.multiarray._reconstruct", "pandas.read_pickle", "pydoc.locate",
    "keras.models.load_model", "tensorflow.keras.models.load_model", "tf_keras.models.load_model",
    "torch.jit.load", "torch.hub.load",
}  # fmt: skip
# Keywords that no call may have at another value, whatever it is called.
SAFE_KEYWORDS = {"allow_pickle": False, "safe_mode": True, "weights_only": True}


def full_names(tree):
    """What names in a module stand for: {"np": "numpy", "load": "numpy.load"}."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                found[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def called(node, names):
    """Full dotted name of what a call calls; empty where it is no plain name."""
    parts = []
    function = node.func
    while isinstance(function, ast.Attribute):
        parts.append(function.attr)
        function = function.value
    if not isinstance(function, ast.Name):
        return ""
    return ".".join([names.get(function.id, function.id), *reversed(parts)])


def breaches(source):
    """What in a module could run something that a file holds; each with its line."""
    tree = ast.parse(source)
    names = full_names(tree)
    found = [f"imports {name}" for name in sorted(names.values()) if name.split(".")[0] in UNSAFE]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = called(node, names)
        keywords = {
            keyword.arg: getattr(keyword.value, "value", "unknown") for keyword in node.keywords
        }
        for keyword, safe in SAFE_KEYWORDS.items():
            if keyword in keywords and keywords[keyword] is not safe:
                found.append(f"line {node.lineno}: {keyword} in {name}")
        keyword, safe = LOADERS.get(name, ("", None))
        if name in FORBIDDEN or (keyword and keyword not in keywords):
            found.append(f"line {node.lineno}: {name}")
    return found


def test_the_package_executes_nothing_from_files():
    found = {
        str(path.relative_to(ROOT)): breaches(path.read_text(encoding="utf-8"))
        for folder in ("liverjax", "experiments", "configs")
        for path in sorted((ROOT / folder).rglob("*.py"))
    }
    assert len(found) > 100
    assert {path: problems for path, problems in found.items() if problems} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "def f():\n    from joblib import load",
        "import yaml as y",
        "import numpy as np\nnp.load('x')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import numpy as np\nnp.load('x', allow_pickle=flag)",
        "from numpy import load as read\nread('x')",
        "import numpy\nnumpy.lib.format.read_array(file, allow_pickle=True)",
        "import torch\ntorch.load('x')",
        "import torch\ntorch.load('x', weights_only=False)",
        "import pandas as pd\npd.read_pickle('x')",
        "eval(text)",
        "exec(text)",
        "import tensorflow as tf\ntf.keras.models.load_model('x')",
    ],
)
def test_a_breach_is_found(source):
    assert len(breaches(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nnp.load('x', allow_pickle=False)",
        "import torch\ntorch.load('x', weights_only=True)",
        "import json\njson.load(file)",
        "model.eval()",
        "from liverjax.inference import load",
    ],
)
def test_what_is_safe_passes(source):
    assert breaches(source) == []
