from pathlib import Path

import pytest
import yaml

from autoif.config_file import parse_config
from autoif.training.checkpoint import base_licence, hub_licence, model_card


def test_the_card_says_what_the_model_was_trained_on(tmp_path: Path) -> None:
    config = parse_config({"policy": {"model": str(tmp_path)}, "train": {"beta": 0.3}, "seed": 7}, "test")
    card = model_card(config, 41, {"01_queries": 200, "07_pairs": 44}, None)
    head = yaml.safe_load(card.split("---\n")[1])
    assert "base_model" not in head  # a folder of one's own is no id on the hub
    assert str(tmp_path) not in card
    assert tmp_path.name in card
    assert head["license"] == "unknown"
    for text in ("| 01_queries | 200 |", "| pairs trained on | 41 |", "beta: 0.3", "seed 7", "unknown: nothing here"):
        assert text in card


@pytest.mark.parametrize(("per_query", "writers"), [(1, "`m.gguf` and people, as seeds"), (0, "people, as seeds")])
def test_the_card_names_a_writer_where_one_wrote(per_query: int, writers: str) -> None:
    config = parse_config({"writer": {"model": "m.gguf"}, "instructions": {"per_query": per_query}}, "test")
    assert f"test cases written by: {writers}\n" in model_card(config, 1, {}, None)


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: llama3.1\n---\n# A model\n", "llama3.1"),
        ("# No front matter\n", None),
        ("---\n- a list\n---\n", None),
        ("---\nlicense: [broken\n---\n", None),
    ],
)
def test_the_licence_of_a_folder_is_that_of_its_card(tmp_path: Path, card: str, licence: str | None) -> None:
    (tmp_path / "README.md").write_text(card)
    assert base_licence(str(tmp_path)) == licence


def test_the_licence_of_the_embedded_model_is_in_its_file() -> None:
    pytest.importorskip("gguf")
    assert base_licence("smollm2-135m-instruct") == "apache-2.0"


def test_a_licence_that_the_hub_does_not_know_is_another() -> None:
    named = [hub_licence(licence) for licence in ("llama3.1", "My own licence: [x]", None)]
    assert named == ["llama3.1", "other", "unknown"]
