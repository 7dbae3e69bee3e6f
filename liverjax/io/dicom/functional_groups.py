"""Where the tags of a multi-frame image lie (PS3.3 C.7.6.16)."""

from pydicom.dataset import Dataset

from liverjax.errors import InputError
from liverjax.io.dicom.file import DicomFile
from liverjax.io.dicom.tags import has, text
from liverjax.io.failures import cause, silence


def functional_groups(image: DicomFile, frames: int) -> tuple[list[list[Dataset]], list[Dataset]]:
    """The items that hold the tags of each frame, and those that hold what all share.

    Raises:
        InputError: they are damaged, are not of `frames` frames, or of several stacks.
    """
    path = image.path
    try:
        # Sequences are parsed when they are first asked for, and may be damaged.
        with silence():
            own = [_macros(group) for group in image.dataset.PerFrameFunctionalGroupsSequence]
            every = image.dataset.get("SharedFunctionalGroupsSequence") or []
            shared = [item for group in every[:1] for item in _macros(group)]
    except Exception as error:  # pydicom has no common class of what damaged files raise
        raise InputError(
            f"{path}: PerFrameFunctionalGroupsSequence, SharedFunctionalGroupsSequence: damaged "
            f"({cause(error)})"
        ) from error
    if len(own) != frames:
        raise InputError(
            f"{path}: PerFrameFunctionalGroupsSequence: expected {frames} items as in "
            f"NumberOfFrames, found {len(own)}"
        )
    stacks = {text(item, "StackID") for g in own for item in g if has(item, "StackID")}
    if len(stacks) > 1:
        raise InputError(f"{path}: StackID: expected one stack of frames, found {len(stacks)}")
    return own, shared


def _macros(group: Dataset) -> list[Dataset]:
    """The items of a functional group that hold the tags of a slice."""
    keywords = (
        "PlanePositionSequence",
        "PlaneOrientationSequence",
        "PixelMeasuresSequence",
        "PixelValueTransformationSequence",
        "FrameContentSequence",
    )
    return [item for key in keywords for item in (group.get(key) or [])[:1]]
