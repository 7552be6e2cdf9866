"""Sharing out an effect among its causes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray


def owen_values(
    ask: Callable[[NDArray[np.bool_]], NDArray[np.float64]],
    groups: Sequence[int],
    n_orders: int,
    random_state: np.random.RandomState,
) -> NDArray[np.float64]:
    """Share out what a function gains from nothing to all of its inputs.

    Inputs are shown one after the other, and each is credited with what it adds, averaged over
    orders in which the inputs of a group stay together [1]_; each order is also taken backwards.

    Parameters
    ----------
    ask : callable
        Takes a bool array of shape (n_questions, n_inputs), and gives a number for each.
    groups : sequence of int, length n_inputs
        Group of each input.
    n_orders : int
        Number of orders, even.
    random_state : RandomState

    Returns
    -------
    effects : ndarray of shape (n_inputs,)
        Their sum is the function of all inputs less the function of none, up to rounding.

    References
    ----------
    .. [1] G. Owen, "Values of games with a priori unions", in Mathematical Economics and Game
       Theory, Springer, 1977; sampling: J. Castro, D. Gomez and J. Tejada, "Polynomial calculation
       of the Shapley value based on sampling", Computers & Operations Research 36(5), 2009.
    """
    group_of = np.asarray(groups)
    n_inputs = len(group_of)
    orders: list[NDArray[np.intp]] = []
    for _ in range(n_orders // 2):
        ranks = random_state.permutation(group_of.max() + 1)[group_of]
        order = np.lexsort((random_state.permutation(n_inputs), ranks))
        orders += [order, order[::-1]]
    # Nothing and all are the same in every order.
    questions = np.zeros((len(orders), n_inputs - 1, n_inputs), dtype=bool)
    for number, order in enumerate(orders):
        for n_shown in range(1, n_inputs):
            questions[number, n_shown - 1, order[:n_shown]] = True
    ends = np.array([[False], [True]]).repeat(n_inputs, axis=1)
    answers = ask(np.concatenate([ends, questions.reshape(-1, n_inputs)]))
    nothing, everything = answers[:2]
    between = answers[2:].reshape(len(orders), n_inputs - 1)
    effects = np.zeros(n_inputs)
    for order, course in zip(orders, between, strict=True):
        effects[order] += np.diff([nothing, *course, everything])
    return effects / len(orders)
