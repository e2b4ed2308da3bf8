"""Bars over a logarithmic axis, as SVG: what each way costs, beside the others."""

import math
from collections.abc import Iterator, Mapping
from html import escape

Bars = Mapping[str, Mapping[str, float]]
"""Group -> series -> value."""

WIDTH, HEIGHT = 560, 300
LEFT, TOP, BOTTOM = 64, 34, 46
COLOURS = ("#9ecae1", "#4292c6", "#084594")


def svg(panels: Mapping[str, Bars], title: str) -> str:
    """Return panels side by side with one legend. A value of 0 has no bar, but is written."""
    width = WIDTH * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT + 24}">',
        "<style>text { font: 12px sans-serif }</style>",
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{HEIGHT + 24}" fill="white"/>',
    ]
    for number, (name, bars) in enumerate(panels.items()):
        parts.append(f'<g transform="translate({number * WIDTH} 0)">')
        parts += _panel(name, bars)
        parts.append("</g>")
    series = next(iter(next(iter(panels.values())).values()))
    for number, (name, colour) in enumerate(zip(series, COLOURS, strict=False)):
        x = LEFT + number * 150
        parts.append(f'<rect x="{x}" y="{HEIGHT + 4}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 18}" y="{HEIGHT + 14}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(name: str, bars: Bars) -> Iterator[str]:
    values = [value for series in bars.values() for value in series.values() if value > 0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    foot = HEIGHT - BOTTOM

    def up(value: float) -> float:
        return (math.log10(value) - low) / (high - low) * (foot - TOP)

    yield f'<text x="{WIDTH / 2}" y="20" text-anchor="middle">{escape(name)}</text>'
    for power in range(low, high + 1):
        y = foot - up(10.0**power)
        yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - 8}" stroke="#dddddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g}</text>'
    step = (WIDTH - LEFT - 8) / len(bars)
    for number, (group, series) in enumerate(bars.items()):
        x = LEFT + number * step
        middle = x + step / 2
        yield f'<text x="{middle:.1f}" y="{foot + 18}" text-anchor="middle">{escape(group)}</text>'
        if not any(series.values()):
            yield f'<text x="{middle:.1f}" y="{foot - 6}" text-anchor="middle">0</text>'
        wide = step * 0.8 / len(series)
        for place, (value, colour) in enumerate(zip(series.values(), COLOURS, strict=False)):
            tall = up(value) if value > 0 else 0.0
            yield (
                f'<rect x="{x + step * 0.1 + place * wide:.1f}" y="{foot - tall:.1f}"'
                f' width="{wide:.1f}" height="{tall:.1f}" fill="{colour}"/>'
            )
