"""Clients that ask again until each decision is answered, and somebody who keeps every checkpoint he sees."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

THREADS = 4
DUPLICATED = 0.05  # two clients ask about the same decision at the same moment
REPEATED = 0.05  # a client asks again about what was answered before
SEARCHED = 0.03  # asked with a counterfactual
SUBJECTS = 60  # few, so that decisions of one subject meet
PAUSE_SECONDS = 0.1
TIMEOUT_SECONDS = 15.0
PATIENCE_SECONDS = 60.0  # for the last answers
MAY_BE_TRIED_AGAIN = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Answer:
    """What was promised about one decision."""

    entry_id: str
    leaf_hash: str
    receipt: Mapping[str, Any]


class Clients:
    """Threads that post decisions without a pause. What must not happen is kept in `wrong`."""

    def __init__(
        self, url: str, token: str, path: str, features: Mapping[str, object], dice: random.Random
    ) -> None:
        """Take the service, and the features of the applicant that every decision is about."""
        self.answered: dict[str, Answer] = {}
        self.repeats = 0
        self.refused: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.checkpoints: dict[int, str] = {}
        self._url, self._headers, self._path = url, {"Authorization": f"Bearer {token}"}, path
        self._features = dict(features)
        self._dice = dice
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._next = 0
        self._again: list[str] = []
        self._threads = [threading.Thread(target=self._work, args=(self._post,)) for _ in range(THREADS)]
        self._threads.append(threading.Thread(target=self._work, args=(self._follow,)))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each client get its last answer, and end."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self, turn: Any) -> None:
        try:
            with httpx.Client(
                base_url=self._url, headers=self._headers, timeout=TIMEOUT_SECONDS, trust_env=False
            ) as client:
                while not self._stop.is_set():
                    turn(client)
        except Exception as error:  # noqa: BLE001 - told at the end; a thread's own traceback is lost
            self.wrong.append(f"a client ended: {error!r}")

    def _post(self, client: httpx.Client) -> None:
        decision = self._choose()
        body = self.request(decision)
        patience = PATIENCE_SECONDS
        while patience > 0:
            try:
                answer = client.post(self._path, json=body)
            except httpx.TransportError as error:
                self._count(type(error).__name__)
            else:
                if answer.status_code in (200, 201):
                    self._keep(decision, answer.json())
                    return
                self._count(_named(answer))
                if answer.status_code not in MAY_BE_TRIED_AGAIN:
                    self.wrong.append(f"{decision}: {answer.status_code} {answer.text[:500]}")
                    return
            time.sleep(PAUSE_SECONDS)
            if self._stop.is_set():
                patience -= PAUSE_SECONDS
        self.wrong.append(f"{decision}: never answered")

    def _choose(self) -> str:
        with self._lock:
            if self._again:
                return self._again.pop()
            if self.answered and self._dice.random() < REPEATED:
                return self._dice.choice(list(self.answered))
            self._next += 1
            decision = f"D-{self._next}"
            if self._dice.random() < DUPLICATED:
                self._again.append(decision)
            return decision

    def request(self, decision: str) -> dict[str, object]:
        """The request of a decision, the same each time."""
        dice = random.Random(decision)  # noqa: S311 - to be drawn again
        searched = dice.random() < SEARCHED
        return {
            "decision_id": decision,
            "subject_ref": f"S-{dice.randrange(SUBJECTS)}",
            "features": self._features,
            "budget_ms": 5000,
            "counterfactuals": {"count": int(searched)},
        }

    def _keep(self, decision: str, document: Mapping[str, Any]) -> None:
        receipt = {name: value for name, value in document["receipt"].items() if name != "index"}
        made = Answer(document["explanation_id"], receipt["leaf_hash"], receipt)
        with self._lock:
            kept = self.answered.setdefault(decision, made)
            self.repeats += kept is not made
        if kept != made or document["decision_id"] != decision:
            self.wrong.append(f"{decision}: answered as {kept} and as {made}")

    def _follow(self, client: httpx.Client) -> None:
        """Keep every checkpoint; two of one size must be the same."""
        try:
            answer = client.get("/v1/log/checkpoint")
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code == 200:
            size = int(answer.text.split("\n")[1])
            kept = self.checkpoints.setdefault(size, answer.text)
            if kept.partition("\n\n")[0] != answer.text.partition("\n\n")[0]:
                self.wrong.append(f"two trees of size {size} were signed")
            if size < max(self.checkpoints):
                self.wrong.append(f"the tree shrank from {max(self.checkpoints)} to {size}")
        time.sleep(PAUSE_SECONDS)

    def _count(self, refusal: str) -> None:
        with self._lock:
            self.refused[refusal] += 1


def _named(answer: httpx.Response) -> str:
    try:
        return f"{answer.status_code} {answer.json()['type'].rpartition('/')[2]}"
    except (ValueError, KeyError):
        return str(answer.status_code)
