"""The explanation for the person concerned: GDPR Article 15(1)(h) as C-203/22 reads it, EU AI Act Article 86.

"The procedure and principles actually applied", in plain language: who decided, by which data, how far and
which way each of them moved the result, compared with whom, what a variation would have changed, and what
the person can do. What the record does not state is said to be not stated.
"""

from __future__ import annotations

from collections.abc import Iterable

from records.private_parts import ReasonPart
from records.reviews import CountedReview, standing
from reports.letters.draft import Draft
from reports.letters.influence import Direction, Influence, influences, main_of
from reports.letters.inputs import input_blocks
from reports.letters.letter import Block, Facts, Listing, Paragraph, Section
from reports.letters.plain import lines, one_line
from reports.letters.recourse import status_told

CITED = ("gdpr-15", "gdpr-16", "gdpr-22", "gdpr-77", "gdpr-79", "cjeu-c-203-22", "ai-act-86")
RIGHTS = ("right_contest", "right_review", "right_correction", "right_access", "right_complaint")
DIRECTIONS: tuple[Direction, Direction] = ("adverse", "favourable")


def sections(draft: Draft) -> tuple[Section, ...]:
    """Return the letter's sections in their order."""
    return (
        Section(None, (Paragraph(draft.say("intro")), _subject(draft))),
        Section(draft.say("decided_heading"), tuple(_decided(draft))),
        *_reviewed(draft),
        Section(draft.say("role_heading"), tuple(_role(draft))),
        Section(draft.say("procedure_heading"), _procedure(draft)),
        Section(draft.say("data_heading"), tuple(input_blocks(draft))),
        Section(draft.say("influence_heading"), (*_influence(draft), *_reasons(draft))),
        Section(draft.say("group_heading"), (_group(draft),)),
        Section(draft.say("variation_heading"), tuple(_variation(draft))),
        Section(draft.say("rights_heading"), tuple(_rights(draft))),
    )


def _subject(draft: Draft) -> Facts:
    source = draft.source
    rows = [
        (draft.say("date_label"), draft.day(draft.decided_at)),
        (draft.say("reference_label"), one_line(draft.part["decision_id"])),
        (draft.say("purpose_label"), one_line(source.manifest.purpose)),
        (draft.say("model_label"), f"{source.model}, {source.version}"),
        (draft.say("record_label"), source.explanation_id),
    ]
    if action := draft.application.get("action"):
        terms = draft.application.get("counteroffer")
        told = draft.say(f"action_{action}")
        if action == "counteroffer" and terms:
            told = draft.say("action_counteroffer_told", terms=one_line(terms))
        rows.append((draft.say("action_label"), told))
    return Facts(tuple(rows))


def _decided(draft: Draft) -> Iterable[Block]:
    yield Paragraph(draft.say("decided", day=draft.day(draft.decided_at), outcome=draft.outcome))
    combined = draft.part.get("combined")
    if combined is not None and combined["components"]:
        yield Paragraph(draft.say("components_intro"))
        yield Listing(
            tuple(
                draft.say(
                    "component",
                    name=one_line(one["name"]),
                    kind=draft.say(f"kind_{one['kind']}"),
                    result=draft.say(f"result_{one['result']}"),
                )
                for one in combined["components"]
            )
        )
    yield Paragraph(_score(draft))
    band = draft.source.manifest.outcome.gray_band
    if band is not None and combined is not None:
        least, greatest = (draft.number(limit) for limit in band)
        yield Paragraph(draft.say("gray_band", least=least, greatest=greatest))
    if draft.model_unused:
        yield Paragraph(draft.say("model_unused"))


def _reviewed(draft: Draft) -> Iterable[Section]:
    """What people did about the decision afterwards, and what holds; no section where nobody did anything."""
    reviews = draft.source.reviews
    if not reviews:
        return
    told = [Paragraph(_review(draft, review)) for review in reviews]
    holds = standing(reviews)
    outcome = draft.outcome if holds is None else one_line(holds.outcome)
    phrase = "standing_same" if outcome == draft.outcome else "standing_other"
    last = Paragraph(draft.say(phrase, outcome=outcome))
    yield Section(draft.say("review_heading"), (*told, last))


def _review(draft: Draft, review: CountedReview) -> str:
    day, later = draft.day(review.at), review.superseded_by
    if later is not None and review.kind == "overridden" and review.outcome is not None:
        told = one_line(review.outcome)
        return draft.say("review_overridden_remade", day=day, outcome=told, record=str(later))
    if later is not None:
        return draft.say("review_remade", day=day, record=str(later))
    if review.outcome is None:
        return draft.say(f"review_{review.kind}", day=day)
    return draft.say(f"review_{review.kind}_outcome", day=day, outcome=one_line(review.outcome))


