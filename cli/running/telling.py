"""An explanation, put for a person."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audit.verify import Verified
from cli.running.folder import DataFolder
from cli.running.screen import Screen
from cli.wording import in_words

Json = Mapping[str, Any]


_COMPARED_WITH = {
    "near_cutoff_approved": "average of those just approved",
    "all_applicants": "average of all applicants",
}
_NO_CHANGE = {
    "no_recourse": "no permitted change would, and that is proved",
    "unresolved": "nothing was found in the time given, which proves nothing",
    "partial": "nothing was found in the time given, which proves nothing",
    "deferred": "still being searched by a worker",
    "not_requested": "not asked for",
    "not_needed": "nothing needs to",
}


def tell_explanation(screen: Screen, request: Json, answer: Json, units: Mapping[str, str]) -> None:
    """Print the decision, its reasons, one change that would reverse it, and where the time went.

    `units` holds the manifest's unit of each feature that has one.
    """
    decision = answer["decision"]
    side = "favourable" if decision["favourable"] else "adverse"
    screen.say()
    screen.heading(f"Application {request['decision_id']}: {decision['outcome']}")
    screen.say(
        f"  score {decision['score']:.3f}, on the {side} side of the line at {decision['threshold']:g}"
    )
    screen.say()
    screen.say("  Why")
    compared = _COMPARED_WITH.get(answer["attribution"]["reference"]["kind"], "average compared with")
    for reason in answer["reasons"]:
        share = f"{_percent(reason['share'])} of what told against it"
        screen.say(f"    {reason['rank']}. {reason['text']} ({reason['code']}, {share})")
        typical = reason.get("reference_value")
        beside = "" if typical is None else f"; {compared}: {typical:.4g}"
        for name, value in reason["observed"].items():
            screen.say(f"       {name} {in_words(value)}{_unit(name, units)}{beside}")
    screen.say()
    _tell_counterfactual(screen, answer["counterfactuals"], units)
    screen.say()
    if answer["timings_ms"] is None:  # the first answer to this decision, not a new one
        screen.say(f"  On record     since {answer['created_at']}")
    else:
        timings = " · ".join(f"{name} {value:.1f}" for name, value in answer["timings_ms"].items())
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
    program = _short(Path(sys.executable).with_name("ofrecord"))  # a virtual environment is not on the path
    screen.say(f"    {program} verify {_short(shown / 'evidence.json')} --key {_short(folder.verifier_keys)}")


def _tell_counterfactual(screen: Screen, found: Json, units: Mapping[str, str]) -> None:
    if not found["items"]:
        screen.say(f"  What would change it: {_NO_CHANGE.get(found['status'], found['status'])}")
        return
    screen.say("  What would change it")
    best = found["items"][0]
    for change in best["changes"]:
        name = change["feature"]
        told = f"{name} {in_words(change['to'])} instead of {in_words(change['from'])}{_unit(name, units)}"
        screen.say(f"      from which follows: {told}" if change.get("derived") else f"    {told}")
    verified = ", verified by the model itself" if best["verified"] else ""
    screen.say(f"    then: {best['outcome']}, score {best['score']:.6g}{verified}")


def _unit(name: str, units: Mapping[str, str]) -> str:
    return f" ({units[name]})" if name in units else ""


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _short(path: Path) -> str:
    """Return the path as a person here would write it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
