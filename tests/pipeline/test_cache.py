import errno
import functools
import importlib.util
import io
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from joblib.externals.loky import get_reusable_executor
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from skemotion import MediaError
from skemotion.audio import AudioAugmenter, AudioFeatures, AudioLoader
from skemotion.base import object_array
from skemotion.decomposition import BSplineProjector, PartialTucker
from skemotion.io import identity
from skemotion.pipeline import ClipCache, ClipPipeline, _cache, _stacking, _step_identity
from skemotion.video import HOG3D, VideoLoader

CELLS = [(5, 5, 6), (5, 10, 6), (10, 10, 12)]


def note(what):
    """Write a line where all processes write theirs."""
    with Path(os.environ["CALLS"]).open("a") as file:
        file.write(f"{what}\n")


def read_calls():
    """Count the lines, and start anew."""
    path = Path(os.environ["CALLS"])
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return Counter(lines)


class Loader(VideoLoader):
    def transform(self, X):
        note(f"load {joblib.hash(X[0])}")
        return super().transform(X)


class Hog(HOG3D):
    def transform(self, X):
        note(f"hog {self.cell_size} {joblib.hash(np.array(X[0]))}")
        return super().transform(X)


class Times(TransformerMixin, BaseEstimator):
    """Read files, or take rows, and multiply."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        note("times")
        if X.dtype == object:
            X = np.stack([np.load(path) for path in X.ravel()])
        return X * self.factor

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


@pytest.fixture(autouse=True)
def calls(tmp_path, monkeypatch):
    monkeypatch.setenv("CALLS", str(tmp_path / "calls.txt"))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def videos(n, length=8):
    rng = np.random.default_rng(n)
    return [rng.integers(0, 256, (length, 20, 24), dtype=np.uint8) for _ in range(n)]


def waveforms(n):
    rng = np.random.default_rng(n)
    return [0.1 * rng.standard_normal(4000 + 777 * row).astype(np.float32) for row in range(n)]


def see(**parameters):
    steps = [("load", Loader(n_frames=10, scale=1)), ("hog3d", Hog())]
    return ClipPipeline(steps, **parameters)


def hear(n_steps, **parameters):
    steps = [
        ("load", AudioLoader(source_rate=22050)),
        ("augment", AudioAugmenter(pitch_steps=(), speed_rates=(2.0,))),
        ("features", AudioFeatures()),
        ("splines", BSplineProjector()),
    ]
    return ClipPipeline(steps[:n_steps], **parameters)


def times(folder, factor=1.0, **parameters):
    return ClipPipeline([("times", Times(factor))], memory=folder, **parameters)


def entries(folder):
    return sorted(folder.glob("*/*.clip"))


def assert_same(got, expected):
    """Expect the same bits, in the same types, at any depth."""
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    if got.dtype == object:
        for one, other in zip(got.flat, expected.flat, strict=True):
            assert_same(one, other)
    else:
        np.testing.assert_array_equal(got, expected)


def define(tmp_path, monkeypatch, source):
    """Write a module, and import it as a new process would."""
    path = tmp_path / "foreign_steps.py"
    path.write_text(source)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec = importlib.util.spec_from_file_location("foreign_steps", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "foreign_steps", module)
    exec(compile(source, path, "exec"), vars(module))
    return module


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("n_steps", [0, 1, 2, 3, 4])
def test_same_bits_as_without_memory(folder, n_steps, n_jobs):
    make, clips = (functools.partial(hear, n_steps), waveforms(3)) if n_steps else (see, videos(3))
    expected = make().fit_transform(clips)
    first = make(memory=folder, n_jobs=n_jobs)
    assert_same(first.fit_transform(clips), expected)
    assert ClipCache(folder).n_entries == 3 * len(first)
    for memory in (folder, str(folder)):
        assert_same(make(memory=memory, n_jobs=n_jobs).fit_transform(clips), expected)
        assert_same(make(memory=memory, n_jobs=n_jobs).transform(clips[::-1]), expected[::-1])
    assert ClipCache(folder).n_entries == 3 * len(first)


@pytest.mark.parametrize("dtype", [np.float32, ">f8", np.int16, bool, np.complex64])
@pytest.mark.parametrize("shape", [(1, 3), (1, 0), (1, 2, 3, 4), (1,)])
def test_entries_keep_type_and_shape(folder, shape, dtype):
    cache = ClipCache(folder)
    array = np.arange(np.prod(shape)).reshape(shape, order="F").astype(dtype)
    cache.put("a" * 32, array)
    got = cache.get("a" * 32)
    assert_same(got, array)
    assert not got.flags.writeable
    table = _cache.object_array([array, array[:0], array.T]).reshape(1, 3)
    cache.put("b" * 32, table)
    assert_same(cache.get("b" * 32), table)
    assert cache.get("c" * 32) is None


def search(folder, *, cells=CELLS[:1], ranks=(1,), n_jobs=None, inner=None):
    """Give the scores by fold, cell size and rank."""
    clips, y = videos(10), np.arange(10) % 2
    model = Pipeline(
        [
            ("clips", see(memory=folder, n_jobs=inner)),
            ("tucker", PartialTucker((1, 1, 1, 1, 1))),
            ("guess", GaussianNB()),
        ]
    )
    grid = {
        "clips__hog3d__cell_size": cells,
        "tucker__ranks": [(1, 1, 1, rank, 1) for rank in ranks],
    }
    found = GridSearchCV(model, grid, cv=5, n_jobs=n_jobs, error_score="raise").fit(clips, y)
    folds = [found.cv_results_[f"split{fold}_test_score"] for fold in range(5)]
    return np.array(folds).reshape(5, len(cells), len(ranks))


def test_a_search_works_once_on_each_clip_whatever_the_workers(folder, monkeypatch):
    scores = search(folder, cells=CELLS, ranks=(1, 2, 3, 4))
    assert len(np.unique(scores)) > 1
    scores = scores[:, :1, :1]
    once = read_calls()
    assert set(once.values()) == {1}
    kinds = Counter(call.rsplit(maxsplit=1)[0] for call in once)
    assert kinds == {"load": 10, **{f"hog {cells}": 10 for cells in CELLS}}
    assert ClipCache(folder).n_entries == 40

    np.testing.assert_array_equal(search(None), scores)
    read_calls()

    # Workers started from here on can import this file, however pytest was called.
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    get_reusable_executor().shutdown(wait=True)
    for workers in ({"inner": 2}, {"n_jobs": 2}):
        np.testing.assert_array_equal(search(folder, **workers), scores)
        assert not read_calls()

    others = tuple(f"hog {cells}" for cells in CELLS[1:])
    # From nothing, two workers may be at one clip at once, and agree.
    ClipCache(folder).clear()
    np.testing.assert_array_equal(search(folder, n_jobs=2), scores)
    assert read_calls().keys() == {call for call in once if not call.startswith(others)}
    assert ClipCache(folder).n_entries == 20
    get_reusable_executor().shutdown(wait=True)


@pytest.mark.parametrize("kind", [list, pd.Series, "frame"])
def test_changed_files_are_read_again(folder, tmp_path, kind):
    paths = [str(tmp_path / f"{row}.npy") for row in range(2)]
    for row, path in enumerate(paths):
        np.save(path, np.full(3, row + 1.0))
    X = pd.DataFrame({"video": paths}) if kind == "frame" else kind(paths)
    run = functools.partial(times(folder).transform, X)
    assert run().tolist() == [[1] * 3, [2] * 3]
    assert run().tolist() == [[1] * 3, [2] * 3]
    assert read_calls() == {"times": 2}
    # The same size at another time, then the same time at another size.
    before = Path(paths[1]).stat()
    np.save(paths[1], np.full(3, 7.0))
    os.utime(paths[1], ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert run().tolist() == [[1] * 3, [7] * 3]
    for path in paths:
        np.save(path, np.full(2, 8.0))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert run().tolist() == [[8] * 2, [8] * 2]
    assert read_calls() == {"times": 3}


def test_changed_parameters_count_from_their_step_on(folder):
    clips = videos(2)
    see(memory=folder).transform(clips)
    read_calls()
    for setting, loaded in (({"hog3d__n_bins": 5}, 0), ({"load__n_frames": 12}, 2)):
        got = see(memory=folder).set_params(**setting).transform(clips)
        kinds = Counter(call.split()[0] for call in read_calls().elements())
        assert (kinds["load"], kinds["hog"]) == (loaded, 2)
        assert_same(got, see().set_params(**setting).transform(clips))
        read_calls()


def keys_of(clip, steps):
    return ClipCache("").keys(clip, [_step_identity.step_identity(step) for _, step in steps])


def test_names_of_steps_do_not_matter():
    clip = videos(1)[0]
    keys = keys_of(clip, see().steps)
    assert len(set(keys)) == 2
    assert keys_of(clip, [("a", see()[0]), ("b", see()[1])]) == keys
    assert keys_of(clip, see().steps[:1]) == keys[:1]
    assert keys_of(clip, see().steps[1:])[0] not in keys
    assert not set(keys_of(clip + 1, see().steps)) & set(keys)


def identities():
    """Give the keys of steps of three kinds, from code read anew."""
    for cached in (_step_identity._code, _step_identity._versions):
        cached.cache_clear()
    return [
        _step_identity.step_identity(s) for s in (HOG3D(), Hog(), AudioFeatures(), VideoLoader())
    ]


def test_a_change_of_one_stage_leaves_the_entries_of_others(monkeypatch):
    now = identities()
    read = Path.read_bytes
    # What stands in this module, as Hog does, may draw on all that it imports.
    for changed, name in (([0, 1], "_hog3d.py"), ([1, 2], "_pitch.py"), ([], "_main.py")):
        monkeypatch.setattr(Path, "read_bytes", lambda p, n=name: read(p) + b"#" * (p.name == n))
        then = identities()
        monkeypatch.undo()
        assert [i for i in range(4) if now[i] != then[i]] == changed
    assert identities() == now


def test_other_versions_of_what_computes_start_anew(monkeypatch):
    now = identities()
    for package in ("numba", "librosa"):
        monkeypatch.setattr(
            _step_identity, "version", lambda name, other=package: str(name == other)
        )
        then = identities()
        monkeypatch.undo()
        assert not set(now) & set(then)
    assert identities() == now


FOREIGN = """
from sklearn.preprocessing import FunctionTransformer