def _score(draft: Draft) -> str:
    """The model's score and the line it was compared with, in the sense that the manifest gives them."""
    decision, outcome = draft.part["decision"], draft.source.manifest.outcome
    named = {"adverse": one_line(outcome.adverse), "favourable": one_line(outcome.favourable)}
    contrast = decision.get("contrast")
    if contrast is not None:
        classes = {f"{side}_class": one_line(contrast[side]) for side in DIRECTIONS}
        return draft.say("score_classes", answer=one_line(decision["outcome"]), **named, **classes)
    score, threshold = decision["score"], decision["threshold"]
    written = draft.on_its_side(score, threshold)
    phrase = f"score_{outcome.direction or outcome.score}"
    return draft.say(phrase, score=written, threshold=draft.number(threshold), **named)


def _role(draft: Draft) -> Iterable[Block]:
    role = draft.source.manifest.role
    yield Paragraph(draft.say("role_unstated" if role is None else f"role_{role.kind}"))
    if role is None or role.human_involvement is None:
        yield Paragraph(draft.say("human_unstated"))
    else:
        yield Paragraph(draft.say("human_stated", involvement=one_line(role.human_involvement)))


def _procedure(draft: Draft) -> tuple[Block, ...]:
    several = draft.source.manifest.outcome.classes is not None
    return (
        Paragraph(draft.say("procedure_classes" if several else "procedure_score")),
        Paragraph(draft.say("procedure_shares")),
    )


def _influence(draft: Draft) -> Iterable[Block]:
    found, outcome = influences(draft), draft.source.manifest.outcome
    yield Paragraph(draft.say("influence_intro"))
    told: list[Influence] = []
    for direction in DIRECTIONS:
        named = outcome.adverse if direction == "adverse" else outcome.favourable
        yield Paragraph(draft.say(f"towards_{direction}", outcome=one_line(named)))
        main = main_of(found, direction)
        items = [
            draft.say(
                "influence", label=one.label, weight=draft.say(one.weight), percent=draft.percent(one.share)
            )
            for one in main
        ]
        yield Listing(tuple(items) or (draft.say("towards_nothing"),), numbered=bool(items))
        told += main
    rest = sum(one.share for one in found if one not in told)
    if rest > 0:
        yield Paragraph(draft.say("influence_rest", percent=draft.percent(rest)))
    if without := [one.label for one in found if one.contribution == 0]:
        yield Paragraph(draft.say("influence_none", labels=draft.enumerated(without)))


def _reasons(draft: Draft) -> Iterable[Block]:
    reasons = draft.part["reasons"]
    if reasons:
        yield Paragraph(draft.say("reason_intro" if len(reasons) == 1 else "reasons_intro"))
        yield Listing(tuple(_reason(draft, reason) for reason in reasons), numbered=True)


def _reason(draft: Draft, reason: ReasonPart) -> str:
    text, component, seen = draft.reason_text(reason), reason.get("component"), reason.get("given") or []
    if component is not None:
        text = draft.say("reason_of_component", text=text, component=one_line(component))
    if seen:
        told = [draft.say("seen", name=one_line(row["name"]), text=one_line(row["text"])) for row in seen]
        text = draft.say("reason_with_seen", text=text, seen="; ".join(told))
    return text


def _group(draft: Draft) -> Paragraph:
    reference = draft.part["attribution"]["reference"]
    return Paragraph(
        draft.say(
            f"group_{reference['kind']}",
            rows=draft.number(reference["rows"], 0),
            favourable=one_line(draft.source.manifest.outcome.favourable),
        )
    )


def _variation(draft: Draft) -> Iterable[Block]:
    items = draft.counterfactuals()
    if not items:
        status = status_told(draft.source, items)
        known = status if status not in ("found", "partial") else "unresolved"
        yield Paragraph(draft.say(f"variation_{known}"))
        return
    favourable = one_line(draft.source.manifest.outcome.favourable)
    yield Paragraph(draft.say("variation_found", outcome=favourable))
    yield Listing(tuple(draft.changes(item) for item in items))
    if draft.others_failed:
        yield Paragraph(draft.say("variation_others"))
    yield Paragraph(draft.say("variation_promise"))


def _rights(draft: Draft) -> Iterable[Block]:
    yield Paragraph(draft.say("rights_intro"))
    yield Listing(tuple(draft.say(right) for right in RIGHTS))
    notice = draft.source.manifest.notice
    if notice is None or notice.contact is None:
        yield Paragraph(draft.say("contact_unstated"))
    else:
        yield Paragraph(draft.say("contact_stated", contact=", ".join(lines(notice.contact))))
