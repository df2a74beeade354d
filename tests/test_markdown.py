import pytest

from autoif.markdown import LONGEST, block, code

HOSTILE = [
    "plain/name-1.5B",
    "`tick` and ``two``",
    "`",
    "",
    "<script>alert(1)</script>",
    "[a](javascript:alert(1)) ![b](http://evil.example/b.png)",
    "a | b \\| c",
    "line\nbreak\r\n# heading\n---\nlicense: mit",
    "\u202egnp.exe \u2066x\u2069 NUL \x00 ESC \x1b[31m",
    "{{ 7 * 7 }} {% raw %} $x$ :smile: @someone #12",
    "a" * 5_000,
]


@pytest.fixture(scope="module")
def markdown():
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": True}).enable("table")


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_one_span_of_code_in_one_cell(markdown, text):
    tokens = markdown.parse(f"| a | b |\n|---|---|\n| {code(text)} | end |\n")
    cells = [token for token in tokens if token.type == "inline"]
    assert [cell.content for cell in cells[:2]] == ["a", "b"]
    assert len(cells) == 4
    assert [token.type for token in cells[2].children] == ["code_inline"]
    assert cells[3].content == "end"


def test_what_is_shown_is_the_text_and_no_more_than_a_line(markdown):
    shown = markdown.parse(code("org/name_1*2"))[1].children[0].content
    assert shown == "org/name_1*2"
    assert len(code("a" * 5_000)) < LONGEST + 10
    assert not set(code("\u202ea\x00\nb")) & set("\u202e\x00\n")


@pytest.mark.parametrize("text", ["a: 1", "```\n# out\n```", "````` five\n"])
def test_nothing_in_a_block_closes_it(markdown, text):
    tokens = markdown.parse(block(text, "yaml") + "\n\nafter\n")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].content.rstrip() == text.rstrip()
