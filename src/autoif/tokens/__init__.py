"""What two models think of each token of an answer: the nouns, their colours, and which kinds of token moved.

`autoif.evaluation` reads the log-probabilities, the report and the notebook show them; both know only what is here.
"""

from autoif.tokens.nouns import Comparison, Picture, PicturedAnswer, Reading, Span, Token, read_pictures

__all__ = ["Comparison", "Picture", "PicturedAnswer", "Reading", "Span", "Token", "read_pictures"]
