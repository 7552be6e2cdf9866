import http.server
import io
import os
import re
import struct
import threading
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from helpers import sine_wav

from skemotion import MediaError
from skemotion.io import _media, clip_name, identity, open_stream


def count(source, kind="audio"):
    """Decode all of a clip's sound."""
    with open_stream(source, kind) as (container, stream):
        return sum(frame.samples for frame in container.decode(stream))


def assert_refused(source, *words, kind="audio"):
    """Expect an error that names the clip, and what was expected and found."""
    with pytest.raises(MediaError) as caught:
        count(source, kind)
    message = str(caught.value)
    assert message.startswith(f"{clip_name(source)}: expected ")
    assert "\n" not in message
    for word in ("found", *words):
        assert word in message


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.wav"
    path.write_bytes(sine_wav())
    return path


def test_error_is_a_value_error():
    assert issubclass(MediaError, ValueError)


def test_names():
    assert clip_name("zip://a.wav::b.zip") == "zip://a.wav::b.zip"
    assert clip_name(Path("x") / "y.wav") == str(Path("x") / "y.wav")
    for content in (b"abc", bytearray(b"abc"), memoryview(b"abc")):
        assert clip_name(content) == "<3 bytes in memory>"
    assert clip_name(np.zeros((2, 3))) == "<array of shape (2, 3)>"
    assert clip_name(None) == "None"
    assert clip_name("") == "''"


