"""The report: one self-contained HTML file that shows a run to people.

The way of the data: `folder` reads the run directory, `tally` counts what the figures need in the same pass that picks
the examples, `entries` turns records into what the browser of instructions shows, `figures` lays out the drawings, and
`page` fills the templates.
"""

from autoif.report.page import write_report

__all__ = ["write_report"]
