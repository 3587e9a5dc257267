"""The model as DiCE asks it, lean: from a frame's columns straight to the native model, every row counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.budget import Budget
from explain.counterfactual.dice.frames import Frame

FloatArray = NDArray[np.float64]

MOST_EVALUATIONS = 20_000
MOST_CALLS = 400
"""What DiCE itself may ever spend: where nothing is found, its genetic search draws row by row for ever."""

_SURE = 0.01  # how far the shown probability keeps from one half, which DiCE rounds either way


class Stopped(Exception):
    """The evaluations that were allowed are spent, or the deadline has come."""


class Exhausted(Exception):
    """DiCE has had as many evaluations as it ever gets, with or without a budget."""


@dataclass(slots=True, eq=False)
class Oracle:
    """DiCE's model interface, for one problem. Class 1 is the goal: reached, and clear of the threshold.

    The probability of class 1 falls with the distance from the goal, whatever the score is: several classes,
    margins, values and other goals all look alike. `failure` keeps what the model itself raised.
    """

    frame: Frame
    budget: Budget
    spent: int = 0
    calls: int = 0
    failure: Exception | None = None
    model_type: str = "classifier"
    backend: str = "sklearn"

    @property
    def names(self) -> list[str]:
        """What DiCE calls the columns: neutral, so that no name of a feature can mean something to it."""
        return [f"c{place}" for place in range(len(self.frame.columns))]

    @property
    def model(self) -> Oracle:
        """The wrapped model, at which DiCE looks for class labels."""
        return self

    @property
    def transformer(self) -> Oracle:
        """What DiCE would have rows pass through first."""
        return self

    def load_model(self) -> None:
        """Nothing is to be loaded."""

    def feed_data_params(self, _data: object) -> None:
        """Nothing is transformed."""

    def initialize_transform_func(self) -> None:
        """Nothing is transformed."""

    def transform(self, shown: Any) -> Any:
        """Return rows as they are."""
        return shown

    def get_num_output_nodes2(self, _shown: object) -> int:
        """Return how many classes there are."""
        return 2

    def get_output(self, shown: Any, model_score: bool = True) -> NDArray[Any]:
        """Return the probabilities of both classes (n, 2) of a data frame's rows, or the classes (n,)."""
        favourable = self.favourable(shown[self.names].to_numpy(dtype=object).astype(np.float64))
        if not model_score:
            return (favourable > 0.5).astype(np.int64)
        return np.stack([1.0 - favourable, favourable], axis=1)

    def favourable(self, shown: FloatArray) -> FloatArray:
        """Return the probabilities of class 1 of shown rows (n, columns); Stopped or Exhausted."""
        if not self.budget.goes_on():
            raise Stopped
        if self.spent >= MOST_EVALUATIONS or self.calls >= MOST_CALLS:
            raise Exhausted
        self.calls += 1
        self.spent += len(shown)
        self.budget.spend(len(shown))
        problem = self.frame.problem
        try:
            prediction = problem.model.predict(self.frame.rows(shown))
            distance, reached = problem.target.distance(prediction), problem.target.reached(prediction)
        except Exception as error:
            self.failure = error
            raise
        with np.errstate(invalid="ignore"):
            near = 0.5 - 0.5 * np.nan_to_num(distance / (1.0 + np.abs(distance)), nan=1.0)
        return np.where(reached, np.maximum(near, 0.5 + _SURE), np.minimum(near, 0.5 - _SURE))
