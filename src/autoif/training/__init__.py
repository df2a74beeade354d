"""Training a policy on preference pairs. Importing this package imports neither torch nor TRL."""

from autoif.training.dpo import TrainSummary, train
from autoif.training.gguf_export import reference_gguf, write_gguf
from autoif.training.loss import dpo_loss, implicit_reward, nll_loss, token_logps

__all__ = [
    "TrainSummary",
    "dpo_loss",
    "implicit_reward",
    "nll_loss",
    "reference_gguf",
    "token_logps",
    "train",
    "write_gguf",
]
