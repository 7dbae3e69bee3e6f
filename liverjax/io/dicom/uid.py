"""UIDs of objects that this package makes."""

import uuid

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "liverjax")


def derive_uid(*parts: str) -> str:
    """The same DICOM UID for the same `parts`, in the "2.25." form of PS3.5 annex B.2."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, chr(0).join(parts)).int}"