def test_paths_addresses_and_bytes(clip, tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(clip, "folder/über.wav")
    monkeypatch.chdir(tmp_path)
    sources = [
        clip,
        str(clip),
        "clip.wav",
        f"file://{clip}",
        f"zip://folder/über.wav::{tmp_path / 'a.zip'}",
        "zip://folder/über.wav::a.zip",
        sine_wav(),
    ]
    assert [count(source) for source in sources] == [5000] * len(sources)


def test_what_is_not_there(clip, tmp_path):
    assert_refused(tmp_path / "gone.wav", "no such file", "Check the path")
    assert_refused(tmp_path, "found a folder")
    (tmp_path / "empty.wav").touch()
    assert_refused(tmp_path / "empty.wav", "found an empty one")
    assert_refused(f"zip://a.wav::{tmp_path / 'gone.zip'}", "no such file")
    assert_refused(f"file://{tmp_path / 'gone.wav'}", "no such file")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("empty.wav", b"")
    assert_refused(f"zip://gone.wav::{tmp_path / 'a.zip'}", "gone.wav")
    assert_refused(f"zip://empty.wav::{tmp_path / 'a.zip'}", "found an empty one")
    assert_refused(f"zip://a.wav::{clip}", "BadZipFile")
    assert_refused("x" * 3000 + ".wav")


def test_damaged_data(tmp_path):
    for name, content in {"text.wav": b"no sound at all " * 99, "noise.wav": bytes(999)}.items():
        (tmp_path / name).write_bytes(content)
        assert_refused(tmp_path / name, "damaged or foreign data")
    assert_refused(b"RIFF", "damaged or foreign data")


def test_archives_that_cannot_be_unpacked(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.wav", sine_wav(20_000))
    whole = path.read_bytes()
    directory = whole.rindex(b"PK\x01\x02")

    def rewritten(changes):
        content = bytearray(whole)
        for at, value in changes.items():
            content[at : at + len(value)] = value
        path.write_bytes(content)
        return f"zip://a.wav::{path}"

    assert_refused(rewritten({60: b"\xff" * 8}))  # zlib stumbles
    assert_refused(rewritten({directory - 40: b"\xff" * 8}))  # the checksum tells, or zlib does
    assert_refused(rewritten({6: b"\1", directory + 8: b"\1"}), "encrypted")
    assert_refused(rewritten({8: b"\x61", directory + 10: b"\x61"}), "compression")
    path.write_bytes(whole[:500])
    assert_refused(f"zip://a.wav::{path}", "BadZipFile")


def test_the_stream_that_is_wanted(clip, shared_data):
    assert_refused(clip, "a picture", "no video stream", "streams: audio", kind="video")
    silent = shared_data / "clips" / "test.mp4"
    assert_refused(silent, "sound", "no audio stream", "streams: video")
    with open_stream(silent, "video") as (_, stream):
        assert stream.type == "video"


def test_names_that_look_like_protocols(tmp_path):
    for name in ("concat:a.wav|b.wav", "data:audio.wav", "%03d.wav", "pipe:.wav", "a,b;c.wav"):
        (tmp_path / name).write_bytes(sine_wav())
        assert count(tmp_path / name) == 5000


def test_text_in_any_encoding_does_no_harm():
    # An INFO chunk of Latin-1, as many editors write it.
    title = "Gefühl\0".encode("latin-1") + b"\0"
    info = b"INFOINAM" + struct.pack("<I", len(title)) + title
    assert count(sine_wav(chunks=b"LIST" + struct.pack("<I", len(info)) + info)) == 5000


def test_play_lists_do_not_lead_to_the_network(tmp_path):
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

    path = tmp_path / "list.m3u8"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/a.ts"
        path.write_text(
            f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{address}\n#EXT-X-ENDLIST\n"
        )
        assert_refused(path)
        assert_refused(path.read_bytes())
        server.shutdown()
    assert asked == []


def test_errors_of_the_user_pass(clip):
    def fail():
        with open_stream(clip, "audio"):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail()


def test_files_are_closed(clip):
    with open_stream(clip, "audio") as (container, stream):
        next(container.decode(stream))
    with pytest.raises(AssertionError, match="Container is not open"):
        list(container.decode(audio=0))
    clip.unlink()


def test_decoding_errors_name_the_clip():
    file = io.BytesIO()
    with av.open(file, "w", format="adts") as output:
        stream = output.add_stream("aac", rate=22050, layout="mono")
        for start in range(0, 20 * 1024, 1024):
            frame = av.AudioFrame.from_ndarray(
                np.sin(np.arange(start, start + 1024)[np.newaxis] / 9).astype(np.float32),
                "fltp",
                "mono",
            )
            frame.sample_rate, frame.pts = 22050, start
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    content = bytearray(file.getvalue())
    second_half = len(content) // 2
    content[second_half:] = re.sub(rb"[^\xff\xf1]", b"\x55", bytes(content[second_half:]))
    assert_refused(bytes(content), "damaged or foreign data")


def test_identity_of_files(clip, tmp_path, monkeypatch):
    first = identity(clip)
    monkeypatch.chdir(tmp_path)
    assert identity(str(clip)) == identity("clip.wav") == identity(Path("clip.wav")) == first
    other = tmp_path / "other.wav"
    other.write_bytes(clip.read_bytes())
    status = clip.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert identity(other) != first
    os.utime(clip, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    touched = identity(clip)
    assert touched != first
    clip.write_bytes(clip.read_bytes() + b"0")
    os.utime(clip, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert identity(clip) not in (first, touched)


def test_identity_of_members_of_archives(clip, tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(clip, "a.wav")
        archive.write(clip, "b.wav")
    members = [f"zip://{name}.wav::{path}" for name in "ab"]
    before = [identity(member) for member in members]
    assert before[0] != before[1]
    assert before == [identity(member) for member in members]
    assert identity(f"zip://a.wav::file://{path}")[2:] == before[0][2:]
    with zipfile.ZipFile(path, "a") as archive:
        archive.write(clip, "c.wav")
    assert not set(before) & {identity(member) for member in members}


def test_identity_of_contents():
    assert identity(b"abc") == identity(bytes([97, 98, 99])) != identity(b"abd")
    assert identity(b"abc") == identity(bytearray(b"abc")) == identity(memoryview(b"abc"))
    array = np.arange(6.0)
    others = [array + 1, array.astype(np.float32), array.reshape(2, 3), array[:5]]
    assert identity(array) == identity(array.copy())
    assert len({identity(item) for item in [array, *others]}) == 5
    # A path is no content.
    assert identity(b"a") != identity(np.array("a"))


@pytest.mark.parametrize("name", ["gone.wav", "zip://a.wav::gone.zip", "file://gone.wav", "a\0b"])
def test_identity_of_nothing(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MediaError, match=r": expected a media file, found .*Check the path\."):
        identity(name)


def test_a_first_look_at_a_sound_file_is_short(tmp_path, monkeypatch):
    """FFmpeg's own look at plain samples reads megabytes of them, which took most of the time."""
    path = tmp_path / "long.wav"
    samples = np.zeros(2_000_000, dtype=np.int16)
    soundfile.write(path, samples, 48000)
    n_read = []

    class Counting(io.BytesIO):
        def read(self, size=-1):
            content = super().read(size)
            n_read.append(len(content))
            return content

    monkeypatch.setattr(_media, "open_input", lambda source, name: Counting(path.read_bytes()))
    with open_stream(path, "audio"):
        assert sum(n_read) < 200_000
