"""The rows of a published data set: preference pairs, and verified instructions with what verifies them."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from autoif.records import PreferencePair, VerifiedInstruction

TEXT = pa.string()
MESSAGES = pa.list_(pa.struct({"role": TEXT, "content": TEXT}))

PAIRS = pa.schema(
    {
        "id": TEXT,
        "prompt": MESSAGES,
        "chosen": MESSAGES,
        "rejected": MESSAGES,
        "chosen_score": pa.float64(),
        "rejected_score": pa.float64(),
        "confidence": pa.float64(),
        "instruction_id": TEXT,
        "chosen_id": TEXT,
        "rejected_id": TEXT,
        "rejected_cut": pa.bool_(),
    }
)
"""TRL's conversational preference format, with scores and lineage."""

VERIFIED = pa.schema(
    {
        "id": TEXT,
        "instruction": TEXT,
        "origin": TEXT,
        "seed": TEXT,
        "parameters": TEXT,
        "queries": pa.list_(TEXT),
        "verifiers": pa.list_(TEXT),
        "cases": pa.list_(pa.struct({"response": TEXT, "follows": pa.bool_(), "origin": TEXT})),
        "case_verdicts": pa.list_(pa.list_(TEXT)),
        "confidence": pa.float64(),
        "explanation": TEXT,
    }
)
"""`verifiers` are Python sources; `case_verdicts` is verifiers x cases; `parameters` is a JSON object."""


def pair_row(pair: PreferencePair) -> dict[str, Any]:
    return {**pair.model_dump(exclude={"parent"}), "instruction_id": pair.parent}


def verified_row(verified: VerifiedInstruction) -> dict[str, Any]:
    instruction = verified.instruction
    return {
        "id": verified.id,
        "instruction": instruction.text,
        "origin": instruction.origin,
        "seed": instruction.seed,
        "parameters": json.dumps(instruction.parameters, ensure_ascii=False),
        "queries": [query.text for query in instruction.queries],
        "verifiers": [verifier.source for verifier in verified.verifiers],
        "cases": [case.model_dump(include={"response", "follows", "origin"}) for case in verified.cases],
        "case_verdicts": verified.case_verdicts,
        "confidence": verified.confidence,
        "explanation": verified.explanation,
    }
