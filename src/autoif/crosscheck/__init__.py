"""Which verifiers and test cases of an instruction to believe: pure decisions over executed verdicts.

`votes` is the paper's: verifiers and test cases judge one another. `agreement` believes verifiers of different source
that agree on many texts, and its labels are silent where they do not.
"""

from autoif.crosscheck.agreement import Outlook, agreement, labels, outlook
from autoif.crosscheck.decision import Decision
from autoif.crosscheck.probes import probes
from autoif.crosscheck.trial import Trial, Tried
from autoif.crosscheck.votes import crosscheck

__all__ = ["Decision", "Outlook", "Trial", "Tried", "agreement", "crosscheck", "labels", "outlook", "probes"]
