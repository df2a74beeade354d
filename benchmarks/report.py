"""The report of a run with 10k instructions and 80k completions: time, memory, size, first paint and search.

Run `python benchmarks/report.py [INSTRUCTIONS]`. First paint and search are measured where Chromium and playwright are.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parent.parent / "tests" / "report"
BUILD = """
import sys, time, resource
from pathlib import Path
from autoif.report import write_report
began = time.perf_counter(), time.process_time()
size = write_report(Path(sys.argv[1])).stat().st_size
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
print(f"report: {wall:.1f} s ({cpu:.1f} s of processor time), peak memory {peak:.0f} MB, file {size / 1e6:.2f} MB")
"""
TIME_SEARCH = """(words) => {
  const find = document.getElementById("find");
  const times = [];
  for (const word of words) {
    find.value = word;
    const began = performance.now();
    search();
    times.push(performance.now() - began);
  }
  return times;
}"""


def main() -> None:
    instructions = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    sys.path.insert(0, str(TESTS))
    from fake_run import write_run

    with tempfile.TemporaryDirectory() as folder:
        run = write_run(Path(folder) / "run", queries=instructions, samples=11)  # for the 5 of 7 that are trained on
        subprocess.run([sys.executable, "-c", BUILD, str(run)], check=True)
        if chromium := shutil.which("chromium"):
            measure(run / "report.html", chromium)


def measure(page_file: Path, chromium: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(page_file.as_uri())
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        times = page.evaluate(TIME_SEARCH, ["water", "water bread", "evaluate", "nothing like this", "a"])
        browser.close()
    print(
        f"first paint: {paint:.0f} ms; searches: {', '.join(f'{t:.0f}' for t in times)} ms (the first builds the index)"
    )


if __name__ == "__main__":
    main()
