"""`autoif verify`: the contract of its lines, and hostile files."""

import json

import pytest

from autoif.errors import InputError
from autoif.verify import verify_file

NO_COMMA = "def evaluate(response):\n    return ',' not in response\n"


def write(path, *lines):
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
    return path


def test_verdicts_and_pass_rates_in_the_order_of_the_file(tmp_path):
    hang = "def evaluate(response):\n    while True: pass\n"
    lines = [
        {"id": "slow", "verifiers": [hang, NO_COMMA], "responses": ["a", "a, b"]},
        {"id": 2, "verifiers": [NO_COMMA, "def evaluate(r):\n    return 1"], "responses": ["a", "", "\ud800", "\x00,"]},
        {"id": "none", "verifiers": [], "responses": ["a"]},
        {"id": "empty", "verifiers": ["x ="], "responses": []},
    ]
    found = [json.loads(line) for line in verify_file(write(tmp_path / "f.jsonl", *lines))]
    assert [line["id"] for line in found] == ["slow", 2, "none", "empty"]
    assert found[0] == {
        "id": "slow",
        "verdicts": [["TIMEOUT", "TIMEOUT"], ["TRUE", "FALSE"]],
        "pass_rates": [0.5, 0.0],
    }
    assert found[1]["verdicts"] == [["TRUE", "TRUE", "TRUE", "FALSE"], ["NOT_BOOL"] * 4]
    assert found[1]["pass_rates"] == [0.5, 0.5, 0.5, 0.0]
    assert found[2]["pass_rates"] == [0.0]
    assert found[3]["pass_rates"] == []


@pytest.mark.parametrize(
    "line",
    [b"{", b"\xff\xfe", b"[1]", {"id": "a"}, {"id": "a", "verifiers": [1], "responses": []}, b"[" * 100_000],
)
def test_a_malformed_line_is_named(tmp_path, line):
    good = {"id": "a", "verifiers": [NO_COMMA], "responses": ["x"]}
    with pytest.raises(InputError, match=r"f.jsonl:2: expected"):
        list(verify_file(write(tmp_path / "f.jsonl", good, line)))


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        list(verify_file(tmp_path / "none.jsonl"))
