"""Trees of arrays held against one another."""

from typing import Any

import jax


def mismatches(expected: Any, found: Any) -> list[str]:
    """One line for each array of two trees that is missing, is too many or has another shape."""
    wanted, there = _shapes(expected), _shapes(found)
    return [
        f"{name}: expected {wanted.get(name, 'none')}, found {there.get(name, 'none')}"
        for name in sorted({*wanted, *there})
        if wanted.get(name) != there.get(name)
    ]


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): tuple(leaf.shape) for path, leaf in leaves}
