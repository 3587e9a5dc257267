"""An explanation, put for a person."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audit.verify import Verified
from cli.running.folder import DataFolder
from cli.running.screen import Screen

Json = Mapping[str, Any]


def tell_explanation(screen: Screen, request: Json, answer: Json) -> None:
    """Print the decision, its reasons, one change that would reverse it, and where the time went."""
    decision = answer["decision"]
    screen.say()
    screen.heading(f"Application {request['decision_id']}: {decision['outcome']}")
    screen.say(f"  score {decision['score']:.3f}, where the line is {decision['threshold']:g}")
    screen.say()
    screen.say("  Why")
    for reason in answer["reasons"]:
        share = f"{_percent(reason['share'])} of what told against it"
        screen.say(f"    {reason['rank']}. {reason['text']} ({reason['code']}, {share})")
        observed = ", ".join(f"{name} {_value(value)}" for name, value in reason["observed"].items())
        typical = reason.get("reference_value")
        beside = "" if typical is None else f"; just approved, typically: {_value(typical)}"
        screen.say(f"       {observed}{beside}")
    screen.say()
    _tell_counterfactual(screen, answer["counterfactuals"])
    timings = " · ".join(
        f"{name} {value:.1f}" for name, value in answer["timings_ms"].items() if value is not None
    )
    screen.say()
    screen.say(f"  Milliseconds  {timings}")
    sums = answer["attribution"]["reconciliation"]
    screen.say(f"  Reconciled    sum {sums['sum']:.6f}, the model's own margin {sums['expected']:.6f}")


def tell_proof(screen: Screen, answer: Json, proved: Verified) -> None:
    """Print the receipt and what the evidence proves."""
    receipt = answer["receipt"]
    screen.say(f"  Receipt       entry {receipt['entry_id']}, signed by {receipt['key_id']}")
    place = f"index {proved.index} of {proved.tree_size} in {proved.origin}"
    screen.say(f"  Proved        {place}, checked without the service")


def tell_commands(screen: Screen, url: str, folder: DataFolder, model: str) -> None:
    """Print lines to try."""
    shown = folder.root / "example"
    screen.say()
    screen.say("  Try")
    token, body = _short(folder.admin_token), _short(shown / "request.json")
    headers = f'-H "Authorization: Bearer $(cat {token})" -H "Content-Type: application/json"'
    screen.say(f"    curl -s {headers} -d @{body} {url}/v1/models/{model}/explanations")
    screen.say(f"    ofrecord verify {_short(shown / 'evidence.json')} --key {_short(folder.verifier_keys)}")


def _tell_counterfactual(screen: Screen, found: Json) -> None:
    if not found["items"]:
        screen.say(f"  What would change it: {found['status']}")
        return
    screen.say("  What would change it")
    best = found["items"][0]
    for change in best["changes"]:
        screen.say(f"    {change['feature']}: {_value(change['from'])} -> {_value(change['to'])}")
    verified = ", verified by the model itself" if best["verified"] else ""
    screen.say(f"    then: {best['outcome']}, score {best['score']:.3f}{verified}")


def _value(value: object) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _short(path: Path) -> str:
    """Return the path as a person here would write it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
