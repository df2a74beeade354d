"""Golden prompts: a change of wording is a change of every run, and should be seen in review."""

import json
import os
from pathlib import Path

import pytest

from autoif.config_file import parse_config
from autoif.engines.scripted import ScriptedEngine
from autoif.prompts import draw, fill, user_prompt
from autoif.records import Instruction, Query, VerifiedInstruction, Verifier
from autoif.stages.completions import wave
from autoif.stages.instructions import instructions
from autoif.stages.verifiers import verifiers

GOLDEN = Path(__file__).parent / "golden" / "prompts.json"
QUERY = Query.make(text="How do I brew $10 tea?", source="test")
INSTRUCTION = Instruction.make(parent=QUERY.id, text="Use no commas.", origin="model", queries=(QUERY,))


def asked(stage, item, sections, *more) -> list[dict]:
    found = []
    engine = ScriptedEngine(lambda request: found.append(request) or "x", prefill=True)
    list(stage(enumerate([item]), parse_config(sections, "test"), engine, *more))
    return [{"messages": list(request.messages), "prefill": request.prefill} for request in found]


def shown_verifier() -> list[dict]:
    source = "def evaluate(response):\n    return ',' not in response\n"
    verified = VerifiedInstruction.make(
        parent="c",
        instruction=INSTRUCTION,
        verifiers=(Verifier.make(source=source, origin="model"),),
        cases=(),
        explanation="kept",
    )
    config = parse_config({"completions": {"per_instruction": 1, "show_verifier": True}}, "test")
    return [list(request.messages) for request in wave(0, (verified, QUERY), 0, config)]


def test_prompts_are_the_golden_ones():
    paper = {"mode": "paper", "shots": 2, "rewrites": 1, "rewrites_per_reply": 2}
    at_once = {"functions": 1, "wave": None, "case_replies": 1, "shots": 1}
    prompts = {
        "instructions, proactive": asked(instructions, (QUERY,), {"instructions": {"shots": 2}}),
        "instructions, paper": asked(instructions, (QUERY,) * 32, {"instructions": paper}),
        "verifiers": asked(verifiers, INSTRUCTION, {"verifiers": at_once}, None),
        "mutation": fill("mutation", instruction="i", response="r"),
        "completions, verifier shown": shown_verifier(),
        "back translation": fill("back_translation", verifier="def evaluate(response):\n    return True\n"),
        "contradiction": fill("contradiction", instruction="i", back="b"),
        "quality": fill("quality", query="$q", instruction="i", response="r"),
    }
    content = json.dumps(prompts, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(content)
    assert content == GOLDEN.read_text()


def test_filling_is_one_pass():
    """A field's own dollar signs are text, and a field that is not given raises."""
    assert "$instruction" in fill("verifiers", instruction="say $instruction")
    with pytest.raises(KeyError):
        fill("verifiers")


def test_the_training_prompt():
    assert user_prompt("a", "b") == "a\nb"


def test_draws_follow_from_their_key():
    assert draw(0, "a", 1) == draw(0, "a", 1) != draw(0, "a", 2)
    assert all(0 <= draw(0, n) < 2**31 for n in range(100))
    assert draw("a", "b") != draw("ab", "")
    assert draw("\ud800") >= 0