class Step(FunctionTransformer):
    def transform(self, X):
        return 2 * X

def function(X):
    return 2 * X
"""


def test_rewritten_modules_are_run_again(folder, tmp_path, monkeypatch):
    X = np.arange(6.0).reshape(2, 3)
    for factor, n_entries in ((2, 4), (3, 8), (2, 8)):
        source = FOREIGN.replace("2 * X", f"{factor} * X")
        module = define(tmp_path, monkeypatch, source)
        for step in (module.Step(), FunctionTransformer(module.function)):
            got = ClipPipeline([("s", step)], memory=folder).transform(X)
            np.testing.assert_array_equal(got, factor * X)
        assert ClipCache(folder).n_entries == n_entries


def scaled(factor):
    return lambda X: X * factor


def test_functions_of_one_name_are_told_apart(folder):
    X = np.ones((1, 3))
    functions = [lambda X: X + 1, lambda X: X + 2, scaled(4), scaled(5)]
    functions += [lambda X, more=more: X + more for more in (5, 6)]
    for _ in range(2):
        for total, function in zip((2, 3, 4, 5, 6, 7), functions, strict=True):
            step = ("function", FunctionTransformer(function))
            got = ClipPipeline([step], memory=folder).transform(X)
            np.testing.assert_array_equal(got, total * X)
    assert ClipCache(folder).n_entries == 6


SCRIPT = """
import sys
import numpy as np
from joblib.externals.loky import get_reusable_executor
from sklearn.preprocessing import FunctionTransformer
from skemotion.pipeline import ClipPipeline

