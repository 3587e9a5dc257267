"""Recorded searches repeated by their effort and their seed: the first answer's, and those of supplements."""

from __future__ import annotations

from dataclasses import dataclass, replace

from explain.counterfactual.base import CounterfactualSet, Effort
from explain.counterfactual.concluding import Found
from explain.counterfactual.problem import Problem
from explain.counterfactual.replaying import replayed
from explain.deadline import Deadline
from records.asked import aim_of, narrowing_of
from records.counterfactual_parts import AskedPart, CounterfactualPart
from records.searched import efforts_of
from registry.loading import LoadedVersion
from registry.proposing import AskedSearch, Proposer

UNANSWERED = "counterfactual-server-unavailable"
OUT_OF_TIME = "out-of-time"
NOT_ON_RECORD = "not-on-record"


@dataclass(frozen=True, slots=True)
class Searcher:
    """Repeats searches: this process its own, the counterfactual server the others, until a deadline."""

    loaded: LoadedVersion
    proposer: Proposer
    deadline: Deadline

    def again(self, problem: Problem, part: CounterfactualPart) -> CounterfactualSet | str:
        """The same search again, with the recorded seed; or why it could not be repeated."""
        asked = part.get("asked")
        if asked is None:
            return NOT_ON_RECORD
        seeded = replace(problem, seed=int(part.get("seed", "0")))
        search = self.loaded.search
        own = {method.name: method for method in (search.direct(seeded), search.exact)}
        unanswered: list[str] = []

        def ask(effort: Effort) -> Found:
            found = self._asked(seeded, asked, effort.method)
            if found.effort.state != "finished":
                unanswered.append(effort.method)
            return found

        found = replayed(seeded, efforts_of(part), own, ask, self.deadline)
        if self.deadline.expired:
            return OUT_OF_TIME
        return UNANSWERED if unanswered else found

    def _asked(self, problem: Problem, asked: AskedPart, method: str) -> Found:
        search = AskedSearch(method, narrowing_of(asked), aim_of(asked))
        return self.proposer.propose_now(self.loaded, problem, search, self.deadline)
