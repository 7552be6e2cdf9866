"""What a developer or a newcomer runs: ``nox -s demo``, ``nox -s tests``, and the rest."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "venv"
# Declared, and not on every machine.
nox.options.error_on_missing_interpreters = False

PROJECT = nox.project.load_toml()
# Those that are declared, and the one that runs this, so that there is always one.
PYTHONS = list(
    dict.fromkeys([*nox.project.python_versions(PROJECT), "{}.{}".format(*sys.version_info[:2])])
)
EXTRAS = "[plot,image,face,onnx,torch,cluster,annotation]"
# Two workers share the cores: threads of their own would only stand in each other's way.
TESTING = {"SCIPY_ARRAY_API": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# What decodes, computes, runs and is saved; the rest depends on its tools' versions as well.
OLDEST = ("tests/io", "tests/audio", "tests/video", "tests/pipeline", "tests/persistence")


def install(session: nox.Session, *groups: str, extras: str = "") -> None:
    """Install the project and what some of its dependency groups name."""
    session.install(f".{extras}", *nox.project.dependency_groups(PROJECT, *groups))


@nox.session
def demo(session: nox.Session) -> None:
    """Run the main job on a synthetic corpus: make, train, evaluate, save, predict."""
    install(session, extras="[plot]")
    session.run("skemotion", "demo", *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests, on the real clips too where they are present."""
    install(session, "tests", extras=EXTRAS)
    # The installed package is tested, not the folder next to it; its docstrings are tests as well.
    # A module's tests stay together, so that what they share is made once.
    session.run("pytest", "-n", "2", "--dist=loadscope", *session.posargs, env=TESTING)


@nox.session
def browser(session: nox.Session) -> None:
    """Drive the page of ``skemotion serve`` in Chromium, which is installed where that may be."""
    if not (shutil.which("chromium") or shutil.which("google-chrome")):
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            session.error("The page is tested in Chromium: sudo apt-get install -y chromium")
        session.run("apt-get", "update", "--quiet", external=True)
        packages = ("--no-install-recommends", "chromium")
        session.run("apt-get", "install", "-y", "--quiet", *packages, external=True)
    install(session, "browser", extras="[app,face]")
    session.run("pytest", *(session.posargs or ["tests/browser"]), env=TESTING)


@nox.session(python=PYTHONS[0])
def oldest(session: nox.Session) -> None:
    """Run the tests with the oldest versions that pyproject.toml allows."""
    session.install("uv")
    pins = Path(session.create_tmp(), "oldest.txt")
    compiling = "uv pip compile pyproject.toml --resolution=lowest-direct --only-binary=:all:"
    extras = [f"--extra={extra}" for extra in ("plot", "image", "onnx", "cluster")]
    here = f"--python-version={session.python}"
    session.run(*compiling.split(), *extras, here, f"--output-file={pins}", silent=True)
    tools = nox.project.dependency_groups(PROJECT, "tests")
    session.install(".[plot,image,onnx,cluster]", *tools, f"--constraint={pins}")
    # What old versions say of their own old parts is no news.
    words = ["-W", "default::DeprecationWarning", *(session.posargs or OLDEST)]
    session.run("pytest", "-n", "2", "--dist=loadscope", *words, env=TESTING)


@nox.session
def build(session: nox.Session) -> None:
    """Build what is published, and try the wheel in an environment that has nothing else."""
    session.install("build", "twine")
    folder = Path(session.create_tmp(), "dist")
    shutil.rmtree(folder, ignore_errors=True)
    session.run("python", "-m", "build", f"--outdir={folder}")
    built = sorted(folder.iterdir())
    session.run("twine", "check", "--strict", *map(str, built))
    clean = Path(session.create_tmp(), "clean").absolute()
    session.run("python", "-m", "venv", "--clear", str(clean))
    python = str(clean / ("Scripts" if sys.platform == "win32" else "bin") / "python")
    session.run(python, "-m", "pip", "install", "--quiet", str(built[0]), external=True)
    # Out of this folder, so that what is tried is what was installed.
    script = Path("tests/smoke.py").absolute()
    with session.chdir(clean):
        session.run(python, "-W", "error", str(script), external=True)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into docs/_build/html, and run the gallery's examples."""
    install(session, "docs", extras="[plot]")
    for made in ("_build", "gallery", "api/generated"):
        shutil.rmtree(Path("docs", made), ignore_errors=True)
    strict = ("-W", "--keep-going")
    session.run("sphinx-build", *strict, "docs", "docs/_build/html", env=TESTING)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the type hints."""
    install(session, "types", extras="[plot]")
    session.run("mypy")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Push thousands of damaged clips, models, cache entries and archives through the package."""
    install(session)
    session.run("python", "tests/fuzz.py", *session.posargs)


@nox.session
def reliability(session: nox.Session) -> None:
    """Count what the tests of odd files and 10,000 mutants come to, into docs/reliability.md."""
    install(session, "tests", extras=EXTRAS)
    page = "--report=docs/reliability.md"
    session.run("python", "tests/reliability.py", page, env=TESTING)
    session.run("python", "tests/fuzz.py", "--mutants=10000", page, *session.posargs, env=TESTING)


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks, each against the plain way and a peer; all of them write a table."""
    install(session, "bench")
    session.run("python", "benchmarks/run_all.py", *session.posargs)


@nox.session
def scale(session: nox.Session) -> None:
    """Take a synthetic corpus from end to end by two recipes, killed twice, and resumed."""
    install(session, extras="[plot,face]")
    session.run("python", "benchmarks/scale_run.py", *session.posargs)


@nox.session
def recordings(session: nox.Session) -> None:
    """Cut hour-long recordings near their ends; predict 2,000 clips, some bad, and resume."""
    install(session)
    session.run("python", "benchmarks/check_recordings.py", *session.posargs)
