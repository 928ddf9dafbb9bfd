"""Slices of a manifest: its rows by noise, speaker or whatever else it tells of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.rows import EvaluatedRow

NOISE = ("noise", "background")


def slices(heard: Sequence[EvaluatedRow], keys: Sequence[str]) -> dict[str, list[EvaluatedRow]]:
    """All rows; then, key by key, those that have a value of it in common, unless all rows have."""
    found = {"all": list(heard)}
    for key in keys:
        parts: dict[str, list[EvaluatedRow]] = defaultdict(list)
        for h in heard:
            if name := _name(key, h.row):
                parts[name].append(h)
        found |= {name: parts[name] for name in sorted(parts) if len(parts[name]) < len(heard)}
    return found


def _name(key: str, row: Mapping[str, Any]) -> str:
    """What the slice is called that the row belongs to; nothing where the manifest does not say."""
    value = row.get(key)
    if key in NOISE and key in row and not value:
        return "clean" if key == "noise" else f"no {key}"
    if isinstance(value, bool):
        return key if value else f"not {key}"
    return f"{key} {value}" if value else ""
