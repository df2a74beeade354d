"""The hand-written part of the data: seed instructions with the verifiers and test cases that people wrote for them."""

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

__all__ = ["SEEDS", "FilledSeed", "Seed"]
