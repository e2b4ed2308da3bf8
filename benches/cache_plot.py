"""A plot of lines over a logarithmic axis, as SVG."""

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

Point = tuple[float, float]
Lines = Mapping[str, Sequence[Point]]

WIDTH, HEIGHT = 420, 300
LEFT, TOP, RIGHT, BOTTOM = 50, 34, 12, 46
COLOURS = ("#888888", "#d62728", "#1f77b4", "#2ca02c", "#9467bd")


def svg(panels: Mapping[str, Lines], axis: str, title: str) -> str:
    """Return panels side by side, each with its lines of percentages, and one legend."""
    width = WIDTH * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT + 24}">',
        "<style>text { font: 12px sans-serif }</style>",
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{HEIGHT + 24}" fill="white"/>',
    ]
    for number, (name, lines) in enumerate(panels.items()):
        parts.append(f'<g transform="translate({number * WIDTH} 0)">')
        parts += _panel(name, lines, axis)
        parts.append("</g>")
    names = list(next(iter(panels.values())))
    for number, (name, colour) in enumerate(zip(names, COLOURS, strict=False)):
        x = LEFT + number * 110
        parts.append(f'<rect x="{x}" y="{HEIGHT + 6}" width="14" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{x + 20}" y="{HEIGHT + 13}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(name: str, lines: Lines, axis: str) -> Iterator[str]:
    xs = [x for line in lines.values() for x, _ in line]
    low, high = math.log(min(xs)), math.log(max(xs))

    def across(x: float) -> float:
        return LEFT + (math.log(x) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def down(percent: float) -> float:
        return TOP + (1 - percent / 100) * (HEIGHT - TOP - BOTTOM)

    yield f'<text x="{WIDTH / 2}" y="20" text-anchor="middle">{escape(name)}</text>'
    for percent in range(0, 101, 20):
        y = down(percent)
        yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>'
    for x in sorted(set(xs)):
        place = f'x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 16}"'
        yield f'<text {place} text-anchor="middle">{x:g} %</text>'
    yield f'<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(axis)}</text>'
    for line, colour in zip(lines.values(), COLOURS, strict=False):
        points = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in line)
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