class Step(FunctionTransformer):
    def transform(self, X):
        return FACTOR * X

if __name__ == "__main__":
    pipeline = ClipPipeline([("s", Step())], memory=sys.argv[1])
    X = np.ones((2, 3))
    worker = get_reusable_executor(max_workers=1)
    results = [worker.submit(pipeline.transform, X).result(), pipeline.transform(X)]
    print(*{result.sum() for result in results})
"""


def python(*arguments, **environment):
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_scripts_that_change_are_run_again_in_workers_too(folder, tmp_path):
    for factor in (2, 3):
        (tmp_path / "script.py").write_text(SCRIPT.replace("FACTOR", str(factor)))
        run = python(tmp_path / "script.py", folder)
        assert run.stdout == f"{factor * 6.0}\n", run.stderr


def test_a_change_of_a_module_that_a_step_draws_on_is_noticed(folder, tmp_path, monkeypatch):
    def write(name, source):
        path = tmp_path / f"{name}.py"
        path.write_text(source)
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(source, path, "exec"), vars(module))
        return module

    X = np.ones((2, 3))
    for factor in (2, 3):
        write("helping", f"def factor():\n    return {factor}\n")
        module = write(
            "steps", "from helping import factor\n\ndef f(X):\n    return factor() * X\n"
        )
        _step_identity._code.cache_clear()
        step = FunctionTransformer(module.f)
        got = ClipPipeline([("s", step)], memory=folder).transform(X)
        np.testing.assert_array_equal(got, factor * X)


def double(X):
    return 2 * X


def triple(X):
    return 3 * X


def apply(X, functions):
    return functions["f"](X)


@pytest.mark.parametrize(
    "steps",
    [
        [np.log1p, np.expm1],
        [functools.partial(np.add, 1), functools.partial(np.add, 2)],
        [{"functions": {"f": double}}, {"functions": {"f": triple}}],
    ],
    ids=["ufunc", "partial", "dict"],
)
def test_functions_in_any_dress_are_told_apart(folder, steps):
    X = np.arange(6.0).reshape(2, 3)
    for _ in range(2):
        for step in steps:
            function = FunctionTransformer(
                **({"func": apply, "kw_args": step} if isinstance(step, dict) else {"func": step})
            )
            got = ClipPipeline([("s", function)], memory=folder).transform(X)
            np.testing.assert_array_equal(got, function.transform(X))
    assert ClipCache(folder).n_entries == 2 * len(steps)


@pytest.mark.parametrize("kind", ["exec", "builtin", "wrapper"])
def test_code_that_cannot_be_read_is_refused(folder, kind):
    space = {}
    exec("def f(X): return X", space)
    function = {
        "exec": space["f"],
        "builtin": abs,
        "wrapper": functools.lru_cache(scaled),
    }[kind]
    pipeline = ClipPipeline([("f", FunctionTransformer(function))], memory=folder)
    with pytest.raises(ValueError, match=r"The code of .* cannot be read.*or run without memory"):
        pipeline.fit(np.ones((2, 3)))
    assert not folder.exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content, other: b"",
        lambda content, other: content[:7],
        lambda content, other: content[:-1],
        lambda content, other: content[: len(content) // 2],
        lambda content, other: content + b"\0",
        lambda content, other: content[:-20] + bytes([content[-20] ^ 1]) + content[-19:],
        lambda content, other: other,
        lambda content, other: np.random.default_rng(0).bytes(len(content)),
    ],
)
@pytest.mark.parametrize("ragged", [False, True])
def test_spoilt_entries_are_made_again(folder, ragged, spoil):
    make, clips = (functools.partial(hear, 1), waveforms(2)) if ragged else (see, videos(2))
    expected = make(memory=folder).transform(clips)
    good = {path: path.read_bytes() for path in entries(folder)}
    paths = list(good)
    for path, other in zip(paths, paths[1:] + paths[:1], strict=True):
        path.write_bytes(spoil(good[path], good[other]))
    read_calls()
    assert_same(make(memory=folder).transform(clips), expected)
    assert sum(read_calls().values()) == (0 if ragged else 4)
    assert {path: path.read_bytes() for path in entries(folder)} == good


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from foreign_steps import Step
from skemotion.pipeline import ClipPipeline

n_left, replace = 4, Path.replace
def killing(path, target):
    global n_left
    n_left -= 1
    if not n_left:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(path, target)
Path.replace = killing
ClipPipeline([("s", Step())], memory=sys.argv[1]).transform(np.arange(18.0).reshape(6, 3))
"""


