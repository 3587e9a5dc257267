"""Every number Ofrecord publishes, declared in one place. Labels are few and closed: never ids."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

REGISTRY = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

_STAGE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

EXPLANATIONS = Counter(
    "ofrecord_explanations", "Explanation requests answered, by HTTP status.", ["status"], registry=REGISTRY
)
STAGE_SECONDS = Histogram(
    "ofrecord_stage_seconds",
    "Time spent in one stage of an explanation (attribution, reasons, counterfactuals, audit, total).",
    ["stage"],
    buckets=_STAGE_SECONDS,
    registry=REGISTRY,
)
COUNTERFACTUALS = Counter(
    "ofrecord_counterfactuals",
    "New explanations, by what was found of counterfactuals.",
    ["status"],
    registry=REGISTRY,
)
SEARCH_SECONDS = Histogram(
    "ofrecord_search_seconds",
    "Time that one search for counterfactuals took, by its method.",
    ["method"],
    buckets=_STAGE_SECONDS,
    registry=REGISTRY,
)
SEARCHES_WAITING = Gauge(
    "ofrecord_searches_waiting",
    "Searches for counterfactuals that wait for a thread.",
    registry=REGISTRY,
)
APPEND_SECONDS = Histogram(
    "ofrecord_append_seconds",
    "Time from handing an entry over to its commit.",
    buckets=_STAGE_SECONDS,
    registry=REGISTRY,
)
QUEUE_DEPTH = Gauge("ofrecord_append_queue_depth", "Entries waiting for the next commit.", registry=REGISTRY)
INCIDENTS = Counter("ofrecord_incidents", "Incident entries written, by kind.", ["kind"], registry=REGISTRY)
UNRECONCILED = Counter(
    "ofrecord_unreconciled",
    "Attributions refused because they missed the model's own margin.",
    registry=REGISTRY,
)
TREE_SIZE = Gauge("ofrecord_tree_size", "Entries integrated into the tree.", registry=REGISTRY)
PENDING_ENTRIES = Gauge(
    "ofrecord_pending_entries", "Entries committed and not yet integrated.", registry=REGISTRY
)
PENDING_AGE_SECONDS = Gauge(
    "ofrecord_pending_age_seconds", "Age of the oldest entry not yet integrated.", registry=REGISTRY
)
COSIGNED_TREE_SIZE = Gauge(
    "ofrecord_cosigned_tree_size",
    "Size of the largest tree that a witness has cosigned.",
    ["witness"],
    registry=REGISTRY,
)
NOTICES_BEHIND_ENTRIES = Gauge(
    "ofrecord_notices_behind_entries",
    "Entries of the tree not yet in the table of notices.",
    registry=REGISTRY,
)
NOTICES_BEHIND_SECONDS = Gauge(
    "ofrecord_notices_behind_seconds",
    "Age of the oldest entry not yet in the table of notices.",
    registry=REGISTRY,
)
NOTICES_OVERDUE = Gauge(
    "ofrecord_notices_overdue", "Notices of which a clock has run out.", registry=REGISTRY
)
WITNESS_SUBMISSIONS = Counter(
    "ofrecord_witness_submissions",
    "Checkpoints submitted to this witness, by what became of them.",
    ["outcome"],
    registry=REGISTRY,
)
EVALUATIONS = Counter(
    "ofrecord_evaluations", "Evaluations finished, by kind and state.", ["kind", "state"], registry=REGISTRY
)
REQUESTS = Counter(
    "ofrecord_requests", "HTTP requests, by route and status.", ["route", "status"], registry=REGISTRY
)


def exposition() -> tuple[bytes, str]:
    """Return the current numbers and their content type."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
