import os
import time

import numpy as np
import pytest

from skemotion import cli
from skemotion.pipeline import ClipCache


@pytest.fixture
def folder(tmp_path):
    """A cache of three entries of about 8 kB, written an hour, a day and a month ago."""
    cache = ClipCache(tmp_path / "cache")
    for number, hours in enumerate((1, 24, 720)):
        key = f"{number:032x}"
        cache.put(key, np.zeros(1000))
        (path,) = cache.folder.glob(f"??/{key}.clip")
        os.utime(path, (time.time() - 3600 * hours - 60,) * 2)
    (cache.folder / "thesis.txt").touch()
    return cache.folder


def run(*words):
    return cli.main(["cache", *map(str, words)])


def test_what_there_is(folder, capsys):
    assert run(folder) == 0
    n_bytes = ClipCache(folder).n_bytes
    assert capsys.readouterr().out == f"{folder}: 3 entries, {n_bytes / 1e6:.1f} MB\n"
    assert run(folder / "gone") == 1
    assert "no such folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "n_removed"),
    [
        (("--older-than", "2w"), 1),
        (("--older-than", "24h"), 2),
        (("--older-than", "86400s"), 2),
        (("--max-bytes", "17KB"), 1),
        (("--max-bytes", "0.01 MB"), 2),
        (("--older-than", "30d", "--max-bytes", "9000"), 2),
        (("--max-bytes", "20GB"), 0),
    ],
)
def test_prune(folder, capsys, words, n_removed):
    assert run(folder, "--prune", *words) == 0
    first, last = capsys.readouterr().out.splitlines()
    counts = ("0 entries", "1 entry", "2 entries", "3 entries")
    assert first.startswith(f"Removed {counts[n_removed]}, ")
    assert last.startswith(f"{folder}: {counts[3 - n_removed]}, ")
    assert (folder / "thesis.txt").exists()


def test_half_an_instruction_removes_nothing(folder, capsys):
    for words in (("--prune",), ("--max-bytes", "1KB")):
        assert run(folder, *words) == 1
        assert "--prune together with --older-than or --max-bytes" in capsys.readouterr().err
    for words in (("--max-bytes", "much"), ("--older-than", "30"), ("--max-bytes", "-1GB")):
        with pytest.raises(SystemExit) as end:
            run(folder, "--prune", *words)
        assert end.value.code == 2
    assert ClipCache(folder).n_entries == 3


def test_a_cache_elsewhere_is_refused(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("s3://bucket/cache") == 1
    assert "expected a folder on this machine" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
