"""The command, from a model file to the end of its process."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from skemotion import save_model

from .conftest import Visit


@pytest.fixture(scope="module")
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The server's folder of temporary files."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def command(model, port, folder, tmp_path_factory):
    """A server that asks for a password, and its address."""
    path = save_model(model, tmp_path_factory.mktemp("model") / "model.skops")
    words = ["serve", str(path), "--port", str(port), "--auth", "me:secret"]
    server = subprocess.Popen(
        [sys.executable, "-m", "skemotion", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )  # fmt: skip
    address = server.stdout.readline().strip()
    assert address == f"http://127.0.0.1:{port}/"
    yield server, address
    server.kill()
    server.wait()
    server.stdout.close()
    server.stderr.close()


def test_a_password_is_asked_for(command, browser, clips, model):
    context = browser.new_context()
    asked = set()
    context.on("request", lambda request: asked.add(request.url))
    tab = context.new_page()
    tab.goto(command[1])
    tab.fill("input[autocomplete='username'], label:has-text('username') input", "me")
    tab.fill("input[type=password]", "secret")
    tab.click("button:has-text('Login')")
    tab.wait_for_selector("#sk-answer", timeout=60_000)
    tab.click("#sk-recording button[aria-label='Upload file']")
    tab.set_input_files("#sk-recording input[type=file]", str(clips["sad"][0]))
    verdict = tab.wait_for_selector(".sk-verdict", timeout=60_000)
    assert verdict.get_attribute("data-label") == model.predict([str(clips["sad"][0])])[0]
    context.close()
    assert Visit.elsewhere(asked) == []


def test_a_port_that_is_taken_is_an_error_in_words(command, port, model, tmp_path):
    path = save_model(model, tmp_path / "model.skops")
    words = [sys.executable, "-m", "skemotion", "serve", str(path), "--port", str(port)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert f"{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_that_is_ended_leaves_nothing(command, folder):
    server, _ = command
    assert list(folder.glob("skemotion-page-*"))
    server.send_signal(signal.SIGTERM)
    assert server.wait(60) == 143
    assert server.stderr.read() == (
        "skemotion: starting the page; its address follows\n"
        "skemotion: the page is closed; nothing of the recordings is left.\n"
    )
    assert list(folder.glob("skemotion*")) == []


def test_the_program_of_a_space_shows_its_page_and_ends_quietly(model, folder, tmp_path):
    path = save_model(model, tmp_path / "model.skops")
    script = Path(__file__).parents[2] / "examples" / "serving" / "app.py"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    server = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(folder), "MODEL": str(path), "PORT": port},
    )  # fmt: skip
    with server:
        assert server.stdout.readline().strip() == f"http://localhost:{port}/"
        with urlopen(f"http://127.0.0.1:{port}/", timeout=60) as page:
            policy = page.headers["content-security-policy"]
            assert b"Which emotion is it?" in page.read()
        assert "frame-ancestors https://huggingface.co;" in policy
        server.send_signal(signal.SIGTERM)
        _, errors = server.communicate(timeout=60)
    assert server.returncode == 0
    assert "Traceback" not in errors
    assert list(folder.glob("skemotion*")) == []
