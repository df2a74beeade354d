"""The curves of a training as small SVG files, drawn without a plotting library."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

WIDTH, HEIGHT, MARGIN = 480, 240, 44
COLOURS = ("#1f6feb", "#d1242f")
FIGURES: dict[str, tuple[str, ...]] = {
    "loss": ("loss",),
    "nll": ("nll",),
    "margins": ("rewards/margins",),
    "accuracy": ("rewards/accuracies",),
    "logps": ("logps/chosen", "logps/rejected"),
}
"""File name to the metrics it shows."""

Points = Sequence[tuple[float, float]]


def draw_curves(metrics: Path, out: Path) -> list[Path]:
    """Draws every figure from the JSON lines that training logged; returns the files."""
    rows = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    out.mkdir(parents=True, exist_ok=True)
    files = []
    for name, keys in FIGURES.items():
        curves = {key: [(row["step"], row[key]) for row in rows if key in row] for key in keys}
        file = out / f"{name}.svg"
        file.write_text(draw(curves), encoding="utf-8")
        files.append(file)
    return files


def draw(curves: Mapping[str, Points]) -> str:
    """One figure: named curves over the step, with the ends of both axes labelled."""
    points = [point for curve in curves.values() for point in curve] or [(0.0, 0.0)]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)
    across = (WIDTH - 2 * MARGIN) / (right - left or 1)
    up = (HEIGHT - 2 * MARGIN) / (high - low or 1)
    bottom = HEIGHT - MARGIN
    parts = [
        f'<path d="M{MARGIN},{MARGIN} V{bottom} H{WIDTH - MARGIN}" fill="none" stroke="#ccc"/>',
        _label(MARGIN, bottom + 16, f"step {left:g}"),
        _label(WIDTH - MARGIN, bottom + 16, f"{right:g}", "end"),
        _label(MARGIN - 4, bottom, f"{low:.3g}", "end"),
        _label(MARGIN - 4, MARGIN, f"{high:.3g}", "end"),
    ]
    for order, (name, curve) in enumerate(curves.items()):
        line = " ".join(f"{MARGIN + (x - left) * across:.1f},{bottom - (y - low) * up:.1f}" for x, y in curve)
        parts.append(f'<polyline fill="none" stroke="{COLOURS[order]}" stroke-width="1.5" points="{line}"/>')
        parts.append(_label(MARGIN + 120 * order, 20, name, colour=COLOURS[order]))
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', *parts, "</svg>\n"])


def _label(x: float, y: float, text: str, anchor: str = "start", colour: str = "#333") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">{text}</text>'
