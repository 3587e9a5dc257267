"""Asking for a replay, and recording what never happened, for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from audit.entry import Draft
from records.private import build_private, parse_private
from records.private_parts import PrivatePart
from records.subjects import subject_named
from registry.proposing import Proposer
from schemas.replay import Replay

Answer = dict[str, Any]


def replayed(running: Any, explanation_id: str) -> Answer:
    """The answer of one replay."""
    response = running.http.post(f"/v1/explanations/{explanation_id}/replay")
    assert response.status_code == 200, response.text
    found: Answer = response.json()
    Replay.model_validate(found)
    return found


def identical(running: Any, answer: Answer) -> Answer:
    """The same for one in which nothing may differ and nothing be left out."""
    found = replayed(running, answer["explanation_id"])
    told = (found["verdict"], found["first_difference"], found["not_compared"])
    assert told == ("identical", None, []), found
    assert set(found["parts"].values()) == {"identical"}
    return found


def explained(running: Any, model: str = "loans", **changes: object) -> Answer:
    """The answer to one new decision."""
    response = running.explain(running.request(**changes), model)
    assert response.status_code == 201, response.text
    found: Answer = response.json()
    return found


def recorded_otherwise(
    running: Any,
    explanation_id: str,
    change: Callable[[PrivatePart], None],
    **body: object,
) -> str:
    """Put a record beside this one that says something else of the same decision; its id."""
    log = running.services.log
    stored = log.read(running.uuid(explanation_id))
    part = parse_private(log.open(stored))
    change(part)
    entry = stored.entry
    subject = subject_named(str(entry.body["model"]), part["decision_id"], part["subject_ref"])
    draft = Draft(
        type=entry.type,
        actor=entry.actor,
        body={**entry.body, **body},
        private=build_private(part),
        subject=subject,
        retention_class=entry.retention_class,
    )
    return str(log.append_one(draft, entry.time).entry_id)


@contextmanager
def proposed_by(running: Any, proposer: Proposer) -> Iterator[None]:
    """The service asks this counterfactual server, or none."""
    services = running.services
    running.app.state.services = replace(services, proposer=proposer)
    try:
        yield
    finally:
        running.app.state.services = services