NOTE = """
        with open(__import__("os").environ["CALLS"], "a") as file:
            print("step", X[0, 0], file=file)
"""


def test_killed_runs_are_taken_up(folder, tmp_path, monkeypatch):
    source = FOREIGN.replace("        return", f"{NOTE}        return")
    module = define(tmp_path, monkeypatch, source)
    (tmp_path / "killed.py").write_text(KILLED)
    run = python(tmp_path / "killed.py", folder)
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert read_calls() == {f"step {first}": 1 for first in (0.0, 3.0, 6.0, 9.0)}
    # Three clips are done; the fourth was whole, but not yet in its place.
    assert ClipCache(folder).n_entries == 3
    assert len(list(folder.glob("*/.*.part"))) == 1
    X = np.arange(18.0).reshape(6, 3)
    got = ClipPipeline([("s", module.Step())], memory=folder).transform(X)
    np.testing.assert_array_equal(got, 2 * X)
    assert read_calls() == {f"step {first}": 1 for first in (9.0, 12.0, 15.0)}
    assert ClipCache(folder).n_entries == 6
    ClipCache(folder).clear()
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_a_full_disk_slows_a_run_and_does_not_end_it(folder, monkeypatch):
    def fail(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    monkeypatch.setattr(_cache, "_unwritable", set())
    with pytest.warns(RuntimeWarning, match=r"cache: .*the disk is full.*Make room") as warned:
        got = times(folder, 3.0).transform(np.ones((2, 3)))
    np.testing.assert_array_equal(got, np.full((2, 3), 3.0))
    assert len(warned) == 1
    assert not [path for path in folder.rglob("*") if path.is_file()]


def spoil_with_pipe(path):
    path.unlink()
    os.mkfifo(path)


def spoil_with_folder(path):
    path.unlink()
    path.mkdir()


def spoil_with_loop(path):
    path.unlink()
    path.symlink_to(path)


@pytest.mark.parametrize("spoil", [spoil_with_pipe, spoil_with_folder, spoil_with_loop])
@pytest.mark.filterwarnings("ignore:.*results cannot be kept:RuntimeWarning")
def test_what_is_no_file_is_no_entry(folder, spoil):
    X = np.ones((1, 3))
    times(folder, 3.0).transform(X)
    [path] = entries(folder)
    spoil(path)
    cache = ClipCache(folder)
    assert cache.n_bytes < 500
    np.testing.assert_array_equal(times(folder, 3.0).transform(X), 3 * X)
    cache.prune(max_bytes=0)
    cache.clear()
    assert path.is_dir() == (spoil is spoil_with_folder)


def header(shape, dtype="<f8", fortran=False):
    file = io.BytesIO()
    given = {"descr": dtype, "fortran_order": fortran, "shape": shape}
    np.lib.format.write_array_header_1_0(file, given)
    return file.getvalue()


def table(*words):
    file = io.BytesIO()
    np.save(file, np.array(words))
    return file.getvalue()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff{",
        b"\x93NUMPY\x01\x00\x04\x00{'(\n",  # which Python's parser calls unfinished
        b"\x93NUMPY\x07\x00\x04\x00{}  ",
        b"0" * 200,
        header((10**9, 10**9)),
        header((-1,)),
        header((1, 2), "|O") + bytes(16),
        header((1, 2), "|V8") + bytes(16),
        header((1, 2), "<M8[s]") + bytes(16),
        header((1, 2), fortran=True) + bytes(16),
        header((3,)) + bytes(24),  # not the one row of a clip
        header(()) + bytes(8),
        header((1, 10**9), "|S0"),
        table("table"),
        table("table", "x"),
        table("table", "-1"),
        table("table", "999999999"),
        table("table", "1") + header((2,), "|O") + bytes(16),
    ],
)
def test_well_signed_nonsense_is_no_entry(folder, payload):
    cache, key = ClipCache(folder), "a" * 32
    cache.put(key, np.ones((1, 3)))
    cache._path(key).write_bytes(payload + _cache._digest(key, payload))
    assert cache.get(key) is None


