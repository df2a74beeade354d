import math

import pytest

torch = pytest.importorskip("torch")

from autoif.training import dpo_loss, implicit_reward, nll_loss, token_logps  # noqa: E402


def test_loss_is_log_2_where_policy_is_reference() -> None:
    chosen, rejected = torch.tensor([-3.0, -40.0]), torch.tensor([-5.0, -2.0])
    assert torch.allclose(dpo_loss(chosen, rejected, chosen, rejected, 0.1), torch.full((2,), math.log(2)))


def test_loss_by_hand() -> None:
    """beta * ((-8 + 10) - (-14 + 11)) = 0.1 * 5; -log(1 / (1 + exp(-0.5)))."""
    loss = dpo_loss(torch.tensor([-8.0]), torch.tensor([-14.0]), torch.tensor([-10.0]), torch.tensor([-11.0]), 0.1)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-0.5)), rel=1e-6)


def test_gradient_raises_chosen_and_lowers_rejected() -> None:
    chosen, rejected = torch.tensor([-9.0], requires_grad=True), torch.tensor([-9.0], requires_grad=True)
    dpo_loss(chosen, rejected, torch.tensor([-9.0]), torch.tensor([-9.0]), 0.3).sum().backward()
    assert chosen.grad.item() == pytest.approx(-0.15)
    assert rejected.grad.item() == pytest.approx(0.15)


def test_a_hopeless_pair_has_a_finite_loss() -> None:
    far = torch.tensor([1e6])
    assert dpo_loss(-far, far, far, -far, 0.1).item() == pytest.approx(4e5)


def test_reward_is_beta_times_log_ratio() -> None:
    reward = implicit_reward(torch.tensor([-4.0, -6.0]), torch.tensor([-5.0, -2.0]), 0.5)
    assert reward.tolist() == [0.5, -2.0]


def test_token_logps_are_those_of_the_next_token() -> None:
    logits = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))
    ids = torch.tensor([[0, 3, 6, 1, 2], [5, 5, 0, 4, 1]])
    logps = token_logps(logits, ids)
    assert logps.shape == (2, 4)
    assert logps[1, 2].item() == pytest.approx(logits[1, 2].softmax(-1)[4].log().item(), rel=1e-5)


def test_nll_is_a_mean_over_the_tokens_of_all_completions() -> None:
    logps = torch.tensor([[-9.0, -1.0, -9.0], [-9.0, -3.0, -5.0]])
    mask = torch.tensor([[0, 1, 0], [0, 1, 1]])
    assert nll_loss(logps, mask).item() == pytest.approx(3.0)
