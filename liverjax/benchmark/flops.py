"""Arithmetic of a network, counted on its program and therefore independent of who runs it."""

import math
from collections.abc import Callable
from typing import Any

import jax
from jax.extend import core


def count_flops(function: Callable[..., Any], *args: Any) -> float:
    """Floating-point operations of the convolutions and matrix products in `function(*args)`.

    Two for each multiplication and addition of a pair; what else a network does is left out, as
    usual for such figures. Of branches that exclude each other the most expensive one counts.

    Args:
        function: traceable.
        args: trees of arrays or of `jax.ShapeDtypeStruct`; nothing is computed.
    """
    return _count(jax.make_jaxpr(function)(*args).jaxpr)


def training_flops(forward: float) -> float:
    """Operations of forward and backward pass from those of the forward pass.

    Backward, each layer computes a gradient to its input and one to its weights, both as
    expensive as the layer itself.
    """
    return 3.0 * forward


def _count(program: core.Jaxpr) -> float:
    return sum(_of(equation) for equation in program.eqns)


def _of(equation: core.JaxprEqn) -> float:
    """Operations of one equation, with the programs that it calls."""
    if equation.primitive.name == "conv_general_dilated":
        kernel = _shape(equation.invars[1])
        features = kernel[equation.params["dimension_numbers"].rhs_spec[0]]
        return 2.0 * math.prod(_shape(equation.outvars[0])) * math.prod(kernel) / features
    if equation.primitive.name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        shape = _shape(equation.invars[0])
        depth = math.prod(shape[axis] for axis in contracted)
        return 2.0 * math.prod(_shape(equation.outvars[0])) * depth
    if equation.primitive.name == "cond":
        return max(_count(branch.jaxpr) for branch in equation.params["branches"])
    times = equation.params.get("length", 1) if equation.primitive.name == "scan" else 1
    return times * sum(_count(inner) for inner in _called(equation.params))


def _shape(variable: Any) -> tuple[int, ...]:
    """Of the array that a variable or a literal of a program stands for."""
    return tuple(variable.aval.shape)


def _called(params: dict[str, Any]) -> list[core.Jaxpr]:
    """Programs among an equation's parameters."""
    found = []
    for value in params.values():
        if isinstance(value, core.ClosedJaxpr):
            found.append(value.jaxpr)
        elif isinstance(value, core.Jaxpr):
            found.append(value)
    return found