def test_results_of_two_kinds_are_refused(folder):
    """As a foreign entry may be: numbers for one clip, trajectories for the other."""
    clips = waveforms(2)
    expected = hear(1, memory=folder).transform(clips)
    cache = ClipCache(folder)
    keys = [path.stem for path in entries(folder)]
    for array in (np.ones((1, 3)), object_array([np.ones(2), np.ones(3)]).reshape(1, 2)):
        cache.put(keys[0], array)
        with pytest.raises(ValueError, match=r"different shapes: .* for clip 1 \(<array of shape"):
            hear(1, memory=folder).transform(clips)
    cache.clear()
    assert_same(hear(1, memory=folder).transform(clips), expected)


def test_a_folder_that_cannot_be_written_to_slows_a_run_and_does_not_end_it(folder, monkeypatch):
    def fail(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "mkdir", fail)
    monkeypatch.setattr(_cache, "_unwritable", set())
    with pytest.warns(RuntimeWarning, match=r"cache: .*Permission denied.*another folder"):
        got = times(folder, 3.0).transform(np.ones((2, 3)))
    np.testing.assert_array_equal(got, np.full((2, 3), 3.0))


def test_text_survives(folder):
    cache, text = ClipCache(folder), np.array([["calm", "angry"]])
    cache.put("a" * 32, text)
    assert_same(cache.get("a" * 32), text)


def test_another_machine_is_no_folder(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"memory://cache: expected a folder on this machine"):
        ClipCache("memory://cache")
    with pytest.raises(ValueError, match=r"s3://bucket/cache: expected a folder"):
        times("s3://bucket/cache").fit(np.ones((2, 3)))
    # pathlib makes one slash of two.
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"memory:/cache: expected a folder"):
        times(Path("memory://cache")).fit_transform(np.ones((2, 3)))
    assert not list(tmp_path.iterdir())


