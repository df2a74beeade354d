"""Stage 7: chosen and rejected completions of the same prompt become preference pairs (paper section 3.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle, groupby, islice, product

from autoif.config import Config, PairsConfig
from autoif.contamination import grams, words
from autoif.crosscheck.probes import quoted
from autoif.loops import looping_part, loops
from autoif.prompts import assistant, user
from autoif.records import Completion, Drop, Outcome, PreferencePair, ScoredCompletion, VerifiedInstruction

Scores = Sequence[ScoredCompletion]
Matched = list[tuple[ScoredCompletion, ScoredCompletion]]
Contaminated = Callable[[str], Sequence[str]]
"""The benchmarks that a prompt overlaps with."""

ECHO = 5
"""Words in a row that an answer hardly shares with its instruction by chance."""
OWN = 0.5
"""Share of its words that an answer to the query hardly takes from its instruction alone (docs/experiments.md)."""


def pairs(
    units: Iterable[tuple[int, Scores]], config: Config, contaminated: Contaminated
) -> Iterator[Outcome[PreferencePair]]:
    """One unit is the scored answers to one verified instruction, in the order of its queries."""
    for unit, scores in units:
        kept: list[PreferencePair] = []
        dropped: list[Drop] = []
        for prompt, group in groupby(scores, key=lambda score: score.completion.prompt):
            found, drops = _of_prompt(list(group), config, contaminated(prompt))
            kept += found
            dropped += drops
        yield Outcome(unit, tuple(kept), tuple(dropped))


def _of_prompt(scores: Scores, config: Config, contaminated: Sequence[str]) -> tuple[list[PreferencePair], list[Drop]]:
    first = scores[0].completion
    about = {"prompt": first.prompt, "parent": first.parent}
    if contaminated:
        return [], [Drop("contaminated", about | {"benchmarks": contaminated})]
    passed = [score for score in scores if score.pass_rate >= config.pairs.chosen_at]
    rejected = [score for score in scores if score.pass_rate <= config.pairs.rejected_at]
    reasons = [_unfit(score, config) for score in passed]
    chosen = [score for score, reason in zip(passed, reasons, strict=True) if not reason]
    dropped = [
        Drop(reason, about | {"text": score.completion.text, "quality": score.quality, "why": score.quality_reason})
        for score, reason in zip(passed, reasons, strict=True)
        if reason
    ]
    if not chosen or not rejected:
        return [], [*dropped, Drop("no_contrast", about | {"pass_rates": [score.pass_rate for score in scores]})]
    return [_pair(*match) for match in match_up(chosen, rejected, config.pairs)], dropped


def _unfit(score: ScoredCompletion, config: Config) -> str | None:
    """Why an answer that passes is not chosen all the same. A test case answers no query, so nobody rated it."""
    if config.scores.quality and score.completion.query and (score.quality or 0) < config.pairs.min_quality:
        return "off_topic"
    if loops(score.completion.text):
        return "loop"
    return "echo" if _echoes(score.completion) else None


def _echoes(answer: Completion) -> bool:
    """Whether it repeats the instruction to pass, or speaks of it: `The word "people" should appear exactly once.`

    Words that the instruction quotes are for the answer to use, but not alone, and those of the query are its topic.
    """
    phrases = quoted(answer.instruction)
    own = set(grams(answer.instruction, ECHO)) - set(grams(answer.query, ECHO))
    own.difference_update(gram for phrase in phrases for gram in grams(phrase, ECHO))
    if not own.isdisjoint(grams(answer.text, ECHO)):
        return True
    if not answer.query or not words(answer.text):
        return False  # a test case has nothing else to speak of
    to_use = {word for phrase in phrases for word in words(phrase)}
    written = [word for word in words(answer.text) if word not in to_use]
    taken = set(words(answer.instruction)) - set(words(answer.query))
    return sum(word in taken for word in written) >= OWN * len(written)


def scored_cases(verified: Iterable[VerifiedInstruction]) -> Iterator[list[ScoredCompletion]]:
    """The test cases of each instruction as answers to it alone: instruction-level pairs (paper section 3.3).

    Only cases on which their writer and the verifiers agree; of instructions with the same text, the first.
    """
    seen: set[str] = set()
    for one in verified:
        text = one.instruction.text
        if one.split == "train" and text not in seen:
            seen.add(text)
            columns = zip(*one.case_verdicts, strict=True)
            scored = [_scored_case(one, number, verdicts) for number, verdicts in enumerate(columns)]
            sure = [score for score, case in zip(scored, one.cases, strict=True) if score.pass_rate == case.follows]
            if sure:
                yield sure


def _scored_case(verified: VerifiedInstruction, number: int, verdicts: tuple[str, ...]) -> ScoredCompletion:
    text, case = verified.instruction.text, verified.cases[number]
    fields = {"query": "", "instruction": text, "prompt": text, "text": case.response, "sample": number, "tokens": 0}
    return ScoredCompletion.make(
        parent=case.id,
        completion=Completion.make(parent=verified.id, **fields),
        verdicts=verdicts,
        pass_rate=verdicts.count("TRUE") / len(verdicts),
        confidence=verified.confidence,
    )


def match_up(chosen: Scores, rejected: Scores, config: PairsConfig) -> Matched:
    """Which chosen completion meets which rejected one. Both lists are non-empty and in sample order.

    cycle: the shorter list repeats until the longer is used up (the paper and Llama3-AutoIF). max_reuse: the same,
    but no completion is used more than `max_reuse` times. closest: within the same limit, those that are nearest in
    length, so that length says little of what is better; rejected ones that were cut are matched apart. product: all
    with all. best_worst: the pair that is furthest apart. A rejected answer that was cut ends where its loop is plain.
    """
    if config.pairing == "product":
        return list(product(chosen, rejected))
    if config.pairing == "best_worst":
        return [(max(chosen, key=_rate), min(rejected, key=_rate))]
    if config.pairing == "closest":
        apart = ([score for score in rejected if score.completion.cut is cut] for cut in (False, True))
        return [
            match for kind in apart for match in _at_most(config.max_reuse, sorted(product(chosen, kind), key=_gap))
        ]
    longest = max(len(chosen), len(rejected))
    matched = list(islice(zip(cycle(chosen), cycle(rejected), strict=False), longest))
    return matched if config.pairing == "cycle" else _at_most(config.max_reuse, matched)


def _rate(score: ScoredCompletion) -> float:
    return score.pass_rate


def _gap(match: tuple[ScoredCompletion, ScoredCompletion]) -> int:
    """How far their lengths are apart, in characters."""
    return abs(len(match[0].completion.text) - len(_to_reject(match[1].completion)))


def _to_reject(answer: Completion) -> str:
    """What comes after the beginning of a loop says nothing more, and ends wherever the answer happened to be cut."""
    return looping_part(answer.text) if answer.cut else answer.text


def _at_most(uses: int, matched: Matched) -> Matched:
    used: Counter[str] = Counter()
    kept = []
    for chosen, rejected in matched:
        if used[chosen.id] < uses and used[rejected.id] < uses:
            used.update((chosen.id, rejected.id))
            kept.append((chosen, rejected))
    return kept


def _pair(chosen: ScoredCompletion, rejected: ScoredCompletion) -> PreferencePair:
    return PreferencePair.make(
        parent=chosen.completion.parent,
        prompt=[user(chosen.completion.prompt)],
        chosen=[assistant(chosen.completion.text)],
        rejected=[assistant(_to_reject(rejected.completion))],
        chosen_id=chosen.completion.id,
        rejected_id=rejected.completion.id,
        chosen_score=chosen.pass_rate,
        rejected_score=rejected.pass_rate,
        confidence=min(chosen.confidence, rejected.confidence),
        rejected_cut=rejected.completion.cut,
    )
