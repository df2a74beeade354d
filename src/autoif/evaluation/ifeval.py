"""IFEval, scored by lm-eval's own task (Zhou et al., "Instruction-Following Evaluation for Large Language Models")."""

from __future__ import annotations

from importlib.metadata import version

from autoif.errors import MissingExtraError
from autoif.evaluation import nltk_data
from autoif.evaluation.scorer import Prompt, Scorer, Verdicts


def ifeval_scorer() -> Scorer:
    """Raises MissingExtraError without lm-eval, InputError without NLTK's punkt_tab."""
    nltk_data.require(["tokenizers/punkt_tab"], "IFEval")
    try:
        with nltk_data.no_downloads():
            from lm_eval.tasks.ifeval import instructions_registry
    except ImportError:
        raise MissingExtraError("lm-eval with its ifeval extra", "eval") from None
    return Scorer(f"lm-eval {version('lm-eval')}", instructions_registry.INSTRUCTION_DICT.keys(), _check)


def _check(prompt: Prompt, response: str) -> Verdicts:
    from lm_eval.tasks.ifeval.utils import process_results

    document = {
        "key": prompt.key,
        "prompt": prompt.text,
        "instruction_id_list": list(prompt.instructions),
        "kwargs": list(prompt.kwargs),
    }
    result = process_results(document, [response])
    return list(zip(result["inst_level_strict_acc"], result["inst_level_loose_acc"], strict=True))
