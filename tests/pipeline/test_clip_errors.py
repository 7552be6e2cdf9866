"""Whatever a decoder raises for one clip is the error of that clip, and ends no run."""

import io
import sys
import threading
import time
import traceback
import warnings

import numpy as np
import pytest
import soundfile
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry
from joblib import parallel_config
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from skemotion import MediaError, limits
from skemotion.audio import AudioLoader
from skemotion.base import UnsuitableModelError
from skemotion.decomposition import TrajectoryStatistics
from skemotion.io import call_isolated, limits_in_force, run_isolated, without_workers
from skemotion.pipeline import (
    ClipPipeline,
    UnusableClipWarning,
    _cache,
    _clip_pipeline,
    _usable,
    find_unusable,
    predict_clips,
)

MODULE = """
class TwoArguments(Exception):
    def __init__(self, one, two):
        super().__init__(one)

class TwoArgumentsWarning(UserWarning):
    def __init__(self, one, two):
        super().__init__(one)

class Panic(BaseException):  # as those of libraries in Rust
    pass

class Speechless(Exception):
    def __str__(self):
        return 5
"""


def define():
    class Stage(TransformerMixin, BaseEstimator):
        """Does to each clip, told by its number, what a decoder might."""

        def __init__(self, deeds, folder=None):
            self.deeds = deeds
            self.folder = folder

        def fit(self, X, y=None):
            return self

        def transform(self, X):
            deed = self.deeds.get(int(X[0, 0]))
            if deed is not None:
                sys.path.insert(0, str(self.folder))
                import odd_errors as odd

                result = deed(odd)
                sys.path.remove(str(self.folder))
                if result is not None:
                    return result
            return X * 2.0

        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.requires_fit = False
            return tags

    # Like one of a script or a notebook, which a worker cannot be asked for by its name.
    class BadClipError(Exception):
        pass

    class BadClipWarning(UserWarning):
        pass

    def throw(error):
        raise error

    def locked(odd):
        error = OSError("locked")
        error.lock = threading.Lock()
        raise error

    def deep(odd):
        error = OSError("deep")
        error.content = []
        for _ in range(100_000):
            error.content = [error.content]
        raise error

    deeds = {
        "BadClipError: bad": lambda odd: throw(BadClipError("bad")),
        "TwoArguments: one": lambda odd: throw(odd.TwoArguments("one", "two")),
        "OSError: locked": locked,
        "OSError: deep": deep,
        "Panic: panicked": lambda odd: throw(odd.Panic("panicked")),
        "SystemExit: enough": lambda odd: sys.exit("enough"),
        "Speechless: (its text cannot be shown: TypeError)": lambda odd: throw(odd.Speechless()),
    }
    warned = {
        "BadClipWarning: odd": lambda odd: warnings.warn(BadClipWarning("odd"), stacklevel=1),
        "TwoArgumentsWarning: one": lambda odd: warnings.warn(
            odd.TwoArgumentsWarning("one", "two"), stacklevel=1
        ),
        "plain": lambda odd: warnings.warn(RuntimeWarning("plain"), stacklevel=1),
    }
    return Stage, deeds, warned


# Workers do not find the modules of tests: what a function defines comes to them as a whole.
Stage, DEEDS, WARNED = define()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "odd_errors.py").write_text(MODULE)
    return tmp_path


def numbers(n):
    return np.arange(float(n))[:, np.newaxis]


def stages(deeds, folder=None, **parameters):
    return ClipPipeline([("stage", Stage(deeds, folder))], **parameters)


@pytest.mark.parametrize("with_memory", [False, True])
def test_whatever_a_decoder_raises_is_one_clips(folder, monkeypatch, with_memory):
    X = numbers(len(DEEDS) + 2)
    expected = 2 * X
    expected[1:-1] = np.nan
    # With a cache, the code of a stage must be readable; it is.
    pipeline = stages(dict(enumerate(DEEDS.values(), 1)), folder, on_error="nan", n_jobs=2)
    if with_memory:
        monkeypatch.setattr("skemotion.pipeline._jobs.step_identity", lambda step: "stage")
        pipeline.set_params(memory=folder)
    with pytest.warns(UnusableClipWarning, match=f"{len(DEEDS)} of {len(X)}"):
        result = pipeline.transform(X)
    np.testing.assert_array_equal(result, expected)
    assert [error.reason for error in pipeline.errors_] == [
        f"clip {row}: step 'stage' failed: {text}" for row, text in enumerate(DEEDS, 1)
    ]
    assert {error.step for error in pipeline.errors_} == {"stage"}


