"""Clips, and camera and microphone that play one, for Chromium."""

import shutil

import av

ARGUMENTS = (
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    # A browser calls home by itself: what is tested is whether the page does.
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def write_devices(clip, folder):
    """Write what a clip shows and sounds like as the browser's fake devices take it."""
    face, voice = folder / "face.y4m", folder / "voice.wav"
    with av.open(str(clip)) as source, face.open("wb") as target:
        stream = source.streams.video[0]
        height, width = (side - side % 2 for side in (stream.height, stream.width))
        rate = stream.average_rate.limit_denominator(1001)
        target.write(b"YUV4MPEG2 W%d H%d F%d:%d Ip A1:1 C420mpeg2\n"
                     % (width, height, rate.numerator, rate.denominator))  # fmt: skip
        for frame in source.decode(stream):
            planes = frame.reformat(width, height, "yuv420p").to_ndarray()
            target.write(b"FRAME\n" + planes.tobytes())
    with av.open(str(clip)) as source, av.open(str(voice), "w", format="wav") as target:
        out = target.add_stream("pcm_s16le", rate=48_000, layout="mono")
        resampler = av.AudioResampler("s16", "mono", 48_000)
        for frame in source.decode(source.streams.audio[0]):
            for piece in resampler.resample(frame):
                piece.pts = None
                target.mux(out.encode(piece))
        target.mux(out.encode())
    return face, voice


def browser_arguments(face, voice):
    return [
        *ARGUMENTS,
        f"--use-file-for-fake-video-capture={face}",
        f"--use-file-for-fake-audio-capture={voice}",
    ]


def chromium():
    """Give the path of the browser, or None."""
    return shutil.which("chromium") or shutil.which("google-chrome")


def write_clip(path, clips, *, sound=True, picture=True, blank=False):
    """Write clips one after the other: both streams or one, or pictures that show nothing."""
    with av.open(str(path), "w") as target:
        video = target.add_stream("mpeg4", rate=25) if picture else None
        audio = target.add_stream("aac", rate=48_000, layout="mono") if sound else None
        resampler, number, start = av.AudioResampler("fltp", "mono", 48_000, 1024), 0, 0
        for clip in clips:
            with av.open(str(clip)) as source:
                for frame in source.decode(*source.streams.video[:1], *source.streams.audio[:1]):
                    if isinstance(frame, av.VideoFrame) and picture:
                        if not number:
                            video.width, video.height = frame.width, frame.height
                            video.pix_fmt = "yuv420p"
                        pixels = frame.to_ndarray(format="rgb24")
                        again = av.VideoFrame.from_ndarray(pixels // 255 if blank else pixels)
                        again.pts, number = number, number + 1
                        target.mux(video.encode(again))
                    elif isinstance(frame, av.AudioFrame) and sound:
                        for piece in resampler.resample(frame):
                            piece.pts, start = start, start + piece.samples
                            target.mux(audio.encode(piece))
        for stream in filter(None, (video, audio)):
            target.mux(stream.encode())
    return path
