import json

import pytest
import yaml
from fake_hub import head, problems
from finished import configure
from markdown_it import MarkdownIt
from rich.console import Console

from autoif.progress import Meter
from autoif.push.build import build
from autoif.rundir import RunDirectory

NASTY = "x\n---\nlicense: mit\n# Owned <img src=x onerror=alert(1)> [y](javascript:z) `a` | b {{ 7 * 7 }} \u202e"


def cards(run):
    parcels = build(RunDirectory(run), "acme/demo", Meter(Console(quiet=True), "push", None))
    return [parcel.card for parcel in parcels]


def tokens(card):
    body = card.split("---\n", 2)[2]
    flat = MarkdownIt("commonmark", {"html": True}).enable("table").parse(body)
    return [part for token in flat for part in (token, *(token.children or ()))]


def test_the_hub_accepts_both_heads(run):
    for card, kind in zip(cards(run), ("dataset", "model"), strict=True):
        assert problems(card, kind) == []


def test_the_card_tells_what_happened(run):
    data, policy = cards(run)
    found = head(data)
    assert found["license"] == "unknown"  # nobody here knows that of the writer
    assert found["configs"][0]["config_name"] == "default"
    for text in ("| `crosscheck` |", " `one_polarity`, ", "`Qwen/Qwen2.5-Coder-7B-Instruct`", "arXiv:2406.13542"):
        assert text in data
    assert "Not checked" in data
    assert "| `heldout` | 170 | 41.2% | 53.8% | +12.6 points (+4.0 to +21.0) |" in policy
    assert head(policy)["datasets"] == ["acme/demo"]
    assert "base_model" not in head(policy)


def test_every_metric_of_a_benchmark_has_its_row(run):
    metric = {"n": 9, "reference": 0.5, "policy": 0.25, "difference": {"mean": -0.25, "low": -0.5, "high": 0.0}}
    scores = {"ifeval": {**metric, "metrics": {"average": metric, "prompt_level_loose": metric}}}
    (run / "09_evaluate" / "scores.json").write_text(json.dumps(scores))
    policy = cards(run)[1]
    for name in ("average", "prompt_level_loose"):
        assert f"| `ifeval, {name}` | 9 | 50.0% | 25.0% | -25.0 points (-50.0 to +0.0) |" in policy
    assert "| `ifeval` |" not in policy


def test_the_policy_of_a_later_round_says_that_it_is_one(run):
    assert "## Rounds" not in cards(run)[1]
    (run.parent / "config.json").write_text("{}")
    assert f"policy of `{run.name}`:" in cards(run)[1]


def test_an_interpolated_policy_says_what_it_lies_between(run):
    stats = {"pairs": 9, "share": 0.75, "of": "mine/round_2"}
    (run / "08_train" / "stats.json").write_text(json.dumps(stats))
    policy = cards(run)[1]
    assert "- Trained: all weights; then moved to 75% of the way from the base model to `mine/round_2`\n" in policy
    assert "This is the policy of `mine/round_2`: training went on" in policy


def test_confidence_is_counted_where_it_lies(run):
    path = run / "07_pairs" / "records.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line, confidence in zip(lines, (0.97, 0.93, 0.91, 0.76, 0.5), strict=False):
        line["confidence"] = confidence
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    data = cards(run)[0]
    for band, count in (("1", len(lines) - 5), ("0.95 and more", 1), ("0.90 to 0.95", 2), ("less than 0.75", 1)):
        assert f"| {band} | {count} |" in data


def test_a_run_on_seeds_alone_names_no_writer(run):
    assert "| Writer |" in cards(run)[0]
    path = run / "04_crosscheck" / "records.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if json.loads(line)["instruction"]["origin"] == "seed"))
    data = cards(run)[0]
    for text, told in (
        ("| Seeds, ", True),
        ("hand-written seeds; the", True),
        ("| Writer |", False),
        ("model wrote", False),
    ):
        assert (text in data) is told


def test_a_contamination_table_is_shown(run):
    table = [{"benchmark": "/home/me/ifeval.jsonl", "prompts": 1234, "contaminated": 7}]
    (run / "07_pairs" / "contamination.json").write_text(json.dumps({"benchmarks": table}))
    assert "| `ifeval.jsonl` | 1,234 | 7 |" in cards(run)[0]


@pytest.mark.parametrize("part", [0, 1])
def test_nothing_of_a_run_is_markdown_or_yaml(run, part):
    plain = cards(run)[part]
    model = {"engine": "vllm", "model": NASTY}
    configure(run, writer=model, policy=model, queries={"source": NASTY, "field": NASTY, "language": NASTY})
    table = [{"benchmark": NASTY, "prompts": 1, "contaminated": 1}]
    (run / "07_pairs" / "contamination.json").write_text(json.dumps({"benchmarks": table}))
    stats = run / "07_pairs" / "stats.json"
    stats.write_text(json.dumps(json.loads(stats.read_text()) | {"dropped": {NASTY: 3}}))
    (run / "09_evaluate" / "scores.json").write_text(json.dumps({NASTY: {"policy": 1, "reference": 0, "n": 1}}))
    nasty = cards(run)[part]
    assert "Owned" in nasty
    assert {token.type for token in tokens(nasty)} <= {token.type for token in tokens(plain)}
    assert not {"html_inline", "html_block", "link_open", "image"} & {token.type for token in tokens(nasty)}
    headings = [[t.content for t in tokens(card) if t.type == "text" and t.level == 0] for card in (plain, nasty)]
    assert headings[0][:3] == headings[1][:3]
    assert set(head(nasty)) <= set(head(plain))
    assert head(nasty)["license"] == head(plain)["license"]
    assert "\u202e" not in nasty


def test_no_path_address_or_secret_of_this_machine_is_told(run, tmp_path):
    model = tmp_path / "a-model-of-mine"
    model.mkdir()
    (model / "README.md").write_text("---\nlicense: mit\n---\n")
    configure(run, queries={"source": str(tmp_path / "prompts.jsonl")}, train={"model": str(model)})
    for card in cards(run):
        assert str(tmp_path) not in card
        for secret in ("hf_of_the_options", "10.1.2.3"):
            assert secret not in card
    assert "prompts.jsonl" in card
    assert "a-model-of-mine" in card


def test_the_settings_are_a_part_of_a_configuration(run):
    from autoif.config_file import parse_config

    fence = next(token for token in tokens(cards(run)[0]) if token.type == "fence" and token.info == "yaml")
    parse_config(yaml.safe_load(fence.content), "the card")
