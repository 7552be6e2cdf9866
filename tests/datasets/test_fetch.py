import hashlib
import io
import json
import socket
import threading
import wave
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pooch
import pytest

from skemotion.datasets import _fetch, fetch_ravdess, load_ravdess
from skemotion.video import LandmarkLoader

AUDIO = "Audio_Speech_Actors_01-24.zip"
ACTORS = range(1, 25)


def archive(*members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, data in members:
            file.writestr(name, data)
    return stream.getvalue()


def wav(seed):
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        noise = np.random.default_rng(seed).integers(-999, 999, 4000, dtype=np.int16)
        file.writeframes(noise.tobytes())
    return stream.getvalue()


LANDMARKS = "FacialTracking_Actors_01-24.zip"
ARCHIVES = {
    AUDIO: archive(
        *((f"Actor_{a:02}/03-01-05-01-01-01-{a:02}.wav", wav(a)) for a in ACTORS),
        ("Actor_01/03-01-01-01-01-01-01.wav", wav(99)),
    ),
    **{
        f"Video_Speech_Actor_{a:02}.zip": archive(
            (f"Actor_{a:02}/01-01-05-01-01-01-{a:02}.mp4", "full"),
            (f"Actor_{a:02}/02-01-05-01-01-01-{a:02}.mp4", "silent"),
        )
        for a in ACTORS
    },
}

TRACKED = archive(
    *((f"Actor_{a:02}/01-01-05-01-01-01-{a:02}.csv", "frame,x_0,y_0\n1,2,3\n") for a in ACTORS)
)


class Zenodo(ThreadingHTTPServer):
    """Serves a record in the form of Zenodo's, and its files."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = ARCHIVES | {LANDMARKS: TRACKED}
        self.asked = []  # name and range of each file asked for
        self.ranges = True
        self.lengths = True
        self.cut = {}  # by name, after how many bytes to hang up, once
        self.status = {}
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.record = {
            "id": 1188976,
            "files": [
                self.published(name, data)
                for name, data in [*ARCHIVES.items(), ("Audio_Song_Actors_01-24.zip", b"song")]
            ],
        }
        self.landmarks = {"id": 3255102, "files": [self.published(LANDMARKS, TRACKED)]}

    def published(self, name, data):
        return {
            "key": name,
            "size": len(data),
            "checksum": f"md5:{hashlib.md5(data).hexdigest()}",
            "links": {"self": f"{self.url}/files/{name}/content"},
        }

    def entry(self, name=AUDIO):
        return next(file for file in self.record["files"] if file["key"] == name)


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        name = self.path.split("/")[2] if self.path.startswith("/files/") else "record"
        record = self.server.landmarks if self.path.endswith("/3255102") else self.server.record
        data, start, status = json.dumps(record).encode(), 0, 200
        if name != "record":
            data, span = self.server.files[name], self.headers["Range"]
            self.server.asked.append((name, span))
            if span and self.server.ranges:
                start, status = int(span.removeprefix("bytes=").removesuffix("-")), 206
        status = self.server.status.get(name, status)
        self.send_response(status)
        if self.server.lengths:
            self.send_header("Content-Length", str(len(data) - start))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        self.wfile.write(data[start:][: self.server.cut.pop(name, None)])


@pytest.fixture
def zenodo(monkeypatch):
    with Zenodo() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setattr(_fetch, "_RECORD", f"{server.url}/api/records/1188976")
        monkeypatch.setattr(_fetch, "_LANDMARKS_RECORD", f"{server.url}/api/records/3255102")
        monkeypatch.setenv("NO_PROXY", "*")
        monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def fetch(tmp_path):
    def fetch(modality="audio", n_retries=0, verbose=False, **settings):
        return fetch_ravdess(
            modality, data_home=tmp_path, n_retries=n_retries, verbose=verbose, **settings
        )

    return fetch


@pytest.fixture
def no_network(monkeypatch):
    def connect(*args):
        raise AssertionError("a connection is made")

    def forbid():
        monkeypatch.setattr(socket.socket, "connect", connect)

    return forbid


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_audio_is_downloaded_once(zenodo, fetch, tmp_path, no_network):
    corpus = fetch()
    assert contents(tmp_path) == {f"ravdess/audio/{AUDIO}": ARCHIVES[AUDIO]}
    assert zenodo.asked == [(AUDIO, None)]
    assert corpus.groups.tolist() == [1, *ACTORS]
    assert corpus.target_names == ["neutral", "angry"]
    assert "CC BY-NC-SA 4.0" in corpus.DESCR
    loaded = load_ravdess(tmp_path / "ravdess" / "audio")
    assert corpus.keys() == loaded.keys()
    pd.testing.assert_frame_equal(corpus.data, loaded.data)
    pd.testing.assert_frame_equal(corpus.metadata, loaded.metadata)
    no_network()
    pd.testing.assert_frame_equal(fetch().data, corpus.data)


def test_video_is_one_archive_per_actor(zenodo, fetch, tmp_path):
    corpus = fetch("video")
    assert [name for name, _ in zenodo.asked] == [n for n in ARCHIVES if n.startswith("Video")]
    assert corpus.groups.tolist() == list(ACTORS)
    assert all("/02-01-05" in address for address in corpus.data["video"])
    assert all("/01-01-05" in address for address in corpus.data["audio"])


@pytest.mark.parametrize("modality", ["audio", "both"])
def test_landmarks_come_from_a_record_of_their_own(zenodo, fetch, tmp_path, no_network, modality):
    corpus = fetch(modality, actors=[3, 7], landmarks=True)
    assert zenodo.asked[-1] == (LANDMARKS, None)
    assert (tmp_path / "ravdess" / "landmarks" / LANDMARKS).read_bytes() == TRACKED
    assert list(corpus.data) == ["video", "audio", "landmarks", "speaker"]
    (first, second) = LandmarkLoader().transform(corpus.data["landmarks"])
    assert first.tolist() == second.tolist() == [[[2, 3]]]
    no_network()
    pd.testing.assert_frame_equal(fetch(modality, actors=[3, 7], landmarks=True).data, corpus.data)
    assert list(fetch(modality, actors=[3, 7]).data) == ["video", "audio", "speaker"]


def test_what_is_there_of_other_calls_makes_no_difference(zenodo, fetch, no_network):
    both = fetch("both", actors=[7, 2, 7])
    assert [name for name, _ in zenodo.asked] == [
        AUDIO,
        "Video_Speech_Actor_02.zip",
        "Video_Speech_Actor_07.zip",
    ]
    assert both.groups.tolist() == [2, 7]
    assert both.target_names == ["angry"]
    assert both.metadata["video_modality"].tolist() == ["video-only"] * 2
    assert both.metadata["audio_modality"].tolist() == ["audio-only"] * 2
    assert both.data.index.tolist() == both.metadata.index.tolist() == [0, 1]
    no_network()
    assert fetch("video", actors=[7]).metadata["audio_modality"].tolist() == ["full"]
    assert fetch("audio", actors=[1]).target.tolist() == ["neutral", "angry"]
    assert fetch("audio").data["video"].isna().all()


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("lengths", [True, False])
def test_broken_off_download_goes_on(zenodo, fetch, tmp_path, ranges, lengths):
    zenodo.ranges, zenodo.lengths = ranges, lengths
    zenodo.cut[AUDIO] = 150_000
    with pytest.raises(ConnectionError, match=rf"{AUDIO}: expected \d+ bytes .* after \d+\. Call"):
        fetch()
    (part,) = contents(tmp_path)
    assert part == f"ravdess/audio/{AUDIO}.part"
    there = (tmp_path / part).read_bytes()
    assert 0 < len(there) <= 150_000
    assert ARCHIVES[AUDIO].startswith(there)
    assert len(fetch().data) == 25
    assert zenodo.asked == [(AUDIO, None), (AUDIO, f"bytes={len(there)}-")]
    assert contents(tmp_path) == {f"ravdess/audio/{AUDIO}": ARCHIVES[AUDIO]}


def test_retries_go_on_within_a_call(zenodo, fetch, tmp_path):
    zenodo.cut[AUDIO] = 150_000
    assert len(fetch(n_retries=1).data) == 25
    (_, first), (_, second) = zenodo.asked
    assert (first, second[:6]) == (None, "bytes=")
    assert contents(tmp_path) == {f"ravdess/audio/{AUDIO}": ARCHIVES[AUDIO]}


# What an earlier download left, and what is asked for then.
@pytest.mark.parametrize(
    ("left", "asked"),
    [
        (ARCHIVES[AUDIO], []),
        (ARCHIVES[AUDIO] + b"more", [None]),
        (ARCHIVES[AUDIO][:-1], [f"bytes={len(ARCHIVES[AUDIO]) - 1}-"]),
        (b"of another file", ["bytes=15-", None]),
        (b"", [None]),
    ],
)
def test_whatever_was_left_the_archive_is_right(zenodo, fetch, tmp_path, left, asked):
    (tmp_path / "ravdess" / "audio").mkdir(parents=True)
    (tmp_path / "ravdess" / "audio" / f"{AUDIO}.part").write_bytes(left)
    fetch(n_retries=1)
    assert [span for _, span in zenodo.asked] == asked
    assert contents(tmp_path) == {f"ravdess/audio/{AUDIO}": ARCHIVES[AUDIO]}


def test_altered_download_is_not_kept(zenodo, fetch, tmp_path):
    zenodo.files[AUDIO] = ARCHIVES[AUDIO][:-1] + b"!"
    with pytest.raises(OSError, match=rf"{AUDIO}: expected the checksum md5:.*found another") as e:
        fetch(n_retries=1)
    assert "\n" not in str(e.value)
    assert contents(tmp_path) == {}
    zenodo.files[AUDIO] = ARCHIVES[AUDIO]
    assert len(fetch().data) == 25
    assert zenodo.asked == [(AUDIO, None)] * 3


@pytest.mark.parametrize("lengths", [True, False])
def test_no_more_is_written_than_was_published(zenodo, fetch, tmp_path, lengths):
    zenodo.lengths = lengths
    zenodo.files[AUDIO] = ARCHIVES[AUDIO] + bytes(10**7)
    with pytest.raises(OSError, match=rf"{AUDIO}/content: expected \d+ bytes at most, as publi"):
        fetch(n_retries=3)
    assert sum(map(len, contents(tmp_path).values())) <= len(ARCHIVES[AUDIO])
    assert len(zenodo.asked) == 1
    zenodo.files[AUDIO] = ARCHIVES[AUDIO]
    assert len(fetch(n_retries=1).data) == 25


def test_a_record_without_end_is_not_read(zenodo, fetch, monkeypatch):
    monkeypatch.setattr(_fetch, "_MOST_OF_RECORD", 100)
    with pytest.raises(OSError, match=r"records/1188976: expected 100 bytes at most"):
        fetch()
    assert zenodo.asked == []


def test_a_download_that_drips_is_given_up(zenodo, fetch, monkeypatch):
    monkeypatch.setattr(_fetch, "_LEAST_RATE", 1e12)
    now = iter(range(0, 10**6, 100))
    monkeypatch.setattr(_fetch.time, "monotonic", lambda: next(now))
    with pytest.raises(ConnectionError, match=r"found a connection that is too slow \(Timeout\)"):
        fetch()


def test_archives_before_the_one_that_fails_are_kept(zenodo, fetch, tmp_path):
    zenodo.status["Video_Speech_Actor_02.zip"] = 503
    with pytest.raises(ConnectionError, match=r"Actor_02\.zip: .* found status 503 after 0\."):
        fetch("video", actors=[1, 2])
    del zenodo.status["Video_Speech_Actor_02.zip"]
    assert fetch("video", actors=[1, 2]).groups.tolist() == [1, 2]
    assert [name[-6:-4] for name, _ in zenodo.asked] == ["01", "02", "02"]


@pytest.mark.parametrize("checksum", [None, "", "md5:", "crc32:12345678", 12])
def test_without_checksum_nothing_is_downloaded(zenodo, fetch, tmp_path, checksum):
    zenodo.entry()["checksum"] = checksum
    with pytest.raises(OSError, match=rf"MD5 checksum of {AUDIO}, found another form .*checksum"):
        fetch()
    assert zenodo.asked == []
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda server: server.entry().pop("checksum"),
        lambda server: server.entry().pop("links"),
        lambda server: server.entry().update(key="other.zip"),
        lambda server: setattr(server, "record", ["no", "record"]),
        lambda server: setattr(server, "record", {"files": None}),
    ],
)
def test_record_of_another_form(zenodo, fetch, change):
    change(zenodo)
    with pytest.raises(OSError, match=r"records/1188976: expected a list of files .* another form"):
        fetch()
    assert zenodo.asked == []


@pytest.mark.parametrize("is_there", [False, True])
def test_no_connection(zenodo, fetch, tmp_path, monkeypatch, is_there):
    if is_there:
        zenodo.status["record"] = 500
    else:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        monkeypatch.setattr(_fetch, "_RECORD", f"http://127.0.0.1:{port}/api/records/1188976")
    found = "status 500" if is_there else r"no connection \(ConnectionError\)"
    with pytest.raises(ConnectionError, match=f"record of RAVDESS, found {found}") as error:
        fetch()
    assert "\n" not in str(error.value)
    assert "https://zenodo.org/records/1188976" in str(error.value)
    assert "pass their folder to load_ravdess" in str(error.value)
    assert contents(tmp_path) == {}


def test_download_if_missing(zenodo, fetch, tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"{AUDIO}: no such archive \(missing: 25\)"):
        fetch("both", download_if_missing=False)
    assert zenodo.asked == []
    fetch()
    assert len(fetch(download_if_missing=False).data) == 25
    assert len(zenodo.asked) == 1


def test_data_home(zenodo, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SKEMOTION_DATA", raising=False)
    fetch_ravdess(verbose=False)
    monkeypatch.setenv("SKEMOTION_DATA", "~/elsewhere")
    fetch_ravdess(verbose=False)
    fetch_ravdess(data_home="~/given", verbose=False)
    assert set(contents(tmp_path)) == {
        f"{folder}/ravdess/audio/{AUDIO}" for folder in ("skemotion_data", "elsewhere", "given")
    }


def test_progress(zenodo, fetch, tmp_path, capfd):
    level = pooch.get_logger().level
    fetch("audio")
    assert capfd.readouterr() == ("", "")
    fetch("video", actors=[1], verbose=True)
    assert "Video_Speech_Actor_01.zip: 100%" in capfd.readouterr().err
    assert pooch.get_logger().level == level


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"modality": "song"}, "modality must be 'audio', 'video' or 'both', got 'song'"),
        ({"actors": [0]}, r"actors must be some of 1 to 24, got \[0\]"),
        ({"actors": []}, "actors must be some of 1 to 24"),
        ({"actors": ["01"]}, "actors must be some of 1 to 24"),
        ({"n_retries": -1}, "n_retries == -1, must be >= 0"),
    ],
)
def test_bad_parameters(fetch, no_network, wrong, message):
    no_network()
    with pytest.raises(ValueError, match=message):
        fetch(**wrong)
