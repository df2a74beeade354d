"""The formulas of training as pure functions. TRL computes them in `train`; the tests hold the two together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def dpo_loss(
    policy_chosen: Tensor, policy_rejected: Tensor, reference_chosen: Tensor, reference_rejected: Tensor, beta: float
) -> Tensor:
    """Direct preference optimisation, arXiv 2305.18290, equation 7, without the mean over the pairs.

        -log sigmoid(beta * ((log pi(y_w|x) - log ref(y_w|x)) - (log pi(y_l|x) - log ref(y_l|x))))

    The arguments are log-probabilities of whole completions (sums over their tokens, in nats), each of shape
    (pairs,); y_w is chosen and y_l rejected. Returns the loss of each pair, shape (pairs,): log 2 where the policy
    is the reference, less the further the policy prefers chosen.
    """
    from torch.nn.functional import logsigmoid

    chosen = implicit_reward(policy_chosen, reference_chosen, beta)
    rejected = implicit_reward(policy_rejected, reference_rejected, beta)
    return -logsigmoid(chosen - rejected)


def implicit_reward(policy: Tensor, reference: Tensor, beta: float) -> Tensor:
    """The reward that DPO trains implicitly, arXiv 2305.18290, section 5: beta * (log pi(y|x) - log ref(y|x)).

    Log-probabilities of whole completions in nats, shape (completions,). Returns the same shape.
    """
    return beta * (policy - reference)


def nll_loss(logps: Tensor, mask: Tensor) -> Tensor:
    """The negative log-likelihood of the chosen completions, a mean over all their tokens (in nats, a scalar).

    `logps` from `token_logps`, shape (completions, tokens - 1); `mask` of the same shape is 1 on completion tokens.
    """
    return -(logps * mask).sum() / mask.sum()


def token_logps(logits: Tensor, ids: Tensor) -> Tensor:
    """log pi(token t+1 | tokens 0..t), in nats.

    `logits` of shape (sequences, tokens, vocabulary), `ids` of shape (sequences, tokens).
    Returns shape (sequences, tokens - 1).
    """
    scores = logits[:, :-1].float().log_softmax(-1)
    return scores.gather(-1, ids[:, 1:, None]).squeeze(-1)
