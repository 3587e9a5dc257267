"""The adverse-action notice: 12 CFR 1002.9(a)(2), (b)(1) and (b)(2), after forms C-1 to C-4 of Appendix C."""

from __future__ import annotations

from collections.abc import Iterable

from records.private_parts import CreditScorePart, ReasonPart
from reports.letters.consumer_reports import blocking_key_factors, consumer_reports, own_score, report_blocks
from reports.letters.draft import Draft
from reports.letters.errors import LetterBlocked, LetterNotDue
from reports.letters.letter import Block, Facts, Listing, Paragraph, Section
from reports.letters.phrases import ORIGINAL, phrases_of
from reports.letters.plain import lines, one_line
from schemas.manifest_sections import Notice

DENIAL = "denial"
"""What an adverse decision is where the caller did not say what became of the application."""

NOT_ADVERSE = ("approval", "withdrawal")


def notice_of(draft: Draft) -> Notice:
    """Return the manifest's notice section for a decision that needs this letter and may have it.

    Raises LetterNotDue, and LetterBlocked for a sensitive or proxy principal reason or for none at all (R3).
    """
    manifest, action = draft.source.manifest, draft.application.get("action")
    if manifest.profile != "lending":
        raise LetterNotDue(
            f"a notice of adverse action is for lending, not for the profile {manifest.profile}; "
            "the letter that explains this decision is template=explanation"
        )
    if draft.favourable:
        raise LetterNotDue("the decision is favourable; the letter that explains it is template=explanation")
    if action in NOT_ADVERSE:
        raise LetterNotDue(f"the action on the application is {action}")
    if manifest.notice is None:
        raise LetterNotDue("the manifest has no notice section: it names no creditor and no agency")
    reasons = draft.part["reasons"]
    blocked = [reason["factor"] for reason in reasons if reason.get("sensitive") or reason.get("proxy")]
    blocked += blocking_key_factors(draft, manifest.notice)
    recorded = (draft.part.get("notice") or {"blocked": []})["blocked"]
    if blocked or recorded or not reasons:
        raise LetterBlocked(dict.fromkeys((*blocked, *recorded)))
    return manifest.notice


def action_of(draft: Draft) -> str:
    """Return the action that the notice tells of."""
    return draft.application.get("action") or DENIAL


def sections(draft: Draft, notice: Notice) -> tuple[Section, ...]:
    """Return the notice's sections in their order."""
    own = own_score(draft, notice)
    return tuple(_sections(draft, notice, own))


def cited(draft: Draft, notice: Notice) -> tuple[str, ...]:
    """Return the ids of the rules that this notice rests on."""
    reports = draft.application.get("consumer_reports") or []
    scored = own_score(draft, notice) is not None or any(report["score"] for report in reports)
    return (
        "reg-b-9-a-2",
        "reg-b-9-b-1",
        "reg-b-9-b-2",
        *(("reg-b-9-a-1-iv", "reg-b-9-cmt-a-1-6") if _offers(draft) else ()),
        *(("reg-b-9-cmt-a-1-3", "reg-b-9-cmt-a-1-4") if action_of(draft) == "incompleteness" else ()),
        *(("fcra-615-a",) if reports else ()),
        *(("fcra-609-f",) if scored else ()),
    )


def tells_counterfactuals(draft: Draft, notice: Notice) -> bool:
    """Tell whether the notice may say what would have changed the decision.

    Only where the model alone stood in the way: no change of its inputs answers for another component.
    """
    return notice.counterfactual_paragraph and not draft.others_failed and bool(draft.counterfactuals())


