"""The Python blocks of README.md and docs, run in the order of each page.

A block after ``<!-- skip: reason -->`` is not run: it needs what is not here.
"""

import re
import shutil
import sys
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

from skemotion.datasets import make_ravdess

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]
PACKAGES = sorted(path.parent.name for path in ROOT.glob("skemotion/*/__init__.py"))
# The default recipe's picture needs networks, which are downloaded once.
FACES, NO_FACES = "make_emotion_pipeline(memory=", 'make_emotion_pipeline("audio", memory='
BLOCK = re.compile(r"(?:<!-- (skip: \S.*?) -->\n+)?```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page):
    """Give the line and the code of each block that can be run."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        (text.count("\n", 0, match.start(2)), match[2])
        for match in BLOCK.finditer(text)
        if match[1] is None
    ]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A small corpus, and clips under the names that the pages use."""
    folder = tmp_path_factory.mktemp("docs")
    corpus = make_ravdess(
        folder / "RAVDESS", n_actors=6, emotions=["happy", "sad"], intensities=["normal"],
        n_statements=1, n_repetitions=2, duration=0.5, frame_size=(192, 256),
    )  # fmt: skip
    video, sound = sorted(corpus.rglob("*.mp4")), sorted(corpus.rglob("*.wav"))
    for name, clip in zip(["me.mp4", "one.mp4", "another.avi", "ann.mp4"], video, strict=False):
        shutil.copy(clip, folder / name)
    names = [f"{speaker}_{take}.wav" for speaker in ("ann", "ben", "eve") for take in (1, 2, 3, 4)]
    for name, clip in zip(names, sound[::2], strict=False):
        shutil.copy(clip, folder / name)
    samples = [soundfile.read(clip)[0] for clip in sound[:6]]
    soundfile.write(folder / "interview.wav", np.concatenate(samples), 48000)
    return folder


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)])
def test_the_code_of_a_page_runs(page, files, tmp_path, monkeypatch):
    # Each in a folder of its own: pages write files of one name.
    monkeypatch.chdir(shutil.copytree(files, tmp_path / "docs"))
    module = ModuleType(f"page_{Path(page).stem}")  # where functions on the page say they are from
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few clips, which readers have more of
        for line, code in blocks(page):
            code = code.replace(FACES, NO_FACES)
            exec(compile("\n" * line + code, str(ROOT / page), "exec"), vars(module))


def test_every_mark_belongs_to_a_block():
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        marked = [match[1] for match in BLOCK.finditer(text) if match[1]]
        assert text.count("<!-- skip") == len(marked), page


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_in_the_api_reference(package):
    page = (ROOT / "docs" / "api" / f"{package}.rst").read_text(encoding="utf-8")
    listed = re.findall(r"^   (\w+)$|^\.\. py:data:: (\w+)$", page, re.MULTILINE)
    names = [first or second for first, second in listed]
    assert sorted(names) == sorted(import_module(f"skemotion.{package}").__all__)
    index = (ROOT / "docs" / "api" / "index.rst").read_text(encoding="utf-8")
    assert f"\n   {package}\n" in index


def test_every_page_is_in_the_site():
    parts = [
        (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("index.md", "guide.md")
    ]
    trees = re.findall(r"```{toctree}\n(.*?)```", "".join(parts), re.DOTALL)
    lines = [line for tree in trees for line in tree.splitlines() if line and line[0] != ":"]
    pages = {line.rpartition("<")[2].rstrip(">") for line in lines}
    written = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"}
    assert pages - {"gallery/index", "api/index"} == written


def test_the_readme_is_short_and_its_figures_are_those_of_the_results():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    results = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert readme.count("\n") < 120
    assert readme.count("```mermaid") == 2
    guessing, *bars = re.search(r"^    bar \[(.*)\]$", readme, re.MULTILINE)[1].split(", ")
    assert float(guessing) == 100 / 8
    assert all(f"{bar} %" in results for bar in bars)
