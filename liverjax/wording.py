"""Numbers and lists in sentences."""

from collections.abc import Sequence


def counted(count: int, what: str, many: str | None = None) -> str:
    """E.g. "1 case", "2 cases"; `many` is the plural where it is another word."""
    return f"1 {what}" if count == 1 else f"{count} {many or what + 's'}"


def listed(names: Sequence[str], most: int = 12) -> str:
    """The first of some names, and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
