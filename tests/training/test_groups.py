"""Pairs put into groups, steps and forward passes: nothing is lost, nothing stands twice."""

from hypothesis import given
from hypothesis import strategies as st

from autoif.training.groups import Group, deal, group_pairs, rows

IDS = st.lists(st.integers(0, 3), min_size=1, max_size=4)
ROWS = st.lists(st.fixed_dictionaries({"prompt_ids": IDS, "chosen_ids": IDS, "rejected_ids": IDS}), max_size=20)


@given(ROWS, st.integers(1, 5), st.integers(1, 40))
def test_groups_hold_the_same_pairs_in_the_same_order(pairs, most_pairs, most_tokens):
    groups = list(group_pairs(pairs, most_pairs, most_tokens))
    again = [
        {"prompt_ids": group.prompt, "chosen_ids": group.completions[c], "rejected_ids": group.completions[r]}
        for group in groups
        for c, r in group.pairs
    ]
    assert again == pairs
    for group in groups:
        assert 1 <= len(group.pairs) <= most_pairs
        assert group.tokens <= most_tokens or len(group.pairs) == 1
        assert len({tuple(completion) for completion in group.completions}) == len(group.completions)


def test_a_prompt_and_a_completion_stand_once():
    pairs = [{"prompt_ids": [1], "chosen_ids": [c], "rejected_ids": [r]} for c, r in ((2, 3), (2, 4), (5, 3))]
    assert list(group_pairs(pairs, 8, 100)) == [Group([1], [[2], [3], [4], [5]], [(0, 1), (0, 2), (3, 1)])]


@given(st.lists(st.integers(1, 8), max_size=30), st.integers(1, 8), st.integers())
def test_every_group_is_in_one_step(pairs, batch_size, seed):
    steps = deal(pairs, batch_size, seed)
    assert sorted(index for step in steps for index in step) == list(range(len(pairs)))
    assert steps == deal(pairs, batch_size, seed)
    for step in steps:
        assert sum(pairs[index] for index in step) - pairs[step[-1]] < batch_size


def test_steps_are_close_to_the_batch_size():
    assert [len(step) for step in deal([1] * 10, 4, 0)] == [4, 4, 2]
    assert [len(step) for step in deal([3] * 4, 4, 0)] == [1] * 4
    assert [len(step) for step in deal([3] * 4, 5, 0)] == [2, 2]


@given(st.lists(IDS, max_size=10), st.integers(1, 12))
def test_forward_passes_hold_what_fits(prompts, most_tokens):
    groups = [Group(prompt) for prompt in prompts]
    found = list(rows(groups, most_tokens))
    assert [group for row in found for group in row] == groups
    assert all(sum(group.tokens for group in row) <= most_tokens or len(row) == 1 for row in found)
