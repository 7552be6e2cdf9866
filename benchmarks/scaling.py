"""From figures per clip to what a corpus costs: the tables of ``docs/scaling.md``."""

from __future__ import annotations

PLACES = (
    ("RAVDESS speech, laptop, 2 cores", 1440),
    ("a corpus, cluster, 100 cores", 100_000),
)
CORES = 100
VIDEO, AUDIO = "video_at_RAVDESS'_bit_rate", "audio"
STEPS = ("video load", "video hog3d", "audio load", "audio augment", "audio features",
         "audio splines")  # fmt: skip


def time_of(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def size_of(megabytes: float) -> str:
    return f"{megabytes / 1000:,.1f} GB" if megabytes >= 1000 else f"{megabytes:.2f} MB"


def markdown(*lines: tuple[str, ...]) -> str:
    head, *rest = lines
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ("---",) * len(head), *rest))


def scaling(figures: dict[str, float]) -> str:
    """Write the tables: each figure per clip, and times the clips."""
    video, audio = figures[f"{VIDEO}_one"], figures[f"{AUDIO}_one"]
    gains = {name: figures[f"{name}_one"] / figures[f"{name}_two"] for name in (VIDEO, AUDIO)}
    cache = {step: figures[f"cache {step}"] for step in STEPS}
    both, held, result = video + audio, sum(cache.values()), figures["result"]
    pair = figures[f"{VIDEO}_two"] + figures[f"{AUDIO}_two"]
    (_, laptop), (_, cluster) = PLACES
    tucker, projected = figures["tucker_seconds"], figures["tucker_memory"]
    per_clip = markdown(
        ("per clip of 3.7 s", "figure", "printed by"),
        ("video branch, one core", f"{video * 1000:.0f} ms", "`nox -s bench -- path`"),
        ("audio branch, one core", f"{audio * 1000:.0f} ms", "`nox -s bench -- path`"),
        ("two workers instead of one", f"video {gains[VIDEO]:.2f}x, audio {gains[AUDIO]:.2f}x",
         "`nox -s bench -- path`"),
        *((f"cache, {step}", size_of(size), "`nox -s bench -- memory`")
          for step, size in cache.items()),
        ("cache, all steps", size_of(held), "the sum"),
        ("descriptors, mapped from disk", size_of(result), "`nox -s bench -- memory`"),
        ("Tucker of the descriptors, one core", f"{tucker * 1000:.1f} ms",
         "`nox -s bench -- tucker`"),
        ("own memory of two workers, any number of clips", f"{figures['own_memory']:.0f} MB",
         "`nox -s bench -- memory`"),
        ("own memory of Tucker, besides 50 MB", f"{projected:.2f} MB", "`nox -s bench -- tucker`"),
    )  # fmt: skip
    costs = [("cost", *(f"{title} ({n:,} clips)" for title, n in PLACES))]
    costs += [
        ("descriptors and audio, once",
         f"{laptop:,} x {pair * 1000:.0f} ms, two workers = {time_of(laptop * pair)}",
         f"{cluster:,} x {both * 1000:.0f} ms / {CORES} = {time_of(cluster * both / CORES)}"),
        ("Tucker, each fit, one machine",
         *(f"{n:,} x {tucker * 1000:.1f} ms = {time_of(n * tucker)}" for n in (laptop, cluster))),
        ("cache on disk, all steps",
         *(f"{n:,} x {size_of(held)} = {size_of(n * held)}" for n in (laptop, cluster))),
        ("descriptors on disk, each fit",
         *(f"{n:,} x {size_of(result)} = {size_of(n * result)}" for n in (laptop, cluster))),
        ("own memory of Tucker",
         *(f"{n:,} x {projected:.2f} MB = {size_of(n * projected)}" for n in (laptop, cluster))),
    ]  # fmt: skip
    return f"{per_clip}\n\n{markdown(*costs)}"
