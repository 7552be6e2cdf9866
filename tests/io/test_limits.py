"""What is refused before memory is spent, or because it leads elsewhere."""

import io
import pickle
import re
import socket
import struct
import subprocess
import sys
import textwrap
import threading
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import fsspec
import joblib
import numpy as np
import pytest
import soundfile
from helpers import encode_video, sine_wav
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_val_score

import skemotion
from skemotion import MediaError, limits
from skemotion.audio import AudioLoader
from skemotion.io import Limits, identity, limits_in_force
from skemotion.pipeline import ClipPipeline
from skemotion.video import VideoLoader, common_frame_size, decode_clip
from skemotion.video._frame_stream import file_frames


def video(n_frames=5, shape=(48, 64), codec="ffv1", container="matroska", **options):
    frames = [np.full(shape, 10 * (level % 20), np.uint8) for level in range(n_frames)]
    return encode_video(frames, codec, container, "yuv420p", container_options=options)


def png(height, width):
    """Encode a picture that is black, as far as it goes."""

    def chunk(kind, data):
        content = kind + data
        return struct.pack(">I", len(data)) + content + struct.pack(">I", zlib.crc32(content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(10**6))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def refused(limit, load, *words):
    """Expect an error that tells the limit, what was found and how to change it."""
    with pytest.raises(MediaError) as caught:
        load()
    message = str(caught.value)
    assert re.match(rf".*: expected a clip within {limit}=.*, found .*\. Leave", message)
    assert f"with skemotion.limits({limit}=" in message
    for word in words:
        assert word in message


def hear(clip):
    return AudioLoader().transform([clip])[0]


# The limits themselves


def test_limits_hold_inside_and_add_up():
    assert limits_in_force() == Limits()
    with limits(max_pixels=5) as inside:
        assert limits_in_force() is inside
        assert inside == Limits(max_pixels=5)
        with limits(max_frames=7, allow_urls=True):
            assert limits_in_force() == Limits(max_pixels=5, max_frames=7, allow_urls=True)
        with limits(allow_urls=True), limits(allow_urls=False):
            assert not limits_in_force().allow_urls
        assert limits_in_force() is inside
    with pytest.raises(MediaError), limits(max_frames=1):
        decode_clip(b"no clip")
    assert limits_in_force() == Limits()
    assert skemotion.limits is limits


@pytest.mark.parametrize(
    "name", ["max_pixels", "max_frames", "max_seconds", "max_bytes", "max_ratio"]
)
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_limits_are_positive_numbers(name, value):
    with (
        pytest.raises(ValueError, match=f"{name} must be a positive number"),
        limits(**{name: value}),
    ):
        pass


@pytest.mark.parametrize("rates", [(0, 5), (10, 5), (-1, 10)])
def test_sample_rates_are_a_range(rates):
    with pytest.raises(ValueError, match="lowest, highest"), limits(sample_rates=rates):
        pass


# Pictures


@pytest.mark.parametrize(
    ("codec", "container"), [("libx264", "mp4"), ("mpeg4", "avi"), ("ffv1", "matroska"),
                             ("flv", "flv"), ("mpeg1video", "mpeg")],
)  # fmt: skip
def test_pixels(codec, container):
    clip = video(2, (192, 256), codec, container)
    with limits(max_pixels=192 * 256):
        assert decode_clip(clip, 2).shape == (2, 64, 85)
    with limits(max_pixels=192 * 256 - 1):
        refused("max_pixels", lambda: decode_clip(clip, 2), "a picture of 192 x 256 pixels")
    with (
        limits(max_pixels=192 * 128 - 1),
        pytest.raises(MediaError, match=r"an enormous|max_pixel"),
    ):
        decode_clip(clip, 2)


def test_pixels_of_a_stream_that_grows():
    small, large = (video(2, shape, "libx264", "h264") for shape in [(144, 192), (192, 256)])
    with limits(max_pixels=192 * 256 - 1):
        refused(
            "max_pixels", lambda: decode_clip(small + large, 4, size=(8, 8)), "192 x 256 pixels"
        )
    with limits(max_pixels=144 * 192), pytest.raises(MediaError, match=r"max_pixels|an enormous"):
        decode_clip(small + large, 4, size=(8, 8))
    assert decode_clip(small + large, 4, size=(8, 8)).shape == (4, 8, 8)


@pytest.mark.parametrize("stride", [None, 2])
@pytest.mark.parametrize(
    ("codec", "container"), [("mpeg4", "mp4"), ("mpeg4", "avi"), ("ffv1", "matroska"),
                             ("flv", "flv"), ("libx264", "h264")],
)  # fmt: skip
def test_frames(codec, container, stride):
    clip = video(5, codec=codec, container=container)
    with limits(max_frames=5):
        assert len(decode_clip(clip, 3, stride=stride)) == 3
    with limits(max_frames=4):
        refused("max_frames", lambda: decode_clip(clip, 3, stride=stride), "frames")


def test_frames_of_a_header_that_claims_less(monkeypatch):
    clip = video()
    monkeypatch.setattr("skemotion.video._decoding._count_frames", lambda source: 2)
    with limits(max_frames=4):
        refused("max_frames", lambda: decode_clip(clip, 3), "more frames")


def test_seconds_of_a_video():
    clip = video(50, shape=(16, 16))
    with limits(max_seconds=2):
        decode_clip(clip, 2)
    with limits(max_seconds=1.9):
        refused("max_seconds", lambda: decode_clip(clip, 2), "a header that claims 2 s")


def test_bytes_of_frames():
    clip = video(5)
    with limits(max_bytes=5 * 16 * 21):
        assert decode_clip(clip, stride=1).shape == (5, 16, 21)
        refused("max_bytes", lambda: decode_clip(clip, stride=1, scale=1), "frames that take more")


# Sound


def test_seconds_of_sound():
    with limits(max_seconds=1):
        assert len(hear(sine_wav(22050))) == 22050
        refused("max_seconds", lambda: hear(sine_wav(2 * 22050)), "a header that claims 2 s")


@pytest.mark.parametrize("claim", [0, 100])
def test_seconds_of_sound_that_its_header_does_not_tell(claim):
    file = io.BytesIO()
    soundfile.write(file, np.sin(np.arange(2 * 22050)) / 2, 22050, format="FLAC")
    content = bytearray(file.getvalue())
    content[22:26] = struct.pack(">I", claim)  # samples in all
    with limits(max_seconds=2):
        assert len(hear(bytes(content))) == 2 * 22050
    with limits(max_seconds=1.9):
        refused("max_seconds", lambda: hear(bytes(content)), "more sound" if claim else "")


def test_bytes_of_sound():
    with limits(max_bytes=20_000):
        assert len(hear(sine_wav(5000))) == 5000
        refused("max_bytes", lambda: hear(sine_wav(5001)), "a longer waveform")


def test_rates_of_sound():
    assert len(hear(sine_wav(100, 1000))) == 2205
    for rate in (999, 1_000_001):
        refused("sample_rates", lambda rate=rate: hear(sine_wav(100, rate)), f"{rate} Hz")
    with limits(sample_rates=(1, 999)):
        assert len(hear(sine_wav(10, 1))) == 220_500


# Claims of any size cost no memory


def test_enormous_claims_are_refused_before_memory_is_spent(tmp_path):
    clip = video(5, codec="ffv1", container="avi")
    at = clip.index(b"strf") + 12
    wide = clip[:at] + struct.pack("<ii", 30_000, 30_000) + clip[at + 8 :]
    film = video(5, codec="mpeg4", container="mp4")
    at = film.index(b"stts") + 12
    long = film[:at] + struct.pack(">I", 2**31 - 1) + film[at + 4 :]
    claims = {
        "picture.png": (png(30_000, 30_000), "an enormous picture"),
        "picture.avi": (wide, "an enormous picture"),
        "frames.mp4": (long, "claims 2147483647 frames|claims .* s"),
        "slow.wav": (sine_wav(5000, 1), "claims 5000 s"),
        "slower.wav": (sine_wav(1500, 1), "1 Hz"),
    }
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (content, _) in claims.items():
            (tmp_path / name).write_bytes(content)
            archive.writestr(name, content)
        archive.writestr("bomb.wav", bytes(2**28))
    patterns = {str(tmp_path / name): pattern for name, (_, pattern) in claims.items()}
    patterns |= {
        f"zip://{name}::{tmp_path}/a.zip": pattern for name, (_, pattern) in claims.items()
    }
    patterns[f"zip://bomb.wav::{tmp_path}/a.zip"] = "max_ratio"
    script = f"""
        import re, resource
        from skemotion import MediaError
        from skemotion.audio import AudioLoader
        from skemotion.video import VideoLoader
        AudioLoader().transform([{sine_wav()!r}])
        VideoLoader().transform([{video(1)!r}])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for clip, pattern in {patterns!r}.items():
            loader = AudioLoader() if "wav" in clip else VideoLoader()
            try:
                loader.transform([clip])
            except MediaError as error:
                assert re.search(pattern, str(error)), error
            else:
                raise AssertionError(clip)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        assert grown < 50, f"{{grown}} MB"
        print("fine")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True
    )
    assert done.stdout == "fine\n", done.stderr


# Members of archives


def archive_of(path, names=("a.wav",), content=None, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name in names:
            archive.writestr(name, sine_wav() if content is None else content)
    return path


@pytest.mark.parametrize(
    "name",
    ["/etc/a.wav", "../a.wav", "b/../../a.wav", "..", "b/..", "\\a.wav", "..\\a.wav", "C:\\a.wav",
     "C:a.wav", "//server/share/a.wav"],
)  # fmt: skip
def test_members_that_lead_out_of_the_archive(tmp_path, name):
    """Whether the archive has such a member or not."""
    path = archive_of(tmp_path / "a.zip", [name, "good.wav"])
    for archive in (path, archive_of(tmp_path / "b.zip")):
        with pytest.raises(MediaError, match=r"a path that leads out of it\. Make"):
            hear(f"zip://{name}::{archive}")
    assert len(hear(f"zip://good.wav::{path}")) == 5000


def test_members_with_dots_in_their_names(tmp_path):
    names = ["a..wav", "..a.wav", "b/...wav", "./a.wav"]
    path = archive_of(tmp_path / "a.zip", names)
    for name in names:
        assert len(hear(f"zip://{name}::{path}")) == 5000


def patched(path, **changes):
    """Change fields of the only member, in its header and in the directory."""
    content = bytearray(path.read_bytes())
    directory = content.rindex(b"PK\x01\x02")
    for field, value in changes.items():
        local, central, form = {
            "flags": (6, 8, "<H"),
            "compression": (8, 10, "<H"),
            "size": (22, 24, "<I"),
        }[field]
        for at in (local, directory + central):
            content[at : at + struct.calcsize(form)] = struct.pack(form, value)
    path.write_bytes(content)


def test_encrypted_members(tmp_path):
    path = archive_of(tmp_path / "a.zip")
    patched(path, flags=1)
    with pytest.raises(MediaError, match=r"a\.zip: expected .* found an encrypted one\. Unpack"):
        hear(f"zip://a.wav::{path}")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_unpack_blocks_of_any_size(tmp_path, compression):
    path = archive_of(tmp_path / "a.zip", compression=compression)
    with pytest.raises(MediaError, match="found another compression"):
        hear(f"zip://a.wav::{path}")


def test_sizes_of_members(tmp_path):
    path = archive_of(tmp_path / "a.zip")
    source, size = f"zip://a.wav::{path}", len(sine_wav())
    with limits(max_bytes=20_000):
        assert len(hear(source)) == 5000
    with limits(max_bytes=size - 1):
        refused("max_bytes", lambda: hear(source), f"a member of {size} bytes")
    for lie in (10, size - 1):  # more is there than is said
        patched(path, size=lie)
        with pytest.raises(MediaError, match="BadZipFile"):
            hear(source)
    patched(path, size=2**32 - 2)
    refused("max_bytes", lambda: hear(source), "a member of 4294967294 bytes")


def test_bombs(tmp_path):
    silence = archive_of(tmp_path / "silence.zip", content=sine_wav()[:44] + bytes(10_000))
    assert not hear(f"zip://a.wav::{silence}").any()  # as compressible, but small
    bomb = archive_of(tmp_path / "bomb.zip", content=bytes(2**26 + 1))
    refused("max_ratio", lambda: hear(f"zip://a.wav::{bomb}"), "67108865 bytes that takes")
    with limits(max_ratio=2000), pytest.raises(MediaError, match="damaged or foreign"):
        hear(f"zip://a.wav::{bomb}")


def test_archives_inside_something_else(tmp_path):
    inner = archive_of(tmp_path / "inner.zip")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(inner, "inner.zip")
    for source in (
        f"zip://a.wav::zip://inner.zip::{tmp_path}/outer.zip",
        f"simplecache::zip://a.wav::{inner}",
        "zip://a.wav",
    ):
        for allow_urls in (False, True):
            message = "one member and its archive"
            with limits(allow_urls=allow_urls), pytest.raises(MediaError, match=message):
                hear(source)


# What leads elsewhere

ELSEWHERE = [
    "http://127.0.0.1:9/a.wav",
    "HTTPS://127.0.0.1:9/a.wav",
    "ftp://127.0.0.1:9/a.wav",
    "s3://bucket/a.wav",
    "gs://bucket/a.wav",
    "sftp://127.0.0.1:9/a.wav",
    "smb://127.0.0.1:9/a/a.wav",
    "github://someone:something@main/a.wav",
    "hf://datasets/a/a.wav",
    "zip://a.wav::http://127.0.0.1:9/a.zip",
    "zip://a.wav::simplecache::http://127.0.0.1:9/a.zip",
    "simplecache::http://127.0.0.1:9/a.wav",
    "filecache::/tmp/a.wav",
    "blockcache::file:///tmp/a.wav",
    "reference://a.wav::http://127.0.0.1:9/a.json",
    "dir::http://127.0.0.1:9/a.wav",
    "tar://a.wav::/tmp/a.tar",
    "libarchive://a.wav::/tmp/a.7z",
    "memory://a.wav",
    "::http://127.0.0.1:9/a.wav",
    "smell://a.wav",
]


@pytest.fixture
def calls(monkeypatch):
    """Note every attempt to reach another machine, and let none succeed."""
    calls = []

    def note(*arguments, **keywords):
        calls.append(arguments)
        raise ConnectionError

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, note)
    for name in ("getaddrinfo", "create_connection", "gethostbyname"):
        monkeypatch.setattr(socket, name, note)
    return calls


@pytest.mark.parametrize("address", ELSEWHERE)
def test_addresses_elsewhere_are_refused(address, calls, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = r"an address that may lead to another\. .*skemotion\.limits\(allow_urls=True\)"
    for open_it in (
        hear,
        decode_clip,
        identity,
        lambda a: ClipPipeline([("load", AudioLoader())], memory="cache").fit_transform([a]),
    ):
        with pytest.raises(MediaError, match=re.escape(address) + ".*" + message):
            open_it(address)
    assert calls == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("address", ["data:audio/wav;base64,UklGRg==", "http:a.wav", "tcp:1.2.3.4"])
def test_what_looks_like_an_address_is_a_name(address, calls):
    with pytest.raises(MediaError, match="no such file"):
        hear(address)
    assert calls == []


@pytest.fixture
def memory():
    """A file system that counts as another machine."""
    system = fsspec.filesystem("memory")
    system.pipe("/clips/a.wav", sine_wav())
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.wav", sine_wav())
    system.pipe("/clips/a.zip", file.getvalue())
    yield
    system.rm("/clips", recursive=True)


def test_addresses_elsewhere_are_opened_where_that_is_allowed(memory, tmp_path):
    sources = ["memory://clips/a.wav", "zip://a.wav::memory://clips/a.zip"]
    with limits(allow_urls=True):
        for waveform in AudioLoader().transform(sources):
            np.testing.assert_array_equal(waveform, hear(sine_wav()))
        pipeline = ClipPipeline([("load", AudioLoader())], memory=tmp_path / "cache", n_jobs=2)
        assert len(pipeline.fit_transform(sources)) == 2
        with pytest.raises(MediaError, match="FileNotFoundError"):
            hear("memory://clips/gone.wav")
        with pytest.raises(MediaError, match="Protocol not known"):
            hear("smell://a.wav")
        for source in sources:
            with limits(max_bytes=len(sine_wav()) - 1):
                refused("max_bytes", lambda source=source: hear(source), "bytes")
    with pytest.raises(MediaError, match="allow_urls"):
        pipeline.transform(sources)


# Play lists and the like, which lead from one local file to another


def test_files_that_lead_to_others_are_refused(tmp_path):
    (tmp_path / "a.ts").write_bytes(video(50, (240, 320), "mpeg2video", "mpegts"))
    assert decode_clip(tmp_path / "a.ts", 2).shape == (2, 80, 106)
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(png(4, 4))
    here = tmp_path.as_posix()
    files = {
        "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\na.ts\n#EXT-X-ENDLIST\n",
        "full.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:{here}/a.ts\n"
        "#EXT-X-ENDLIST\n",
        "list.ffconcat": "ffconcat version 1.0\nfile a.ts\n",
        "list.mp4": "ffconcat version 1.0\nfile a.ts\n",
        "a.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=video 9999 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        "a.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp2t">'
        f'<Representation id="1" bandwidth="1"><BaseURL>file:{here}/a.ts</BaseURL>'
        "</Representation></AdaptationSet></Period></MPD>",
        "%d.png": "",
        "list.txt": "a.ts\n",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.write_text(content or "no picture")
        for source in (path, path.read_bytes()):
            with pytest.raises(MediaError, match="damaged or foreign data"):
                decode_clip(source, 2)


def gif(n_frames, height, width):
    """Tiny frames on a canvas, which a decoder fills anew for each of them."""
    head = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    control = b"\x21\xf9\x04\x04\x0a\0\0\0"
    picture = b"\x2c" + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0\x02\x02\x4c\x01\0"
    return head + (control + picture) * n_frames + b"\x3b"


def test_pixels_of_all_frames(tmp_path):
    canvas = tmp_path / "canvas.gif"
    canvas.write_bytes(gif(20, 1000, 1000))
    assert decode_clip(canvas, 2).shape == (2, 333, 333)
    for load in (
        lambda: decode_clip(canvas, 2),
        lambda: decode_clip(canvas, stride=5),
        lambda: decode_clip(f"{canvas}#t=1.5", 2),
        lambda: list(file_frames(canvas)),
    ):
        with limits(max_decoded_pixels=5 * 10**6):
            refused("max_decoded_pixels", load, "canvas.gif", "frames")
    # Without a number of frames in its header.
    bare = tmp_path / "bare.mkv"
    bare.write_bytes(video(30))
    with limits(max_decoded_pixels=29 * 48 * 64):
        refused("max_decoded_pixels", lambda: decode_clip(bare, 2), "more pixels in 30 frames")


# Workers


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_limits_reach_the_workers(tmp_path, backend):
    (tmp_path / "a.mkv").write_bytes(video())
    clips = [str(tmp_path / "a.mkv")] * 2
    pipeline = ClipPipeline([("load", VideoLoader(2))], n_jobs=2).fit(clips)
    with joblib.parallel_config(backend):
        with limits(max_frames=4), pytest.raises(MediaError, match="max_frames=4"):
            pipeline.transform(clips)
        assert pipeline.transform(clips).shape == (2, 2, 16, 21)


def seconds_by_processes():
    """Return the limit in each of the processes that scikit-learn starts, or has kept."""
    # A lambda comes to the processes as a whole: they cannot import this module.
    return cross_val_score(
        DummyClassifier(), np.zeros((4, 1)), [0, 1, 0, 1], cv=2, n_jobs=2, error_score="raise",
        scoring=lambda *_: __import__("skemotion").io.limits_in_force().max_seconds,
    ).tolist()  # fmt: skip


def test_limits_reach_the_processes_that_scikit_learn_starts():
    assert seconds_by_processes() == [1800, 1800]
    with limits(max_seconds=7):
        assert seconds_by_processes() == [7, 7]
        with limits(max_frames=5), limits(max_seconds=3):
            assert seconds_by_processes() == [3, 3]
        assert seconds_by_processes() == [7, 7]
    assert seconds_by_processes() == [1800, 1800]


def test_different_limits_of_threads_are_not_confused():
    def hold(n_seconds):
        with limits(max_seconds=n_seconds):
            opened.wait(60)
            done.wait(60)

    opened, done = threading.Barrier(2), threading.Barrier(2)
    with ThreadPoolExecutor(1) as threads, limits(max_seconds=7):
        holding = threads.submit(hold, 7)
        opened.wait(60)
        assert seconds_by_processes() == [7, 7]
        done.wait(60)
        holding.result()
        holding = threads.submit(hold, 8)
        opened.wait(60)
        with pytest.raises(pickle.PicklingError) as refused:
            seconds_by_processes()
        done.wait(60)
        holding.result()
        assert "Set n_jobs of the ClipPipeline instead" in str(refused.value.__cause__)
        assert seconds_by_processes() == [7, 7]


def test_the_callers_limits_apply_to_the_size_of_frames(tmp_path):
    clip = tmp_path / "a.mkv"
    clip.write_bytes(encode_video(np.zeros((2, 48, 66), np.uint8)))
    assert common_frame_size([clip]) == (16, 22)
    with limits(max_pixels=48 * 66 - 1), pytest.raises(MediaError, match="None of the clips"):
        common_frame_size([clip])
    with pytest.raises(MediaError, match="may lead to another"):
        common_frame_size(["memory://lost.mkv"])
    with limits(allow_urls=True), pytest.raises(MediaError, match="FileNotFoundError"):
        common_frame_size(["memory://lost.mkv"])
