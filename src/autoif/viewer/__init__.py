"""`autoif view`: a run at full size in a browser, while it is going on or afterwards. Reads, and never writes.

`lines` finds its way in one file, `shelf` in all of a run's, `listing` makes the pages of a stage and `family` that of
a record; `pages` says what each address shows, and `app` is the server around them. The look, the words and the
escaping are those of `autoif.report`.
"""

from autoif.viewer.serve import serve

__all__ = ["serve"]
