import pytest

from autoif.errors import InputError
from autoif.tokens import Comparison, Picture, PicturedAnswer, Reading, Span, Token, read_pictures
from autoif.tokens.shades import level, named, signed, spans_html


def picture(text="é\n"):
    parts = (Token("⟨C3⟩", Reading(-0.5, 1, (("⟨C3⟩", -0.5), (" x", -2.0))), Reading(-1.5, 3, ())),)
    comparison = Comparison("<|user|>\n", (Span(text, parts * 2), Span("!", parts)), ended=False)
    return Picture("id", "Query?", "Shout.", "model", (PicturedAnswer("policy", 0.5, 3.0, 3, comparison),))


def test_a_picture_comes_back_from_its_line(tmp_path):
    path = tmp_path / "pictures.jsonl"
    path.write_bytes(picture().line() + picture("<script>").line())
    assert list(read_pictures(path)) == [picture(), picture("<script>")]
    assert list(read_pictures(tmp_path / "none.jsonl")) == []


def test_a_damaged_line_is_named(tmp_path):
    path = tmp_path / "pictures.jsonl"
    path.write_bytes(picture().line() + b'{"id": 3}\n')
    with pytest.raises(InputError, match=r"pictures\.jsonl:2"):
        list(read_pictures(path))


def test_differences_of_a_span_its_tokens_and_the_whole():
    answer = picture().answers[0]
    assert [span.difference for span in answer.comparison.spans] == [2.0, 1.0]
    assert (answer.comparison.total, answer.comparison.mean, answer.mean) == (3.0, 1.0, 1.0)


def test_shades_are_clipped_and_text_is_escaped():
    assert [level(d) for d in (-9, -1, -0.34, 0.04, 0.5, 3)] == [-10, -10, -3, 0, 5, 10]
    hostile = Comparison("", (Span("<b>&\n", picture().answers[0].comparison.spans[1].tokens),))
    assert spans_html(hostile.spans) == '<span class="p10">&lt;b&gt;&amp;↵\n</span>'


def test_what_cannot_be_seen_is_named():
    assert named(" a\n\t\x1b\u202e") == "␣a↵⇥␛\ufffd"


def test_signs():
    assert [signed(v) for v in (0.314, -1.2, -0.001, 0)] == ["+0.31", "−1.20", "0.00", "0.00"]
    assert signed(-0.0004, 3) == "0.000"
