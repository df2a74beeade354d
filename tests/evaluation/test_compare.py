import math
import re
from html import unescape

import pytest

from autoif import chat
from autoif.errors import InputError
from autoif.evaluation.compare import Comparison, Reading, Span, Token, compare
from autoif.evaluation.compare_view import render_html, render_terminal
from autoif.prompts import user

torch = pytest.importorskip("torch", reason="needs the extra `train`")
transformers = pytest.importorskip("transformers", reason="needs the extra `train`")

PROMPT = "Say hello to the world, please."
COMPLETION = "Hello, café 🙂!\n\nBye\ttwice <b>&amp;"


@pytest.fixture(scope="module")
def models(tiny_policy, tiny_llama):
    return str(tiny_policy), str(tiny_llama)


@pytest.fixture(scope="module")
def comparison(models):
    return compare(*models, PROMPT, COMPLETION)


def plain_logprobs(folder, text, count):
    """The plain computation: all logits, log-softmax, the tokens' own entries."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = torch.tensor([chat.encode(tokenizer, text)])
    with torch.no_grad():
        logprobs = model(ids).logits.log_softmax(-1)
    return logprobs[0, :-1].gather(1, ids[0, 1:, None])[-count:, 0].tolist()


def test_equals_a_plain_computation(models, comparison):
    text = f"{comparison.prompt}{COMPLETION}<|eot_id|>"
    count = len(comparison.tokens)
    for folder, ours in zip(models, ("policy", "reference"), strict=True):
        found = [getattr(token, ours).logprob for token in comparison.tokens]
        assert found == pytest.approx(plain_logprobs(folder, text, count), abs=1e-4)
    assert comparison.total == pytest.approx(sum(t.policy.logprob - t.reference.logprob for t in comparison.tokens))
    assert comparison.mean == pytest.approx(comparison.total / count)
    assert abs(comparison.total) > 0.1


def test_the_text_comes_back_whole_with_its_end_of_turn(comparison, tokenizer):
    assert "".join(span.text for span in comparison.spans) == f"{COMPLETION}<|eot_id|>"
    assert comparison.prompt == chat.render(tokenizer, [user(PROMPT)])


def test_tokens_of_one_character_are_one_span(comparison):
    sizes = {span.text: len(span.tokens) for span in comparison.spans}
    assert (sizes["é"], sizes["🙂"], sizes["!"]) == (2, 4, 1)
    assert "\ufffd" not in "".join(sizes)


def test_parts_of_a_character_are_spelled_as_bytes(comparison):
    spelled = {span.text: [token.text for token in span.tokens] for span in comparison.spans}
    assert spelled["é"] == ["⟨C3⟩", "⟨A9⟩"]
    assert spelled["🙂"] == ["⟨F0⟩", "⟨9F⟩", "⟨99⟩", "⟨82⟩"]
    assert (spelled["\n"], spelled[" "], spelled["\t"]) == (["\n"], [" "], ["\t"])
    alternatives = {text for token in comparison.tokens for text, _ in token.policy.alternatives}
    assert not any("\ufffd" in text or "Ã" in text for text in alternatives)


def test_ranks_and_alternatives_agree_with_the_log_probabilities(comparison):
    for token in comparison.tokens:
        for reading in (token.policy, token.reference):
            best = [logprob for _, logprob in reading.alternatives]
            assert best == sorted(best, reverse=True)
            assert len(best) == 4
            assert reading.logprob <= best[0] + 1e-6
            assert (reading.rank == 1) == math.isclose(reading.logprob, best[0], abs_tol=1e-6)


def test_a_model_against_itself_differs_nowhere(models):
    same = compare(models[0], models[0], PROMPT, COMPLETION)
    assert [span.difference for span in same.spans] == [0.0] * len(same.spans)


def test_models_with_other_tokens_are_refused(models, tmp_path):
    other = transformers.AutoTokenizer.from_pretrained(models[1])
    other.add_tokens(["hello"])
    other.save_pretrained(tmp_path)
    transformers.AutoModelForCausalLM.from_pretrained(models[1]).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="different tokens"):
        compare(models[0], str(tmp_path), PROMPT, COMPLETION)


def test_an_empty_completion_is_refused_before_a_model_is_loaded():
    with pytest.raises(InputError, match="completion is empty"):
        compare("nowhere", "nowhere", PROMPT, " \n")


def spans(*pairs):
    def token(difference):
        return Token("t", Reading(difference - 1.0, 1, (("x<y", -1.0),)), Reading(-1.0, 2, ((" z\n", -2.0),)))

    return Comparison("prompt ", tuple(Span(text, (token(difference),)) for text, difference in pairs))


def test_terminal_colours_by_sign_and_clips():
    text = render_terminal(spans(("more", 1.0), ("most", 7.0), ("less", -0.5), ("same", 0.0)))
    styles = {text.plain[s.start : s.end]: str(s.style) for s in text.spans}
    assert styles.keys() == {"more", "most", "less"}
    assert styles["more"] == styles["most"] == "black on rgb(64,180,99)"
    assert re.fullmatch(r"black on rgb\(2[34]\d,1[67]\d,16\d\)", styles["less"])
    assert text.plain.endswith("sum +7.500 nats over 4 tokens, mean +1.8750 a token\n")


def test_terminal_shows_line_ends_and_obeys_no_control_character():
    from rich.console import Console

    console = Console(width=200, force_terminal=True, color_system="truecolor")
    with console.capture() as capture:
        console.print(render_terminal(spans(("a\nb", 1.0), ("\x1b]0;owned\x07", -1.0), ("[bold]", 1.0))))
    shown = capture.get()
    assert "a↵" in shown
    assert "␛]0;owned␇" in shown
    assert "[bold]" in shown
    assert "\x1b]" not in shown
    assert "\x07" not in shown


def test_html_is_self_contained_escaped_and_coloured_by_class():
    page = render_html(spans(('<script>alert("x")</script>', 0.3), ("b\n", -9.0), ("\x00", 0.0)))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert 'class="p3"' in page
    assert 'class="m10"' in page
    assert 'class="p0"' in page
    assert " style=" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert "\x00" not in page
    assert "b↵\n</span>" in page
    title = unescape(re.search(r'title="([^"]*)"', page)[1])
    assert "policy: -0.7000, rank 1; likeliest 'x<y' -1.00" in title
    assert "reference: -1.0000, rank 2; likeliest ' z\\n' -2.00" in title


def test_a_table_tells_all_numbers_without_hovering():
    comparison = spans(("<b>", 0.3), ("b\n", -9.0))
    rows = re.findall(r"<tr>(<td>.*)</tr>", render_html(comparison))
    cells = [[unescape(cell) for cell in re.findall(r"<td>(.*?)</td>", row)] for row in rows]
    assert [row[:4] for row in cells] == [
        [repr(token.text), f"{token.difference:+.4f}", f"{token.policy.logprob:.4f}", str(token.policy.rank)]
        for token in comparison.tokens
    ]
    assert [row[5] for row in cells] == [f"{token.reference.logprob:.4f}" for token in comparison.tokens]


def test_the_policy_of_the_page_allows_its_own_style_only():
    import base64
    import hashlib

    page = render_html(spans(("a", 1.0)))
    style = re.search(r"<style>(.*)</style>", page)[1]
    allowed = re.search(r"content=\"default-src 'none'; style-src 'sha256-([^']+)'\"", page)[1]
    assert base64.b64decode(allowed) == hashlib.sha256(style.encode()).digest()
    assert ".p10{background:rgb(64,180,99)}" in style
    assert ".m10{background:rgb(229,83,75)}" in style