@pytest.mark.parametrize("text", ["BadClipError: bad", "SystemExit: enough"])
def test_an_error_that_is_raised_names_clip_and_kind(folder, text):
    pipeline = stages({1: DEEDS[text]}, folder, n_jobs=2)
    with (
        parallel_config(backend="loky"),
        pytest.raises(RuntimeError, match=f"^clip 1: step 'stage' failed: {text}$"),
    ):
        pipeline.transform(numbers(3))


def test_in_this_process_errors_stay_what_they_are(folder):
    with pytest.raises(Exception, match=r"^bad\n") as error:
        stages({1: DEEDS["BadClipError: bad"]}, folder).transform(numbers(3))
    assert type(error.value).__name__ == "BadClipError"
    assert error.value.__notes__ == ["In step 'stage' for clip 1."]
    with pytest.raises(SystemExit):
        stages({1: DEEDS["SystemExit: enough"]}, folder).transform(numbers(3))


def test_warnings_that_cannot_be_sent_cost_no_value(folder):
    X = numbers(len(WARNED) + 1)
    pipeline = stages(dict(enumerate(WARNED.values(), 1)), folder, on_error="nan")
    with pytest.warns() as caught:
        np.testing.assert_array_equal(pipeline.transform(X), 2 * X)
    assert {str(w.message): w.category for w in caught} == dict(
        zip(WARNED, [UserWarning, UserWarning, RuntimeWarning], strict=True)
    )


class Unreadable:
    def __reduce__(self):
        return eval, ("1 / 0",)


def test_what_the_caller_cannot_read_is_one_calls_error():
    def act(number):
        return eval("Bad()", {"Bad": Bad}) if number == 1 else number

    # Made in the worker, which does not read it.
    Bad = type("Bad", (), {"__reduce__": Unreadable.__reduce__})
    found = list(run_isolated(act, [(number,) for number in range(4)], 2))
    assert [outcome.value for outcome in found] == [0, None, 2, 3]
    assert "cannot be read (ZeroDivisionError: " in str(found[1].error)


def test_an_error_that_cannot_be_shown_is_told(folder, monkeypatch):
    def act():
        sys.path.insert(0, str(folder))
        import odd_errors as odd

        raise odd.Speechless

    monkeypatch.syspath_prepend(folder)
    with pytest.raises(RuntimeError, match=r"cannot be sent \(TypeError: .*\): \(Speechless, "):
        call_isolated(act, name="a.mp4")


def test_a_worker_that_gives_up_does_not_end_its_caller():
    with pytest.raises(MediaError, match=r"^a\.mp4: .* gives up \(SystemExit: enough\)"):
        call_isolated(sys.exit, "enough", name="a.mp4")


def test_a_model_that_predicts_nothing_is_refused():
    model = stages({}).fit(numbers(2))
    with pytest.raises(
        UnsuitableModelError, match="expected a model with predict_proba or predict"
    ):
        predict_clips(model, numbers(2))


def test_what_cannot_be_sent_is_one_clips(folder):
    def locks(odd):
        found = np.empty(1, dtype=object)
        found[0] = threading.Lock()
        return found

    pipeline = stages({1: locks}, folder, on_error="nan")
    with pytest.warns(UnusableClipWarning, match="cannot be sent"):
        result = pipeline.transform(numbers(3))
    np.testing.assert_array_equal(result, [[0], [np.nan], [4]])


def test_a_type_error_is_a_clips_where_the_stage_works_for_others(folder):
    def fail(odd):
        return len(None)

    pipeline = stages(dict.fromkeys((0, 1, 3), fail), folder, on_error="nan")
    expected = np.array([[np.nan], [np.nan], [4], [np.nan], [8]])
    for _ in range(2):
        with pytest.warns(UnusableClipWarning, match="3 of 5"):
            np.testing.assert_array_equal(pipeline.transform(numbers(5)), expected)
    assert pipeline.errors_[0].reason == "TypeError: object of type 'NoneType' has no len()"
    pipeline.fit(numbers(5))  # on the third
    with pytest.warns(UnusableClipWarning, match="2 of 2"):
        assert np.isnan(pipeline.transform(numbers(2))).all()


def test_a_type_error_of_every_clip_is_the_stages(folder):
    tried = folder / "tried"

    def fail(odd):
        with tried.open("a") as file:
            file.write(".")
        return len(None)

    for n, at_least in ((2, 2), (50, 3)):
        tried.write_text("")
        pipeline = stages(dict.fromkeys(range(50), fail), folder, on_error="nan")
        with pytest.raises(TypeError, match="has no len") as error:
            pipeline.transform(numbers(n))
        assert error.value.__notes__ == ["In step 'stage' for clip 0."]
        assert at_least <= len(tried.read_text()) <= at_least + 1


