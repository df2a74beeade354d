"""The one place where model-written code runs. See docs/security.md for what it contains and what it does not."""

from autoif.sandbox.capabilities import Capabilities, capabilities
from autoif.sandbox.jobs import Job, Result, Verdict
from autoif.sandbox.parent import Sandbox

__all__ = ["Capabilities", "Job", "Result", "Sandbox", "Verdict", "capabilities"]
