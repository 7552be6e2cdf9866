"""Several corpora as one."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from ..base import plural
from ._files import column, take_rows

_COLUMNS = ["video", "audio", "landmarks"]


def concat_corpora(
    corpora: Mapping[str, Bunch],
    *,
    others: Literal["drop", "keep", "raise"] = "drop",
    columns: Literal["shared", "all"] = "shared",
) -> Bunch:
    """Put several corpora together on the emotions that all of them have.

    Emotions are identified by their names, which are those of RAVDESS in every corpus that
    :func:`load_corpus` reads. Actors of different corpora stay different groups.

    Parameters
    ----------
    corpora : mapping of str to :class:`~sklearn.utils.Bunch`
        The corpora by a short name for each, such as ``{"ravdess": ..., "tess": ...}``, as
        :func:`load_ravdess`, :func:`load_corpus`, :func:`load_table` and :func:`load_folders`
        return them, with emotions and speakers.
    others : {"drop", "keep", "raise"}, default="drop"
        What to do with clips of emotions that some corpus lacks: leave them out, keep them, or
        refuse. Where they are kept, a model can recognise such an emotion by its corpus.
    columns : {"shared", "all"}, default="shared"
        Which columns `data` has: those in which every corpus has clips, so that RAVDESS with
        video and audio and TESS give ``audio``; or all of them, with None where there is no
        clip.

    Returns
    -------
    corpus : :class:`~sklearn.utils.Bunch`
        One row per recording, in the order given, with attributes

        data : pandas.DataFrame
            Columns ``video``, ``audio`` and ``landmarks``, or some of them. A recording with a
            clip in none of the columns is left out. And ``speaker``, as in `groups`.
        target : numpy.ndarray of str of shape (n_recordings,)
            Emotion.
        groups : numpy.ndarray of str of shape (n_recordings,)
            Corpus and actor, such as ``"tess/OAF"`` and ``"ravdess/1"``.
        metadata : pandas.DataFrame
            ``corpus``, and the columns of all corpora, with None where one lacks them.
        target_names : list of str
            Emotions present, in the order of the first corpus, then those that it lacks.
        DESCR : str
            What was put together and what was left out, and the description of each corpus.

    Raises
    ------
    ValueError
        If a name is empty or has a slash, if a corpus has no emotions or no speakers, if no
        emotion or no column is shared, if emotions differ and `others` is "raise", or if the same
        clip or the same actor of a corpus is there under two names: it could then be in training
        and in test at once.

    See Also
    --------
    load_corpus : One corpus.

    Notes
    -----
    Corpora also differ in microphones, rooms and sentences. Where they differ in the share of
    each emotion as well, a model can learn the corpus in place of the emotion: look at the
    figures by ``metadata["corpus"]``, or leave one corpus out, with that column as groups.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skemotion.datasets import concat_corpora, load_corpus, load_ravdess
    >>> with TemporaryDirectory() as one, TemporaryDirectory() as other:
    ...     for name in ["03-01-02-01-01-01-11.wav", "03-01-05-01-01-01-11.wav"]:
    ...         Path(one, name).touch()
    ...     Path(other, "OAF_back_angry.wav").touch()
    ...     corpus = concat_corpora(
    ...         {"ravdess": load_ravdess(one), "tess": load_corpus(other, naming="tess")}
    ...     )
    >>> corpus.target.tolist(), corpus.groups.tolist()
    (['angry', 'angry'], ['ravdess/11', 'tess/OAF'])
    >>> print(corpus.DESCR.split("----")[0])
    Several corpora as one
    <BLANKLINE>
    Emotions: angry
    Columns: audio
    ravdess: 1 recording, 1 actor; left out: 1 calm
    tess: 1 recording, 1 actor; left out: none
    """
    if others not in ("drop", "keep", "raise"):
        raise ValueError(f"others must be 'drop', 'keep' or 'raise', got {others!r}.")
    if columns not in ("shared", "all"):
        raise ValueError(f"columns must be 'shared' or 'all', got {columns!r}.")
    if not isinstance(corpora, Mapping) or not corpora:
        raise ValueError(
            f"corpora must be corpora by name, such as {{'ravdess': ..., 'tess': ...}}, got "
            f"{corpora if isinstance(corpora, Mapping) else type(corpora).__name__}."
        )
    for name in corpora:
        if not isinstance(name, str) or not name or "/" in name:
            raise ValueError(f"A corpus' name must be a text without a slash, got {name!r}.")
        for part in ("target", "groups"):
            if corpora[name][part] is None:
                raise ValueError(
                    f"Expected emotions and speakers of every clip, found {name!r} without {part}. "
                    "Load it with them."
                )

    kept = _shared_columns(corpora) if columns == "shared" else _known_columns(corpora)
    heard = {
        name: take_rows(corpus, corpus.data.reindex(columns=kept).notna().any(axis=1).to_numpy())
        for name, corpus in corpora.items()
    }
    shared = set.intersection(*(set(corpus.target_names) for corpus in heard.values()))
    unshared = {
        name: [word for word in corpus.target_names if word not in shared]
        for name, corpus in heard.items()
    }
    if not shared or (others == "raise" and any(unshared.values())):
        raise ValueError(
            f"Expected the same emotions in all corpora, found only in some: {_listed(unshared)}. "
            + ("Pass others='drop' or others='keep'." if shared else "None is in all of them.")
        )
    if others == "drop":
        heard = {
            name: take_rows(corpus, np.isin(corpus.target, list(shared)))
            for name, corpus in heard.items()
        }
    _check_disjoint(heard)
    parts = list(heard.values())
    names = [name for name, part in heard.items() for _ in range(len(part.target))]
    groups = [str(actor) for part in parts for actor in part.groups.tolist()]
    fields = dict.fromkeys(name for part in parts for name in part.metadata)
    metadata = _join([part.metadata for part in parts], list(fields))
    metadata["corpus"] = column(names)
    target_names = list(dict.fromkeys(word for part in parts for word in part.target_names))
    speakers = [f"{name}/{actor}" for name, actor in zip(names, groups, strict=True)]
    return Bunch(
        data=_join([part.data for part in parts], kept).assign(speaker=column(speakers)),
        target=np.concatenate([part.target for part in parts]),
        groups=np.array(speakers),
        metadata=metadata[["corpus", *metadata.columns.drop("corpus")]],
        target_names=target_names,
        DESCR=_describe(corpora, heard, target_names, kept),
    )


def _known_columns(corpora: Mapping[str, Bunch]) -> list[str]:
    tracked = any("landmarks" in corpus.data for corpus in corpora.values())
    return [key for key in _COLUMNS if tracked or key != "landmarks"]


def _shared_columns(corpora: Mapping[str, Bunch]) -> list[str]:
    there = {
        name: [key for key in _COLUMNS if key in corpus.data and corpus.data[key].notna().any()]
        for name, corpus in corpora.items()
    }
    shared = [key for key in _COLUMNS if all(key in keys for keys in there.values())]
    if not shared:
        raise ValueError(
            f"Expected video, audio or landmarks in all corpora, found {_listed(there)}. Pass "
            "columns='all', or load them from folders with clips of one kind."
        )
    return shared


def _check_disjoint(corpora: Mapping[str, Bunch]) -> None:
    """Refuse what would be one and the same on both sides of a split by groups."""
    for (one, first), (other, second) in combinations(corpora.items(), 2):
        clips = sorted(_paths(first) & _paths(second))
        if clips:
            raise ValueError(
                f"{clips[0]} is both in {one!r} and in {other!r} (shared clips: {len(clips)}). "
                "Give each clip once."
            )
        actors = sorted(set(first.groups.tolist()) & set(second.groups.tolist()))
        if first.DESCR == second.DESCR and actors:
            raise ValueError(
                f"{one!r} and {other!r} are the same corpus, and share actor {actors[0]} (shared "
                f"actors: {len(actors)}), who would count as two people. Load them at once from "
                "a folder that holds both, or give one another DESCR if these are other people."
            )


def _paths(corpus: Bunch) -> set[str]:
    cells = (cell for name in _COLUMNS if name in corpus.data for cell in corpus.data[name])
    return {os.fspath(cell) for cell in cells if isinstance(cell, str | os.PathLike)}


def _join(tables: Sequence[pd.DataFrame], names: Sequence[str]) -> pd.DataFrame:
    """Put columns of tables below each other, with None where a table lacks one."""
    return pd.DataFrame(
        {
            name: column(
                [
                    cell
                    for table in tables
                    for cell in (table[name].tolist() if name in table else [None] * len(table))
                ]
            )
            for name in names
        }
    )


def _describe(
    corpora: Mapping[str, Bunch],
    kept: Mapping[str, Bunch],
    emotions: Sequence[str],
    columns: Sequence[str],
) -> str:
    lines = ["Several corpora as one", "", f"Emotions: {', '.join(emotions)}"]
    lines.append(f"Columns: {', '.join(columns)}")
    for name, corpus in kept.items():
        n_actors = len(set(corpus.groups.tolist()))
        left = Counter(corpora[name].target.tolist()) - Counter(corpus.target.tolist())
        left_out = ", ".join(f"{number} {emotion}" for emotion, number in left.items()) or "none"
        lines.append(
            f"{name}: {plural(len(corpus.target), 'recording')}, {plural(n_actors, 'actor')}; "
            f"left out: {left_out}"
        )
    for name, corpus in corpora.items():
        lines += ["", f"---- {name}", "", corpus.DESCR.rstrip()]
    return "\n".join(lines) + "\n"


def _listed(words: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{name}: {', '.join(some) or 'none'}" for name, some in words.items())