def test_prune_takes_the_oldest_first(folder):
    cache = ClipCache(folder)
    for age, key in enumerate("abcd"):
        cache.put(key * 32, np.arange(10.0))
        os.utime(cache._path(key * 32), (1e9 - age, 1e9 - age))
    size = cache.n_bytes // 4
    assert cache.prune() == (0, 0)
    assert cache.prune(max_bytes=2 * size) == (2, 2 * size)
    assert [path.name[0] for path in entries(folder)] == ["a", "b"]
    cache.put("e" * 32, np.arange(10.0))
    assert cache.prune(older_than=3600) == (2, 2 * size)
    assert [path.name[0] for path in entries(folder)] == ["e"]


def test_files_of_killed_runs_count_and_go(folder):
    cache = ClipCache(folder)
    part = folder / "aa" / f".{'a' * 32}.{'b' * 32}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")
    assert (cache.n_entries, cache.n_bytes) == (0, 4)
    assert cache.prune(max_bytes=0) == (1, 4)


def test_another_file_of_the_same_size_and_time_is_told(tmp_path):
    path = tmp_path / "clip.wav"
    identities = set()
    for content in (b"one", b"two"):
        path.write_bytes(content)
        os.utime(path, ns=(10**18, 10**18))
        identities.add(identity(path))
    assert len(identities) == 2


def test_clear_takes_entries_and_nothing_else(folder):
    times(folder).transform(np.arange(6.0).reshape(2, 3))
    cache, inside = ClipCache(folder), entries(folder)[0].parent
    size = sum(path.stat().st_size for path in entries(folder))
    assert (cache.n_entries, cache.n_bytes) == (2, size)
    mine = [folder / "notes.txt", folder / "my.clip", inside / "my.clip", inside / ".my.part"]
    (folder / "ab").mkdir(exist_ok=True)
    mine.append(folder / "ab" / "ab.clip")
    for path in mine:
        path.write_text("mine")
    unfinished = inside / f".{'a' * 32}.{'b' * 32}.part"
    unfinished.write_text("half")
    assert cache.n_entries == 2
    assert repr(cache) == "ClipCache: 2 entries, 0.0 MB"
    cache.clear()
    assert not unfinished.exists()
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == sorted(mine)
    assert cache.n_entries == cache.n_bytes == 0
    ClipCache(folder / "nowhere").clear()
    assert not (folder / "nowhere").exists()


def totals(X):
    return np.array([[cell.sum() for cell in row] for row in X.reshape(len(X), -1)])


def test_all_variants_count(folder):
    first, one, other = np.ones(3), np.ones(4), np.ones(5)
    step = ("totals", FunctionTransformer(totals))
    for table, expected in (((first, one), [3, 4]), ((first, other), [3, 5]), ((first,), [3])):
        X = np.empty((1, len(table)), dtype=object)
        X[0] = table
        assert ClipPipeline([step], memory=folder).transform(X).tolist() == [expected]
    assert ClipCache(folder).n_entries == 3


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_large_results_are_mapped(folder, monkeypatch, n_jobs):
    X = np.arange(6.0).reshape(2, 3)
    in_memory = times(folder, 2.0, n_jobs=n_jobs).transform(X)
    assert in_memory.base is None
    monkeypatch.setattr(_stacking, "MAPPED_BYTES", X.nbytes)
    for _ in range(2):
        mapped = times(folder, 2.0, n_jobs=n_jobs).transform(X)
        assert mapped.base is not None
        assert_same(mapped, in_memory)
        mapped += 1  # the caller's own: no entry changes
    assert times(None).transform(X).base is None
    # No name is left in the folder.
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == entries(folder)


def test_large_results_are_held_in_memory_where_there_is_no_room(folder, monkeypatch):
    def fail(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    X = np.arange(6.0).reshape(2, 3)
    expected = times(folder, 2.0).transform(X)
    monkeypatch.setattr(_stacking, "MAPPED_BYTES", X.nbytes)
    monkeypatch.setattr(os, "posix_fallocate", fail)
    with pytest.warns(RuntimeWarning, match=r"cache: the results .* held in memory\. Make room"):
        assert_same(times(folder, 2.0).transform(X), expected)


def test_missing_files_are_named(folder, tmp_path):
    with pytest.raises(MediaError, match=r"gone\.npy: expected a media file"):
        times(folder).transform([str(tmp_path / "gone.npy")])
    assert not folder.exists()
