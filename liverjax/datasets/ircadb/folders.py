"""Folders of a patient by their names: packed or not, doubled, or there twice."""

from collections.abc import Sequence

from liverjax.errors import InputError
from liverjax.io.tree import Folder, only_one


def named(folders: Sequence[Folder], name: str) -> list[Folder]:
    """The folders and archives called `name`, in upper or lower case."""
    return [folder for folder in folders if folder.name.lower() == name.lower()]


def innermost(folder: Folder) -> Folder:
    """`folder`, or the folder of the same name that it is wrapped around.

    Raises:
        InputError: several that hold different files are inside.
    """
    same = named(folder.open().folders, folder.name)
    return innermost(only_one(same, "keep one of them")) if same else folder


def require(folders: Sequence[Folder], parent: Folder, name: str) -> Folder:
    """The one folder called `name` among the `folders` of `parent`, unwrapped.

    Raises:
        InputError: there is none, or there are several that hold different files.
    """
    found = named(folders, name)
    if not found:
        raise InputError(
            f"{parent.path}: expected {name} (a folder or a zip archive), found "
            f"{', '.join(sorted(folder.path.name for folder in folders)) or 'no folder'}"
        )
    return innermost(only_one(found, "keep one of them"))
