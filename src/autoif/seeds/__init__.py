"""The hand-written part of the data: seed instructions with the verifiers and test cases that people wrote for them."""

from autoif.records import Instruction
from autoif.seeds import basics, case, data, format, keywords, length, letters, order, punctuation, start_end, structure
from autoif.seeds.seed import FilledSeed, Seed

SEEDS: tuple[Seed, ...] = (
    *basics.SEEDS,
    *length.SEEDS,
    *format.SEEDS,
    *data.SEEDS,
    *case.SEEDS,
    *punctuation.SEEDS,
    *keywords.SEEDS,
    *letters.SEEDS,
    *start_end.SEEDS,
    *order.SEEDS,
    *structure.SEEDS,
)
"""In a fixed order, names unique."""

BY_NAME = {seed.name: seed for seed in SEEDS}


def kind_of(instruction: Instruction) -> str:
    """The kind of the seed that an instruction comes from, or `model` when a model wrote it."""
    seed = BY_NAME.get(instruction.seed or "")
    return seed.kind if seed else "model"


__all__ = ["BY_NAME", "SEEDS", "FilledSeed", "Seed", "kind_of"]
