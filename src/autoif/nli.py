"""Whether two sentences contradict one another, by a Hugging Face model for natural language inference."""

from __future__ import annotations

from collections.abc import Callable

from autoif.errors import EngineUnavailableError, InputError, MissingExtraError


def load_nli(model: str) -> Callable[[str, str], bool]:
    """A judge of (premise, hypothesis) from a sequence-classification id or local folder, on the CPU.

    Raises MissingExtraError without transformers, EngineUnavailableError when the model cannot be loaded, and
    InputError when none of its labels is called contradiction.
    """
    try:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
    except ImportError:
        raise MissingExtraError("transformers", "train") from None
    try:
        tokenizer = AutoTokenizer.from_pretrained(model)
        classifier = AutoModelForSequenceClassification.from_pretrained(model).eval()
    except (OSError, ValueError, KeyError) as error:
        problem = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise EngineUnavailableError(f"crosscheck.nli_model: {model} cannot be loaded ({problem}).") from None
    labels = {str(label).lower(): int(index) for index, label in classifier.config.id2label.items()}
    wanted = labels.get("contradiction")
    if wanted is None:
        known = ", ".join(labels)
        raise InputError(f"crosscheck.nli_model: {model} has the labels {known}; expected one called contradiction.")

    def contradicts(premise: str, hypothesis: str) -> bool:
        with torch.inference_mode():
            inputs = tokenizer(premise, hypothesis, truncation=True, max_length=512, return_tensors="pt")
            return int(classifier(**inputs).logits[0].argmax()) == wanted

    return contradicts
