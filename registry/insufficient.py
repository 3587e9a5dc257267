"""What an insufficient statement of reasons sounds like, by language, and what it speaks of instead."""

from __future__ import annotations

from collections.abc import Mapping

INTERNAL, POLICY, STANDARDS = "internal standards", "a policy", "the creditor's own standards"
SCORE, MACHINERY, OTHER = "a qualifying score", "the machinery", "another reason without naming it"

INSUFFICIENT: Mapping[str, tuple[tuple[str, str], ...]] = {
    "en": (
        (r"\binternal\s+(\w+\s+)?(standards?|criteria|guidelines?|rules?|polic(y|ies))\b", INTERNAL),
        (r"\bpolic(y|ies)\b", POLICY),
        (
            r"\b(our|lender'?s?|creditor'?s?|bank'?s?|company)\s+(\w+\s+)?"
            r"(standards?|criteria|guidelines?|requirements?)\b",
            STANDARDS,
        ),
        (r"\b(qualifying|passing|cut-?off|threshold|minimum|required)\s+(\w+\s+)?scores?\b", SCORE),
        (r"\b(fail(ed|ure|s)?|unable|not)\b.{0,40}\bscor(e|es|ing)\b", SCORE),
        (r"\bscores?\s+((was|is|were|are)\s+)?(too\s+low|insufficient|not\s+enough|below)\b", SCORE),
        (r"\b(low|insufficient|inadequate)\s+(\w+\s+)?scores?\b", SCORE),
        (r"\bscoring\s+(system|model)\b", MACHINERY),
        (r"\b(algorithms?|computer|automated\s+(system|decision)|model('s)?\s+(output|decision))\b",
         MACHINERY),
    ),
    "es": (
        (r"\b(normas?|criterios?|est[aá]ndar(es)?|reglas?|directrices|pautas)\s+intern[ao]s?\b", INTERNAL),
        (r"\bpol[ií]ticas?\b", POLICY),
        (r"\bnuestr[ao]s?\s+(\w+\s+)?(normas?|criterios?|est[aá]ndar(es)?|requisitos?|directrices|pautas)\b",
         STANDARDS),
        (r"\b(puntuaci[oó]n|puntaje|score)\b.{0,30}\b(m[ií]nim[ao]|requerid[ao]|necesari[ao]|exigid[ao]|"
         r"insuficiente|baj[ao]|de\s+corte)\b", SCORE),
        (r"\b(insuficiente|baj[ao]|escas[ao])\s+(puntuaci[oó]n|puntaje|score)\b", SCORE),
        (r"\bno\b.{0,40}\b(puntuaci[oó]n|puntaje|puntos)\b", SCORE),
        (r"\b(sistema|modelo)\s+de\s+(puntuaci[oó]n|calificaci[oó]n|scoring)\b", MACHINERY),
        (r"\b(algoritmos?|ordenador|computadora|(sistema|proceso)\s+automatizado|decisi[oó]n\s+automatizada|"
         r"(resultado|decisi[oó]n)\s+del\s+modelo)\b", MACHINERY),
    ),
    "de": (
        (r"\b(haus)?intern(e[mnrs]?)?\s+(\w+\s+)?(standards?|richtlinien?|vorgaben?|kriterien|regeln?|"
         r"grunds[aä]tzen?|bestimmungen)\b", INTERNAL),
        (r"(politik|richtlinien?)\b", POLICY),
        (r"\bunser(e[mnrs]?)?\s+(\w+\s+)?(mindest)?(standards?|anforderung(en)?|vorgaben?|kriterien)\b",
         STANDARDS),
        (r"\b(mindest|ziel)(punktzahl|punktwert|score)\b", SCORE),
        (r"\b(erforderliche|n[oö]tige|ausreichende|notwendige|verlangte)[mnrs]?\s+(punktzahl|punkte|score\w*)\b",
         SCORE),
        (r"\b(nicht|kein\w*|zu\s+wenige?|zu\s+niedrige\w*|unzureichende\w*)\b.{0,40}\b(punkte|punktzahl|score\w*)\b",
         SCORE),
        (r"\b(score\w*|punktzahl)\b.{0,30}\b(zu\s+niedrig|zu\s+gering|unzureichend|nicht)\b", SCORE),
        (r"\bscoring(system|modell|verfahren)?s?\b", MACHINERY),
        (r"\b(algorithm(us|en)|computer|automatisierte[mnrs]?\s+(system|entscheidung|verfahren)|"
         r"(modell|system)(ergebnis|entscheidung))\b", MACHINERY),
    ),
}  # fmt: skip

# The whole text is this and nothing else, whatever stands between its words.
NAMELESS: Mapping[str, str] = {
    "en": r"(others?|other (reasons?|factors?)|various( reasons)?|miscellaneous|unspecified)"
    r"( please)?( specify| explain)?",
    "es": r"(otr[ao]s?( (motivos?|raz[oó]n(es)?|causas?|factores?))?|varios|sin especificar)"
    r"( especifique| especificar)?",
    "de": r"((sonstige|andere|weitere)[mnrs]?( (gr[uü]nde?|faktoren))?|verschiedenes)( angeben)?",
}