def test_a_result_that_a_cache_cannot_keep_is_no_error(folder, monkeypatch):
    def nothing(odd):
        return np.array([None])

    class Ends(Stage):
        def transform(self, X):
            if X.dtype == object:
                raise OSError("nothing was found")
            return X

    monkeypatch.setattr("skemotion.pipeline._jobs.step_identity", lambda step: type(step).__name__)
    monkeypatch.setattr(_cache, "_unwritable", set())
    pipeline = stages({1: nothing}, folder, on_error="nan", memory=folder / "cache")
    pipeline.steps.append(("end", Ends({})))
    with without_workers(), pytest.warns() as caught:
        result = pipeline.transform(numbers(3))
    np.testing.assert_array_equal(result, [[0], [np.nan], [4]])
    assert [error.reason for error in pipeline.errors_] == ["nothing was found"]
    [warned] = [w for w in caught if w.category is RuntimeWarning]
    assert "what a step has returned for a clip cannot be kept" in str(warned.message)


@pytest.mark.parametrize(
    ("module", "use"),
    [(_clip_pipeline, ClipPipeline.transform), (_usable, find_unusable)],
    ids=["transform", "find_unusable"],
)
def test_lost_results_are_an_error_in_words(monkeypatch, module, use):
    run = module.run_clips

    def lossy(*args, **kwargs):
        for row, result in enumerate(run(*args, **kwargs)):
            if row < 3:
                yield result

    monkeypatch.setattr(module, "run_clips", lossy)
    with pytest.raises(RuntimeError, match="3 results of 5 clips have come"):
        use(stages({}), numbers(5))


@pytest.mark.parametrize("on_error", ["raise", "nan"])
def test_results_that_cannot_be_stacked_leave_nothing_running(folder, monkeypatch, on_error):
    run, running = _clip_pipeline.run_clips, []

    def watched(*args, **kwargs):
        running.append(run(*args, **kwargs))
        return running[0]

    monkeypatch.setattr(_clip_pipeline, "run_clips", watched)
    done = []

    def longer(odd):
        return np.zeros((1, 2))

    def rest(odd):
        time.sleep(0.01)
        done.append(1)

    deeds = {1: longer} | dict.fromkeys(range(2, 50), rest)
    pipeline = stages(deeds, folder, n_jobs=2, on_error=on_error)
    with pytest.raises(ValueError, match="different shapes") as error:
        pipeline.transform(numbers(50))
    # The error is still held, and with it the frames that hold the generator.
    assert "_stack" in "".join(traceback.format_tb(error.tb))
    assert running[0].gi_frame is None
    n_done = len(done)
    assert n_done < 24
    time.sleep(0.05)
    assert len(done) == n_done


def test_predictions_are_made_within_the_limits_of_the_call():
    clips = []
    for row in range(3):
        file = io.BytesIO()
        soundfile.write(file, np.sin(np.arange(4000.0) * (1 + row)), 8000, format="WAV")
        clips.append(file.getvalue())
    steps = [("load", AudioLoader()), ("statistics", TrajectoryStatistics())]
    model = make_pipeline(ClipPipeline(steps, flatten=True), GaussianNB()).fit(clips, list("aba"))
    with limits(max_seconds=0.1):
        given = predict_clips(model, clips)
    outside = limits_in_force()
    for prediction in given:
        assert "max_seconds=0.1" in prediction.error
        assert limits_in_force() == outside


class BrokenStorage(MemoryFileSystem):
    protocol = "broken"

    class Error(Exception):
        pass

    def ukey(self, path):
        raise self.Error("no credentials")


def test_an_error_of_a_storage_is_one_clips(tmp_path, monkeypatch):
    monkeypatch.setitem(_registry, "broken", BrokenStorage)
    pipeline = ClipPipeline([("load", AudioLoader())], on_error="nan", memory=tmp_path)
    sound = (8000, np.sin(np.arange(4000.0)))
    with limits(allow_urls=True), without_workers(), pytest.warns(UnusableClipWarning):
        pipeline.transform(["broken://a.wav", sound])
    [error] = pipeline.errors_
    assert error.row == 0
    assert error.reason.startswith("broken://a.wav: expected a media file, found Error: no cred")


def test_an_error_of_a_clips_identity_is_one_clips(folder, monkeypatch):
    def keys(self, clip, identities):
        if clip[0, 0] == 1:
            raise LookupError("not to be hashed")
        return [str(clip[0, 0]) * 4] * len(identities)

    monkeypatch.setattr("skemotion.pipeline._jobs.step_identity", lambda step: "stage")
    monkeypatch.setattr(_cache.ClipCache, "keys", keys)
    pipeline = stages({}, on_error="nan", memory=folder)
    with without_workers(), pytest.warns(UnusableClipWarning):
        result = pipeline.fit(numbers(3)[1:]).transform(numbers(3))
    np.testing.assert_array_equal(result, [[0], [np.nan], [4]])
    assert [error.reason for error in pipeline.errors_] == ["not to be hashed"]
