import json
from pathlib import Path
from xml.etree import ElementTree

from autoif.training.curves import draw, draw_curves

SVG = "{http://www.w3.org/2000/svg}"


def test_every_figure_is_drawn_from_what_was_logged(tmp_path: Path) -> None:
    rows = [{"step": step, "loss": 0.7 - step / 10, "logps/chosen": -50 - step} for step in range(1, 5)]
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = draw_curves(metrics, tmp_path / "figures")
    assert [file.name for file in files] == ["loss.svg", "nll.svg", "margins.svg", "accuracy.svg", "logps.svg"]
    line = ElementTree.parse(files[0]).getroot().find(f"{SVG}polyline")
    assert line is not None
    heights = [float(point.split(",")[1]) for point in line.get("points", "").split()]
    assert len(heights) == 4
    assert heights == sorted(heights)  # a falling loss: SVG counts down the page


def test_a_single_or_constant_point_does_not_divide_by_zero() -> None:
    assert "polyline" in draw({"loss": [(1.0, 0.5)]})
    assert "polyline" in draw({"loss": [(1.0, 0.5), (2.0, 0.5)]})
