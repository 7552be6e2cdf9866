"""Run what docs/reliability.md says was tested, and write the counts into the page.

``python tests/reliability.py`` runs the tests of odd, damaged and hostile files, and writes a table
of how many passed. What mutants come to is written by
``python tests/fuzz.py --report docs/reliability.md``. Nothing in these tables is typed by hand.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from fuzzing.report import write_block

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"
# What is tested, and by which tests.
TOPICS = {
    "unusual clips: rotated, grey, silent, 192 kHz, misnamed ...": "tests/io/test_odd_clips.py",
    "segments of clips, possible and impossible": "tests/io/test_segments.py",
    "false headers, zip bombs, addresses, playlists": "tests/io/test_limits.py",
    "clips that crash, hang or exhaust memory": "tests/io/test_workers.py",
    "workers: killed, interrupted, stopped, out of step": "tests/io/test_worker_pool.py",
    "steps that fail or kill their worker": "tests/pipeline/test_errors.py",
    "errors and warnings that cannot be shown, sent or read": "tests/pipeline/test_clip_errors.py",
    "a corpus with damaged clips, trained on": "tests/cli/test_cli.py -k damaged_clips",
    "killed runs; truncated, forged and stale cache entries": "tests/pipeline/test_cache.py",
    "model files: damaged, foreign": "tests/persistence/test_model_file.py",
    "model files made to crash or exhaust": "tests/persistence/test_hostile_models.py",
    "model files with parts that no model has": "tests/persistence/test_forged_parts.py",
    "models that load, and fail in the command line": "tests/cli/test_failing_models.py",
    "signals in the middle of training, a terminal that is gone": "tests/cli/test_interrupts.py",
    "the same seed with other processes, workers, orders, caches": "tests/test_reproducible.py",
    "downloads interrupted, corrupted, endless, off-line": "tests/datasets/test_fetch.py",
    "splits that leak": "tests/model_selection/test_audit.py",
}
_HEAD = "| what | tests | passed | skipped | failed | command |\n| --- |" + " ---: |" * 4 + " --- |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--report", type=Path, default=PAGE, help="page to write the counts into")
    args = parser.parse_args()
    rows = [(what, words, *run(words)) for what, words in TOPICS.items()]
    made = table(rows)
    print(made)
    today = datetime.now(UTC).date().isoformat()
    write_block(args.report, "tests", f"`python tests/reliability.py` on {today}:\n\n{made}")
    if any(failed for *_, failed in rows):
        sys.exit("Some tests failed.")


def run(words: str) -> tuple[int, int, int]:
    """Run tests, and return how many passed, were skipped, and failed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tests.xml")
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={path}", *words.split()]
        subprocess.run(command, cwd=ROOT, check=False)
        suites = ElementTree.parse(path).getroot().iter("testsuite")
        counts = [{key: int(s.get(key, 0)) for key in _COUNTED} for s in suites]
    tests, errors, failures, skipped = (sum(c[key] for c in counts) for key in _COUNTED)
    return tests - errors - failures - skipped, skipped, errors + failures


_COUNTED = ("tests", "errors", "failures", "skipped")


def table(rows: list[tuple[str, str, int, int, int]]) -> str:
    """Make a table of topics and how many of their tests passed."""
    lines = [
        f"| {what} | {passed + skipped + failed} | {passed} | {skipped or ''} | {failed} | "
        f"`pytest {words}` |"
        for what, words, passed, skipped, failed in rows
    ]
    return "\n".join([_HEAD, *lines])


if __name__ == "__main__":
    main()