def _sections(draft: Draft, notice: Notice, own: CreditScorePart | None) -> Iterable[Section]:
    yield Section(None, (_subject(draft),))
    yield Section(draft.say("action_heading"), tuple(_action(draft)))
    yield Section(draft.say("reasons_heading"), tuple(_reasons(draft)))
    yield from consumer_reports(draft, own)
    if tells_counterfactuals(draft, notice):
        yield Section(draft.say("counterfactual_heading"), _counterfactuals(draft))
    agency = ", ".join(lines(notice.agency)).removesuffix(".")
    yield Section(draft.say("ecoa_heading"), (Paragraph(draft.say("ecoa_notice", agency=agency)),))
    yield Section(draft.say("contact_heading"), (Paragraph(_contact(draft, notice)),))
    if draft.phrases.language != ORIGINAL:
        yield Section(draft.say("english_heading"), (Paragraph(draft.say("english_available")),))
        yield Section(None, tuple(_in_english(draft, agency)), language=ORIGINAL)


def _subject(draft: Draft) -> Facts:
    rows = [
        (draft.say("date_label"), draft.day(draft.decided_at)),
        (draft.say("reference_label"), one_line(draft.part["decision_id"])),
    ]
    if requested := draft.application.get("requested"):
        rows.append((draft.say("requested_label"), one_line(requested)))
    return Facts(tuple(rows))


def _action(draft: Draft) -> Iterable[Block]:
    action, offered = action_of(draft), draft.application.get("counteroffer")
    if action == "counteroffer" and not offered:
        # Without its terms the letter makes no offer that could be accepted: it denies outright.
        yield Paragraph(draft.say("action_counteroffer_untold"))
    else:
        yield Paragraph(draft.say(f"action_{action}"))
    if offered:
        yield Listing((one_line(offered),))
    if _offers(draft):
        yield Paragraph(draft.say("counteroffer_acceptance"))


def _offers(draft: Draft) -> bool:
    """Whether the letter itself makes an offer: form C-4, the offer and the denial in one."""
    return action_of(draft) == "counteroffer" and bool(draft.application.get("counteroffer"))


def _reasons(draft: Draft) -> Iterable[Block]:
    reasons = draft.part["reasons"]
    yield Paragraph(draft.say("reason_intro" if len(reasons) == 1 else "reasons_intro"))
    yield Listing(tuple(_reason(draft, reason) for reason in reasons), numbered=True)
    coded = "reason_code" if len(reasons) == 1 else "reason_codes"
    yield Paragraph(draft.say(coded, codes=", ".join(reason["code"] for reason in reasons)))
    yield Paragraph(draft.say("reasons_specific"))


def _reason(draft: Draft, reason: ReasonPart) -> str:
    """A reason in its own words; of an incomplete application also what was found missing."""
    text, seen = draft.reason_text(reason), reason.get("given") or []
    if action_of(draft) != "incompleteness" or not seen:
        return text
    told = [draft.say("seen", name=one_line(row["name"]), text=one_line(row["text"])) for row in seen]
    return draft.say("reason_with_seen", text=text, seen="; ".join(told))


def _counterfactuals(draft: Draft) -> tuple[Block, ...]:
    favourable = one_line(draft.source.manifest.outcome.favourable)
    return (
        Paragraph(draft.say("counterfactual_intro", outcome=favourable)),
        Listing(tuple(draft.changes(item) for item in draft.counterfactuals())),
        Paragraph(draft.say("counterfactual_promise")),
    )


def _contact(draft: Draft, notice: Notice) -> str:
    if notice.contact is not None:
        return draft.say("contact_stated", contact=", ".join(lines(notice.contact)))
    if notice.telephone is not None:
        return draft.say("contact_telephone", telephone=one_line(notice.telephone))
    return draft.say("contact_address")


def _in_english(draft: Draft, agency: str) -> Iterable[Block]:
    """The prescribed notices in the language in which they are published."""
    english = phrases_of("adverse_action", ORIGINAL)
    yield Paragraph(english.say("ecoa_notice", agency=agency))
    for report in draft.application.get("consumer_reports") or []:
        yield from report_blocks(english, report)
        if report["score"] is not None:
            yield Paragraph(english.say("score_notice"))
