"""What the values of somebody's label files mean."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from liverjax.errors import InputError
from liverjax.labels import merge_masks

_LARGEST = int(np.iinfo(np.int16).max)
_EXAMPLE = "expected e.g. liver=1+2,tumor=2, or liver=6 where tumours were not annotated"


@dataclasses.dataclass(frozen=True)
class LabelMap:
    """Which values of a label file are liver and which are tumour; all others are background.

    Attributes:
        liver: values of the liver; those of `tumor` are liver, too, named here or not.
        tumor: values of liver tumours; None where tumours were not annotated, so that a liver
            without tumour is not known to be free of them.
    """

    liver: tuple[int, ...]
    tumor: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        values = (*self.liver, *(self.tumor or ()))
        wrong = [value for value in values if not 0 < value <= _LARGEST]
        if wrong or not self.liver or self.tumor == ():
            found = f"the value {wrong[0]}" if wrong else "no value"
            raise InputError(f"label map: expected values from 1 to {_LARGEST}, found {found}")
        if not set(self.liver) - set(self.tumor or ()):
            raise InputError(
                f"label map: expected a value of liver that is no tumour, found {self}"
            )

    def __str__(self) -> str:
        """As `parse_label_map` takes it, and alike for maps that mean the same."""
        tumor = set(self.tumor or ())
        text = f"liver={_joined({*self.liver, *tumor})}"
        return text if self.tumor is None else f"{text},tumor={_joined(tumor)}"

    @property
    def tumors_known(self) -> bool:
        """Whether tumours were annotated."""
        return self.tumor is not None

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Labels uint8 (see `labels.Label`) of an array of a file's values, of the same shape."""
        tumor = np.isin(values, self.tumor or ())
        return merge_masks(np.isin(values, self.liver) | tumor, tumor)


def parse_label_map(text: str) -> LabelMap:
    """A label map as it is given on the command line.

    Args:
        text: e.g. "liver=1+2,tumor=2"; without `tumor`, or with `tumor=none`, tumours were not
            annotated.

    Raises:
        InputError: another text; says what was expected.
    """
    found: dict[str, tuple[int, ...] | None] = {}
    for part in text.split(","):
        name, equals, values = (piece.strip().lower() for piece in part.partition("="))
        name = {"tumour": "tumor"}.get(name, name)
        if name not in ("liver", "tumor") or not equals or name in found:
            raise InputError(f"label map: {_EXAMPLE}; found {text!r}")
        found[name] = None if (name, values) == ("tumor", "none") else _values(values, text)
    liver = found.get("liver")
    if liver is None:
        raise InputError(f"label map: {_EXAMPLE}; found {text!r}")
    return LabelMap(liver, found.get("tumor"))


def _values(text: str, whole: str) -> tuple[int, ...]:
    pieces = [piece.strip() for piece in text.split("+")]
    if not all(piece.isascii() and piece.isdecimal() for piece in pieces):
        raise InputError(f"label map: {_EXAMPLE}; found {whole!r}")
    return tuple(int(piece) for piece in pieces)


def _joined(values: Sequence[int] | set[int]) -> str:
    return "+".join(map(str, sorted(values)))
