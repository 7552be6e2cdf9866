"""What a developer or a newcomer runs: ``nox -s demo``, ``nox -s tests``, and the rest."""

from __future__ import annotations

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "venv"

PROJECT = nox.project.load_toml()


def install(session: nox.Session, *groups: str, extras: str = "") -> None:
    """Install the project and what some of its dependency groups name."""
    session.install(f".{extras}", *nox.project.dependency_groups(PROJECT, *groups))


@nox.session
def demo(session: nox.Session) -> None:
    """Run the main job on a synthetic corpus: make, train, evaluate, save, predict."""
    install(session, extras="[plot]")
    session.run("skemotion", "demo", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, on the real clips too where they are present."""
    install(session, "tests", extras="[plot,image,onnx,torch,cluster]")
    # The installed package is tested, not the folder beside it; its docstrings are tests as well.
    session.run("pytest", *session.posargs, env={"SCIPY_ARRAY_API": "1"})


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
    """Push thousands of damaged clips through loading."""
    install(session)
    session.run("python", "tests/fuzz.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks, each beside the plain way and the peer; all of them write a table."""
    install(session, "bench")
    session.run("python", "benchmarks/run_all.py", *session.posargs)
