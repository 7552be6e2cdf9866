"""What the network classifiers share: their input, their training, their predictions."""

from __future__ import annotations

import threading
from numbers import Integral, Real
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import GroupShuffleSplit
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state, compute_class_weight
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from ..base import check_cell, check_clips, clip_column, plural, remember_column

TRAINING_CONSTRAINTS = {
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "max_epochs": [Interval(Integral, 1, None, closed="left")],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "class_weight": [dict, StrOptions({"balanced"}), None],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
    "patience": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
    "device": [str],
}

# Held while torch's one generator for all threads is borrowed.
_BORROWING = threading.Lock()


def fit_network(estimator: Any, X: Any, y: Any, groups: Any) -> None:
    """Train an estimator's network and give the estimator its fitted attributes.

    Parameters
    ----------
    estimator : estimator
        Has the parameters in `TRAINING_CONSTRAINTS` and ``_network(n_features, n_classes,
        generator)``, which builds its torch module.
    X, y, groups : Any
        As `fit` was given them.
    """
    torch = import_torch(estimator)
    y = validate_data(estimator, y=y)
    check_classification_targets(y)
    clips, n_variants = _trajectories(estimator, X, reset=True)
    check_consistent_length(clips[::n_variants], y, groups)
    classes, codes = np.unique(y, return_inverse=True)
    seed = int(check_random_state(estimator.random_state).randint(np.iinfo(np.int32).max))
    train, valid = hold_out(codes, groups, estimator.validation_fraction, seed)
    weight = compute_class_weight(estimator.class_weight, classes=classes, y=y[train])

    def expand(rows: NDArray[np.intp]) -> NDArray[np.intp]:
        return (rows[:, np.newaxis] * n_variants + np.arange(n_variants)).ravel()

    scaler = StandardScaler().fit(np.concatenate([clips[row] for row in expand(train)]))
    parts = [
        (
            _pad([clips[row] for row in expand(rows)], scaler.mean_, scaler.scale_, np.float32),
            np.repeat(codes[rows], n_variants),
        )
        for rows in (train, valid)
        if len(rows)
    ]
    generator = torch.Generator().manual_seed(seed)
    with _BORROWING, torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        module = estimator._network(len(scaler.mean_), len(classes), generator)
    history = _train(estimator, module, parts, weight / weight[codes[train]].mean(), generator)
    weights = {name: value.cpu().numpy() for name, value in module.state_dict().items()}
    if not all(np.isfinite(value).all() for value in weights.values()):
        raise ValueError(
            f"The training of {type(estimator).__name__} diverged: lower learning_rate "
            f"({estimator.learning_rate})."
        )
    estimator.classes_ = classes
    estimator.mean_ = scaler.mean_
    estimator.scale_ = scaler.scale_
    estimator.weights_ = weights
    estimator.validation_indices_ = valid
    estimator.history_ = history
    estimator.n_iter_ = len(history["train_loss"])


def predict_probabilities(estimator: Any, X: Any) -> NDArray[np.float64]:
    """Return each class' probability, averaged over a clip's variants.

    Computed in double precision, so that a clip's probabilities depend on the other clips of the
    batch only in the last digits.

    Parameters
    ----------
    estimator : estimator
        Fitted by `fit_network`.
    X : Any
        As `predict_proba` was given it.

    Returns
    -------
    probabilities : ndarray of shape (n_clips, n_classes)
    """
    check_is_fitted(estimator)
    torch = import_torch(estimator)
    clips, n_variants = _trajectories(estimator, X, reset=False)
    n_classes = len(estimator.classes_)
    # On no device, where nothing is drawn for weights that are replaced.
    with torch.device("meta"):
        module = estimator._network(len(estimator.mean_), n_classes, None)
    weights = {
        name: torch.tensor(value, dtype=torch.float64) for name, value in estimator.weights_.items()
    }
    module.load_state_dict(weights, assign=True)
    module.eval()
    batches = []
    with torch.inference_mode():
        for start in range(0, len(clips), estimator.batch_size):
            batch = clips[start : start + estimator.batch_size]
            padded = _pad(batch, estimator.mean_, estimator.scale_, np.float64)
            logits = module(**{name: torch.from_numpy(part) for name, part in padded.items()})
            batches.append(torch.softmax(logits, dim=1).numpy())
    probabilities = np.concatenate(batches).reshape(-1, n_variants, n_classes)
    return np.asarray(probabilities.mean(axis=1))


