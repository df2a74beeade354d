"""Seeds about commas, marks, brackets and dashes."""

from autoif.seeds.seed import Seed

SEEDS = (
    Seed(
        name="no_commas",
        kind="punctuation",
        query="What makes sourdough bread taste sour?",
        instruction="Do not use any commas.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Other scripts have commas of their own; an empty answer does not follow.
    return bool(response.strip()) and not any(comma in response for comma in ",，、،")
""",
        cases=lambda: [
            ("Wild yeast and bacteria live in the dough. The bacteria make acid and that tastes sour.", True),
            ("It is the lactic acid.", True),
            ("Bacteria make acid, and that tastes sour.", False),
            ("Flour, water, salt and time.", False),
        ],
        boundary=lambda: [("Acids: 1,000 of them", False), ("Acids; many of them.", True), (" \n", False)],
    ),
    Seed(
        name="exactly_n_exclamation_marks",
        kind="punctuation",
        query="Congratulate a friend on passing the driving test.",
        instruction="Use exactly $n exclamation marks in your reply, no more and no fewer.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Every sign counts, also in "!!" and "?!".
    return response.count("!") + response.count("！") == $n
""",
        parameters={"n": (2, 3, 4)},
        cases=lambda n: [
            ("You did it" + "! Great" * n + " news.", True),
            ("Congratulations. I am so happy for you.", False),
            ("Well done" + "!" * n + " Drive safely.", True),
            ("Hooray! " * (n + 2), False),
        ],
        boundary=lambda n: [
            ("Really?! " * n, True),
            ("Yes! " * (n - 1), False),
            ("Yes! " * (n + 1), False),
        ],
    ),
    Seed(
        name="no_question_or_exclamation_marks",
        kind="punctuation",
        query="Reply to a customer who is angry about a late delivery.",
        instruction="Stay calm in tone: no exclamation marks and no question marks at all.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Both signs are ruled out, also inside a quotation; an empty answer does not follow.
    return bool(response.strip()) and not any(c in "!?！？¡¿" for c in response)
""",
        cases=lambda: [
            ("I am sorry about the delay. Your parcel arrives on Tuesday and the postage is on us.", True),
            ("Thank you for writing. We have sent a new one.", True),
            ("I am so sorry! Your parcel arrives on Tuesday.", False),
            ("Could you send me your order number?", False),
        ],
        boundary=lambda: [('You asked "where is it?" and I see why.', False), ("Sorry: late.", True), ("", False)],
    ),
    Seed(
        name="only_exclamations",
        kind="punctuation",
        query="Tell me why I should start running.",
        instruction=(
            "Sound excited. End every line and every sentence with an exclamation mark, "
            "and use no full stops (not even in numbers) and no question marks."
        ),
        verifier=r"""
def evaluate(response: str) -> bool:
    # Without full stops and question marks, sentences inside a line can only end with "!".
    if "." in response or "?" in response or "…" in response:
        return False
    # The last letter, digit or stop of each line tells how it ends; quotes and emoji may follow it.
    ends = [[c for c in line if c.isalnum() or c == "!"][-1:] for line in response.splitlines()]
    ends = [end for end in ends if end]
    return bool(ends) and all(end == ["!"] for end in ends)
""",
        cases=lambda: [
            ("It makes you strong! It clears your head! And it costs nothing!", True),
            ("Run today! You will love it!", True),
            ("It makes you strong! It clears your head.", False),
            ("Why not? It is fun!", False),
            ("Running is good for you.", False),
        ],
        boundary=lambda: [
            ("Go for it! 🎉", True),
            ("Run!\nYou will love it", False),
            ("Run 2.5 miles!", False),
            ('"Run!"\n\n(Now!)', True),
        ],
    ),
    Seed(
        name="at_least_n_semicolons",
        kind="punctuation",
        query="Compare living in a city with living in a village.",
        instruction="Work in at least $n semicolons.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Semicolons alone would be no answer, so ask for a letter as well.
    return response.count(";") >= $n and any(c.isalpha() for c in response)
""",
        parameters={"n": (2, 3)},
        cases=lambda n: [
            ("A city is loud; a village is quiet; one offers work; the other offers stars.", True),
            ("A city is loud, and a village is quiet.", False),
            ("Cities have jobs" + "; villages have trees" * n + ".", True),
            ("Cities: jobs. Villages: trees.", False),
        ],
        boundary=lambda n: [
            ("Cities are loud" + "; some sleep" * n, True),
            ("Cities are loud" + "; some sleep" * (n - 1), False),
            (";" * n, False),
        ],
    ),
    Seed(
        name="n_remarks_in_brackets",
        kind="punctuation",
        query="Recommend a day trip by train.",
        instruction="Add at least $n side remarks in round brackets (like this).",
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # A remark is an opening and a closing bracket with a letter between them.
    # The "1)" of a list and the smiley ":)" have no opening bracket, so they are no remarks.
    # Neither are the target of a link, the "(s)" glued to a word, or the arguments of a function.
    remarks = re.findall(r"(?<![\w\])])\(([^()]*)\)", response)
    return sum(any(c.isalpha() for c in remark) for remark in remarks) >= $n
""",
        parameters={"n": (2, 3)},
        cases=lambda n: [
            ("Take the early train (it is quiet), walk by the lake (bring shoes) and eat fish (it is fresh).", True),
            ("Take the early train and walk by the lake.", False),
            ("Go to the coast" + " (it is lovely)" * n + ".", True),
            ("Go to the coast [it is lovely] and eat fish - it is fresh.", False),
        ],
        boundary=lambda n: [
            ("Go" + " (now)" * (n - 1) + " ().", False),
            ("Go" + " (now)" * (n - 1) + " by train(s), [see here](www.rail.org).", False),
            ("Go" + " (now)" * (n - 1) + " there :)", False),
            ("Go" + " (now)" * (n - 1) + "\n(or\nlater)", True),
        ],
    ),
    Seed(
        name="no_apostrophes",
        kind="punctuation",
        query="Why is the sky blue?",
        instruction="Avoid contractions, and use no apostrophes or single quotation marks anywhere.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # English contractions need an apostrophe, straight or curly, so it is enough to look for the sign.
    return any(c.isalpha() for c in response) and not any(c in "'’‘`´ʼ" for c in response)
""",
        cases=lambda: [
            ("Air scatters blue light more than red light. It does not matter where you look.", True),
            ("The air does it.", True),
            ("It's the air: blue light scatters more.", False),
            ("The sky’s colour comes from the air.", False),
        ],
        boundary=lambda: [("It is called 'scattering'.", False), ('It is called "scattering".', True), ("", False)],
    ),
    Seed(
        name="no_dashes",
        kind="punctuation",
        query="Give me tips for a long flight with a baby.",
        instruction="Write without any hyphens or dashes, not even in lists or compound words.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Hyphen, minus, en dash, em dash and their relatives.
    dashes = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
    return any(c.isalpha() for c in response) and not any(c in dashes for c in response)
""",
        cases=lambda: [
            ("Book a night flight. Bring snacks and a new toy. Walk in the aisle.", True),
            ("1. Bring snacks\n2. Bring toys", True),
            ("- Bring snacks\n- Bring toys", False),
            ("Bring a well-loved toy.", False),
            ("Bring snacks — many.", False),
        ],
        boundary=lambda: [("Feed at take–off.", False), ("Feed at take_off.", True), ("It is -5 outside.", False)],
    ),
    Seed(
        name="quoted_word",
        kind="punctuation",
        query="What does it mean when investors speak of a bear market?",
        instruction="Put at least $n words or phrases between double quotation marks.",
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # Curly quotation marks are fine too, so make them straight first.
    text = response.replace("“", '"').replace("”", '"').replace("„", '"')
    # Pair the marks from left to right; something with a letter or a digit has to stand between them.
    phrases = re.findall(r'"([^"\n]*)"', text)
    return sum(any(c.isalnum() for c in phrase) for phrase in phrases) >= $n
""",
        parameters={"n": (2, 3)},
        cases=lambda n: [
            ('A "bear market" is a fall of a fifth; the opposite is a "bull market", after a "rally".', True),
            ("A bear market is a fall of a fifth.", False),
            ("Prices fall" + " “a lot”" * n + ", they say.", True),
            ("A 'bear market' is a 'long fall' of 'prices'.", False),
        ],
        boundary=lambda n: [
            ("It" + ' "falls"' * n, True),
            ("It" + ' "falls"' * (n - 1) + ' ""', False),
            ("It" + ' "falls"' * (n - 1) + ' for 5" or so', False),
        ],
    ),
)
