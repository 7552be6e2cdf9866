import json
import re
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

import skemotion
from skemotion._model_file import load_model, save_model
from skemotion.pipeline import make_emotion_pipeline


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "video": [rng.integers(0, 256, (6, 24, 30), dtype=np.uint8) for _ in range(6)],
            "audio": [0.1 * rng.standard_normal(3000 + 99 * row) for row in range(6)],
        }
    )


@pytest.fixture(scope="module")
def model(clips):
    model = make_emotion_pipeline().set_params(
        features__video__clips__load__n_frames=10,
        features__video__clips__load__size=(20, 24),
        features__video__tucker__ranks=(2, 2, 0.9, None, 1),
        features__audio__clips__augment__pitch_steps=(4,),
        features__audio__clips__augment__speed_rates=(),
        features__audio__tucker__ranks=(4, 8),
        classifier__hidden_layer_sizes=(8, 4),
        classifier__max_iter=5,
    )
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        return model.fit(clips, ["calm", "angry", "sad"] * 2)


@pytest.fixture
def saved(model, tmp_path):
    return save_model(model, tmp_path / "a model.skops", modality="both", n_clips=6)


def edit(path, change):
    """Change the description of the objects in a saved model."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    schema = json.loads(members["schema.json"])
    members["schema.json"] = json.dumps(change(schema)).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)


def test_what_is_loaded_predicts_the_same_to_the_bit(saved, model, clips):
    loaded, about = load_model(saved)
    np.testing.assert_array_equal(loaded.predict_proba(clips), model.predict_proba(clips))
    np.testing.assert_array_equal(loaded.predict(clips), model.predict(clips))
    assert about == {"modality": "both", "n_clips": 6}
    assert repr(loaded) == repr(model)
    # It can be fitted on.
    with pytest.warns(ConvergenceWarning):
        loaded.fit(clips, ["calm", "angry", "sad"] * 2)
    np.testing.assert_array_equal(loaded.predict_proba(clips), model.predict_proba(clips))


@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_other_solvers(clips, model, solver, tmp_path):
    other = clone(model).set_params(classifier__solver=solver)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        other.fit(clips, ["calm", "angry", "sad"] * 2)
    loaded, _ = load_model(save_model(other, tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict_proba(clips), other.predict_proba(clips))


def hostile(path):
    pytest.fail("code that a model file named was run")


def test_functions_are_not_trusted_wherever_they_come_from(saved, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    for module, name in (
        ("sklearn.datasets._base", "clear_data_home"),  # removes a folder
        ("sklearn.datasets._base", "urlretrieve"),  # writes a file
        ("skemotion.datasets._synthetic", "make_ravdess"),  # writes a folder
        ("skemotion._model_file", "os.makedirs"),
        ("os", "system"),
        (hostile.__module__, "hostile"),
    ):
        for loader in ("ConstructorFromReduceNode", "ListNode", "TypeNode", "FunctionNode"):

            def plant(schema, module=module, name=name, loader=loader):
                argument = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode",
                            "content": json.dumps(str(victim))}  # fmt: skip
                content = [argument]
                if loader == "ConstructorFromReduceNode":
                    content = {"__class__": "tuple", "__module__": "builtins",
                               "__loader__": "TupleNode", "content": [argument]}  # fmt: skip
                schema["content"]["about"] = {
                    "__class__": name,
                    "__module__": module,
                    "__loader__": loader,
                    "content": content,
                }
                return schema

            path = tmp_path / "planted.skops"
            path.write_bytes(saved.read_bytes())
            edit(path, plant)
            with pytest.raises(
                ValueError, match=rf"planted\.skops: .*not trusted \({module}\.{name}\)"
            ):
                load_model(path)
    assert list(victim.iterdir()) == []


def test_types_from_elsewhere_are_named(clips, tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump({"model": FunctionTransformer(hostile), "about": {}, "versions": {}}, path)
    with pytest.raises(ValueError, match=rf"not trusted \({hostile.__module__}\.hostile\)"):
        load_model(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a text",
        b"PK\x05\x06" + bytes(18),  # an empty archive
        skops.io.dumps(LogisticRegression()),
        skops.io.dumps({"model": LogisticRegression()}),
        skops.io.dumps({"model": [1, 2], "about": {}, "versions": {}}),
        skops.io.dumps([1, 2, 3]),
    ],
)
def test_other_files_are_named(tmp_path, content):
    path = tmp_path / "other.skops"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}: expected a model saved by"):
        load_model(path)


def test_any_archive_but_a_model(tmp_path):
    path = tmp_path / "Audio.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("Actor_01/a.wav", b"RIFF")
    with pytest.raises(ValueError, match=r"Audio\.zip: expected a model"):
        load_model(path)


def test_damaged_files_are_named(saved):
    whole = saved.read_bytes()
    rng = np.random.default_rng(0)
    cut = [whole[: len(whole) * share // 10] for share in range(10)]
    noisy = []
    for _ in range(40):
        content = np.frombuffer(whole, dtype=np.uint8).copy()
        content[rng.integers(len(content), size=20)] = rng.integers(256, size=20)
        noisy.append(content.tobytes())
    n_refused = 0
    for content in cut + noisy:
        saved.write_bytes(content)
        try:
            load_model(saved)
        except ValueError as error:
            assert str(error).startswith(f"{saved}: ")  # noqa: PT017
            n_refused += 1
    assert n_refused == len(cut) + len(noisy)


def test_missing_files_and_folders(model, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.skops: no such model file"):
        load_model(tmp_path / "gone.skops")
    with pytest.raises(FileNotFoundError, match=r"no such model file"):
        load_model(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"gone: no such folder to save the model in"):
        save_model(model, tmp_path / "gone" / "model.skops")


def test_a_failed_save_leaves_the_old_file(saved, model, clips, monkeypatch):
    before = saved.read_bytes()

    def break_off(content, file):
        file.write_bytes(b"half a mod")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(skops.io, "dump", break_off)
        with pytest.raises(KeyboardInterrupt):
            save_model(model, saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]
    # What goes well takes its place.
    save_model(LogisticRegression().fit([[0], [1]], [0, 1]), saved)
    assert isinstance(load_model(saved)[0], LogisticRegression)
    assert list(saved.parent.iterdir()) == [saved]


def test_other_versions_are_told(saved):
    def age(schema):
        versions = schema["content"]["versions"]["content"]
        versions["numpy"]["content"] = '"1.2.3"'
        versions["skemotion"]["content"] = '"0.0.1"'
        del versions["scipy"]
        return schema

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_model(saved)
    edit(saved, age)
    here = re.escape(f"skemotion 0.0.1 (here {skemotion.__version__}), numpy 1.2.3 (here ")
    with pytest.warns(UserWarning, match=here) as caught:
        load_model(saved)
    assert len(caught) == 1
    assert "scipy unknown" in str(caught[0].message)
    assert caught[0].filename == __file__