def hold_out(
    codes: NDArray[np.intp], groups: Any, fraction: float | None, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split the clips into those to train on and those for early stopping.

    Parameters
    ----------
    codes : ndarray of shape (n_clips,)
        Classes.
    groups : array-like of shape (n_clips,) or None
        Speakers, held out whole; None holds out a share of each class.
    fraction : float or None
        Share to hold out; None for nothing.
    seed : int
        Of the choice.

    Returns
    -------
    train, valid : ndarray of int
        Rows. Every class is in the first; without groups, the second may be empty if every class
        has too few clips.
    """
    rows = np.arange(len(codes))
    if fraction is None:
        return rows, rows[:0]
    if groups is None:
        # Unlike scikit-learn's stratified splits, this one allows classes of a single clip.
        rng = np.random.default_rng(seed)
        held = []
        for code in np.unique(codes):
            of_class = rng.permutation(rows[codes == code])
            held.append(of_class[: min(round(fraction * len(of_class)), len(of_class) - 1)])
        valid = np.sort(np.concatenate(held))
        return np.setdiff1d(rows, valid), valid
    groups = np.asarray(groups)
    if len(np.unique(groups)) < 2:
        raise ValueError(
            "Expected clips of at least two groups (speakers), to hold one out for early stopping; "
            "found one. Add speakers, or set validation_fraction=None."
        )
    splits = GroupShuffleSplit(n_splits=20, test_size=fraction, random_state=seed)
    for train, valid in splits.split(rows, groups=groups):
        if np.isin(codes, codes[train]).all():
            return train, valid
    raise ValueError(
        "Whichever groups (speakers) are held out for early stopping, a class is left without "
        "training clips. Add clips of it by more speakers, or set validation_fraction=None."
    )


def import_torch(estimator: BaseEstimator) -> ModuleType:
    """Import torch and skorch; if they are missing, the error says what to install."""
    try:
        import skorch  # noqa: F401
        import torch
    except ImportError as error:
        raise ImportError(
            f"{type(estimator).__name__} needs torch and skorch: "
            'python -m pip install "skemotion[torch]"'
        ) from error
    return torch


def _trajectories(estimator: Any, X: Any, *, reset: bool) -> tuple[list[NDArray[Any]], int]:
    """Return each clip's trajectories, (n_frames, n_features), and how many each has."""
    column = clip_column(X)
    if column is None:
        axes = "(n_clips, n_frames, n_features)"
        X = check_clips(estimator, X, reset=reset, ndim=(3,), axes=axes)
        return list(X.reshape(*X.shape[:2], -1)), 1
    table = column.reshape(len(column), -1)
    expected = "trajectories of shape (n_frames, n_features), such as AudioFeatures makes"
    cells = [
        check_cell(estimator, cell, row, ndim=(1, 2), expected=expected)
        for row, cells in enumerate(table)
        for cell in cells
    ]
    clips = [cell if cell.ndim == 2 else cell[:, np.newaxis] for cell in cells]
    n_features = clips[0].shape[1] if reset else len(estimator.mean_)
    for at, clip in enumerate(clips):
        if clip.shape[1] != n_features:
            raise ValueError(
                f"{type(estimator).__name__} expected {plural(n_features, 'feature')} in every "
                f"frame, found {clip.shape[1]} in row {at // table.shape[1]}: give all clips the "
                "same features."
            )
    if reset:
        remember_column(estimator, table.shape[1])
    return clips, table.shape[1]


def _pad(
    clips: list[NDArray[Any]], mean: NDArray[Any], scale: NDArray[Any], dtype: type[np.floating]
) -> dict[str, NDArray[Any]]:
    """Standardise trajectories and pad them with zeros to the longest of them."""
    n_frames = np.array([len(clip) for clip in clips])
    frames = np.zeros((len(clips), n_frames.max(), len(mean)), dtype=dtype)
    for padded, clip in zip(frames, clips, strict=True):
        padded[: len(clip)] = (clip - mean) / scale
    return {"frames": frames, "n_frames": n_frames}


def _train(
    estimator: Any,
    module: Any,
    parts: list[tuple[dict[str, NDArray[Any]], NDArray[np.intp]]],
    class_weight: NDArray[np.float64],
    generator: Any,
) -> dict[str, list[float]]:
    """Train a torch module in place; `parts` are the training and, if any, the validation data."""
    import torch
    from skorch import NeuralNet
    from skorch.callbacks import EarlyStopping
    from skorch.dataset import Dataset
    from skorch.helper import predefined_split

    from ._networks import WeightedCrossEntropy

    (frames, codes), *validation = parts
    losses = ["train_loss", "valid_loss"] if validation else ["train_loss"]
    stopping = EarlyStopping(patience=estimator.patience, threshold=0, load_best=True)
    net = NeuralNet(
        module,
        criterion=WeightedCrossEntropy(torch.tensor(class_weight, dtype=torch.float32)),
        optimizer=torch.optim.AdamW,
        lr=estimator.learning_rate,
        max_epochs=estimator.max_epochs,
        batch_size=estimator.batch_size,
        iterator_train__shuffle=True,
        iterator_train__generator=generator,
        iterator_valid__generator=generator,
        train_split=predefined_split(Dataset(*validation[0])) if validation else None,
        callbacks=[("stopping", stopping)] if validation else None,
        device=estimator.device,
        verbose=0,
    )
    net.fit(frames, codes)
    # skorch stops by KeyboardInterrupt, and takes the user's for its own.
    stopped = bool(validation) and stopping.misses_ == estimator.patience
    if not stopped and len(net.history) < estimator.max_epochs:
        raise KeyboardInterrupt
    return {name: [float(row[name]) for row in net.history] for name in losses}
