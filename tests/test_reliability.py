"""docs/reliability.md says what was run, and mutants of ``tests/fuzz.py`` are used or refused."""

import itertools
import re
from importlib import import_module

import numpy as np
import pytest
from fuzzing import workers
from fuzzing.report import BAD, GOOD, read_block, table, write_block
from reliability import PAGE, ROOT, TOPICS

CELL = re.compile(r"\s*\|\s*")


def rows(block):
    """Give the cells of a table's rows, and its head."""
    lines = [CELL.split(line.strip())[1:-1] for line in block.splitlines() if line.startswith("|")]
    return lines[0], lines[2:]


def test_tests_of_the_page_are_those_that_are_run():
    head, found = rows(read_block(PAGE, "tests"))
    assert head == ["what", "tests", "passed", "skipped", "failed", "command"]
    assert [(row[0], row[-1]) for row in found] == [(w, f"`pytest {c}`") for w, c in TOPICS.items()]
    for row in found:
        n_tests, passed, skipped, failed = (int(cell or 0) for cell in row[1:5])
        assert n_tests == passed + skipped
        assert passed > 0
        assert failed == 0


def test_mutants_of_the_page_are_those_that_are_made():
    block = read_block(PAGE, "fuzz")
    head, found = rows(block)
    assert head[:3] == ["file", "damage", "mutants"]
    assert head[-len(BAD) :] == list(BAD.values())
    assert set(head[3 : -len(BAD)]) <= set(GOOD.values())
    modules = {kind: import_module(name) for kind, name in workers.KINDS.items()}
    made = [(kind, damage) for kind in sorted(modules) for damage in sorted(modules[kind].DAMAGES)]
    assert [(row[0], row[1]) for row in found[:-1]] == made
    totals = [int(cell.strip("*").replace(",", "")) for cell in found[-1][2:]]
    assert totals[0] == sum(totals[1:]) >= 10_000
    assert totals[-len(BAD) :] == [0] * len(BAD)
    assert re.match(
        r"`python tests/fuzz\.py --mutants \d+ --seed \d+` on 20\d\d-\d\d-\d\d: ", block
    )


def test_tests_that_the_page_names_exist():
    page = PAGE.read_text(encoding="utf-8")
    for path in set(re.findall(r"tests/[\w/]+\.py", page)):
        assert (ROOT / path).is_file(), path
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    for name in set(re.findall(r"`(test_\w+)`", page)):
        assert f"def {name}(" in source, name


def test_blocks_are_replaced(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- a: generated, do not edit -->\nold\n<!-- a: end -->\nafter\n")
    made = table({("media", "cut", "used"): 1200, ("cache", "place", "crash"): 1})
    for _ in range(2):
        write_block(page, "a", made)
    assert read_block(page, "a") == made
    assert page.read_text().startswith("before\n<!--")
    assert page.read_text().endswith("end -->\nafter\n")
    assert "| cache | place | 1 |  | 1 |" in made
    assert "| **all** | | **1,201** | **1,200** | **1** | **0** |" in made
    with pytest.raises(ValueError, match="expected the lines '<!-- b: generated"):
        write_block(page, "b", "")


@pytest.mark.parametrize(("kind", "n_mutants"), [("cache", 16), ("archive", 12)])
@pytest.mark.filterwarnings("ignore")
def test_mutants_are_used_or_refused(kind, n_mutants, tmp_path):
    """A few of those that ``nox -s fuzz`` makes by thousands, here."""
    trial = import_module(workers.KINDS[kind])
    trial.prepare()
    for mutant in itertools.islice(trial.mutants(tmp_path, np.random.default_rng(0)), n_mutants):
        assert mutant.damage in trial.DAMAGES
        path = tmp_path / mutant.name
        path.write_bytes(mutant.content)
        assert trial.attempt(path, mutant.extra) in GOOD, mutant.damage


def test_what_a_mutant_must_not_do_is_noticed(monkeypatch, tmp_path):
    monkeypatch.setattr(workers, "_watched", True)
    monkeypatch.setattr(workers, "_did", [])
    monkeypatch.setattr(workers, "_own", [str(tmp_path)])
    workers._watch("os.remove", (str(tmp_path / "own"), -1))
    workers._watch("open", ("/etc/hostname", "r", 0))
    assert workers._did == []
    workers._watch("os.system", (b"true",))
    assert workers._did == ["os.system(b'true',)"]
