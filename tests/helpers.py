"""What several test modules make clips with; ``pythonpath`` in pyproject.toml leads here."""

import io
import struct
import zipfile
from fractions import Fraction
from pathlib import Path

import av
import librosa
import numpy as np
import soundfile


def encode_video(
    frames, codec="ffv1", container="matroska", pixel_format="gray", *, pts=None,
    codec_options=None, container_options=None, **context,
):  # fmt: skip
    """Encode grey, RGB or RGBA frames, without loss where the codec can."""
    file = io.BytesIO()
    with av.open(file, "w", format=container, options=container_options or {}) as output:
        stream = output.add_stream(codec, rate=25, options=codec_options or {})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixel_format
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        for number, picture in enumerate(frames):
            form = {(): "gray", (3,): "rgb24", (4,): "rgba"}[picture.shape[2:]]
            frame = av.VideoFrame.from_ndarray(picture, format=form)
            if pts is not None:
                frame.pts, frame.time_base = pts[number], Fraction(1, 1000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return file.getvalue()


def encode_wav(samples, rate=22050, chunks=b""):
    """Encode samples of shape (n_samples[, n_channels]): int16 as they are, others as float32."""
    samples = np.asarray(samples)
    kind, dtype = (1, "<i2") if samples.dtype == np.int16 else (3, "<f4")
    samples = samples.astype(dtype).reshape(len(samples), -1)
    n_channels, n_bytes, data = samples.shape[1], samples.itemsize, samples.tobytes()
    frame = n_channels * n_bytes
    head = struct.pack("<IHHIIHH", 16, kind, n_channels, rate, rate * frame, frame, 8 * n_bytes)
    body = b"WAVEfmt " + head + chunks + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def sine_wav(n_samples=5000, rate=22050, chunks=b""):
    """Encode a tone in 16 bits."""
    tone = (3000 * np.sin(np.arange(n_samples) / 9)).astype(np.int16)
    return encode_wav(tone, rate, chunks)


def speech(shared_data, n, rate=22050):
    """Give some recordings of RAVDESS as float32 waveforms."""
    with zipfile.ZipFile(shared_data / "ravdess" / "Audio_Speech_Actors_01-12.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".wav"))
        for name in names[:: len(names) // n][:n]:
            samples, own = soundfile.read(io.BytesIO(archive.read(name)), dtype="float32")
            yield librosa.resample(librosa.to_mono(samples.T), orig_sr=own, target_sr=rate)


def processes_of(mark):
    """Pids of all processes with a mark in their environment; none but on Linux."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, ProcessLookupError):
            continue
        if mark.encode() in environment and state != "Z":
            found.append(int(folder.name))
    return found
