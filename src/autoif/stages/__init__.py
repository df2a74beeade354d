"""The stages, one module each: numbered inputs in, outcomes out. A stage opens no data file and knows no other."""

from autoif.stages.back_translation import back_translation
from autoif.stages.completions import completions
from autoif.stages.crosscheck import crosscheck
from autoif.stages.instructions import instructions
from autoif.stages.pairs import pairs, scored_cases
from autoif.stages.queries import queries
from autoif.stages.scores import scores
from autoif.stages.verifiers import shown_verifiers, verifiers

__all__ = [
    "back_translation",
    "completions",
    "crosscheck",
    "instructions",
    "pairs",
    "queries",
    "scored_cases",
    "scores",
    "shown_verifiers",
    "verifiers",
]
