"""JSON text for people: one line where it fits, short items side by side."""

from __future__ import annotations

import json
from typing import Any

LINE_WIDTH = 118


def layout(value: Any, indent: int = 0, used: int = 0) -> str:
    """Write `value` as JSON; `used` characters of its first line are taken already."""
    flat = json.dumps(value, ensure_ascii=False)
    fits = len(flat) + indent + used <= LINE_WIDTH
    if fits or not isinstance(value, dict | list) or not value:
        return flat
    pad = " " * (indent + 1)
    if isinstance(value, dict):
        opening, closing = "{", "}"
        rows = [_member(key, item, indent + 1) for key, item in value.items()]
    else:
        opening, closing = "[", "]"
        rows = [layout(item, indent + 1, used=1) for item in value]
        if not any(isinstance(item, dict | list) for item in value):
            rows = _side_by_side(rows, LINE_WIDTH - len(pad))
    body = ",\n".join(pad + row for row in rows)
    return f"{opening}\n{body}\n{' ' * indent}{closing}"


def _member(key: str, item: Any, indent: int) -> str:
    name = json.dumps(key, ensure_ascii=False) + ": "
    return name + layout(item, indent, used=len(name))


def _side_by_side(parts: list[str], width: int) -> list[str]:
    rows = [parts[0]]
    for part in parts[1:]:
        if len(rows[-1]) + len(part) + len(", ,") <= width:
            rows[-1] += ", " + part
        else:
            rows.append(part)
    return rows
