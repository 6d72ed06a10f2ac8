"""What a program sends because a person pressed a button: read receipts, answers to invitations.

Neither is an answer to us. Both are told apart from the mail of a person who adds words of their
own: to an accepted invitation, or under a subject that begins like a receipt.
"""

import re
from collections.abc import Callable, Sequence

from .mail_bodies import DEVICE, DIVIDER, HEADER_LINE

# Nothing that a program writes by itself is longer; a person's text may be.
MAX_LINES = 60
MAX_LINE = 500

RECEIPT_SUBJECT = re.compile(
    r"^\s*(read|not read|le[ií]d[oa]|no le[ií]d[oa]|gelesen|nicht gelesen|ungelesen gelöscht|lu|"
    r"non lu|letto|non letto|lid[ao]|não lid[ao]|gelezen|niet gelezen|läst|læst|lest|llegit|"
    r"przeczytano|read receipt|return receipt|disposition notification|acuse de (recibo|lectura)|"
    r"confirmaci[óo]n de lectura|lesebestätigung|empfangsbestätigung|accusé de (réception|lecture)|"
    r"confirmation de lecture|conferma di lettura|ricevuta di ritorno|confirmação de leitura|"
    r"recibo de leitura|leesbevestiging|ontvangstbevestiging|läskvitto)"
    r"\s*(\([^()]{1,30}\))?\s*[-–:：]",
    re.IGNORECASE,
)
ANSWER_SUBJECT = re.compile(
    r"^\s*(accepted|declined|tentative(ly accepted)?|aceptad[oa]|rechazad[oa]|provisional|"
    r"aceptad[oa] provisionalmente|tentativ[oa]|zugesagt|abgesagt|abgelehnt|angenommen|"
    r"mit vorbehalt( angenommen| zugesagt)?|vorläufig( zugesagt)?|accepté|refusé|provisoire|"
    r"accettat[ao]|rifiutat[ao]|provvisori[ao]|aceit[ao]|recusad[ao]|provisóri[ao]|tentativa|"
    r"geaccepteerd|geweigerd|voorlopig|acceptat|rebutjat)\s*[:：]",
    re.IGNORECASE,
)
# Lines of receipts: whose mail it was, when it was read, and what that proves.
RECEIPT_LINE = re.compile(
    r"^(your|tu|su|el|ihre|deine|votre|il|la|a sua|o|uw|the|you)?\s*"
    r"(message|mensaje|nachricht|messaggio|mensagem|bericht|e-?mail)\s*:?$|"
    r"^\(?(utc|gmt)[+\s)-]|"
    r"\b(was|were|has been) (read|displayed|opened|deleted( without being read)?)\b|"
    r"\b(fue|ha sido|se ha|se) (le[ií]d[oa]|le[iy]ó|mostrad[oa]|abiert[oa]|eliminó|eliminad[oa])\b|"
    r"\bwurde\b.{0,200}\b(gelesen|angezeigt|geöffnet|gelöscht)\b|"
    r"\ba été (lu|affiché|ouvert|supprimé)\b|"
    r"\bè stat[oa] (lett[oa]|visualizzat[oa]|apert[oa]|eliminat[oa])\b|"
    r"\bfoi (lid[ao]|exibid[ao]|abert[ao]|excluíd[ao]|eliminad[ao])\b|"
    r"\b(is|werd)\b.{0,200}\b(gelezen|weergegeven|verwijderd)\b|"
    r"^(note|nota|hinweis|remarque|opmerking|this is|este es|esto es|dies ist|ceci est|questa? è|"
    r"est[ae] é|dit is)\b.{0,200}(receipt|acuse|confirmaci[óo]n|bestätigung|accusé|conferma|"
    r"ricevuta|confirmação|recibo|bevestiging)|"
    r"^(there is no guarantee|no (hay|existe) (ninguna )?garantía|es gibt keine|"
    r"il n'y a aucune|non (vi )?è (alcuna )?garanzi|não (há|existe) (nenhuma )?garantia)",
    re.IGNORECASE,
)
# "Ana has accepted this invitation", and fields of the event as calendars print them.
INVITATION_LINE = re.compile(
    r"\b(accepted|declined|tentatively|maybe|ha aceptado|ha rechazado|aceptó|rechazó|zugesagt|"
    r"abgelehnt|abgesagt|angenommen|a accepté|a refusé|a décliné|ha accettato|ha rifiutato|"
    r"aceitou|recusou)\b.{0,80}\b(invit|event|evento|meeting|reuni|einladung|termin|réunion|"
    r"convite|convit|appointment)|"
    r"^(when|where|who|calendar|cu[áa]ndo|d[óo]nde|qui[ée]n(es)?|calendario|wann|wo|wer|kalender|"
    r"quand|où|qui|agenda|quando|onde|quem|dove|chi)\s*[:：]?(\s|$)",
    re.IGNORECASE,
)
LINE_OF_SIGNS = re.compile(r"^[\W_]{5,}$")
REPLY = re.compile(r"^METHOD[^:\n]{0,60}:\s*REPLY\s*$", re.IGNORECASE | re.MULTILINE)
COMMENT = re.compile(
    r"^COMMENT[^:\n]{0,200}:[ \t]*(\S[^\n]*)|;X-RESPONSE-COMMENT=\"([^\"\n]*[^\"\s][^\"\n]*)\"",
    re.IGNORECASE | re.MULTILINE,
)
FIELD = re.compile(r"^(SUMMARY|LOCATION|DESCRIPTION)[^:\n]{0,200}:(.+)$", re.I | re.M)
FOLD = re.compile(r"\r?\n[ \t]")
GOOGLE = re.compile(r"^PRODID[^:\n]{0,60}:.{0,20}google", re.IGNORECASE | re.MULTILINE)


def is_receipt(subject: str, text: str) -> bool:
    """Return whether a mail without a report is a read receipt and nothing else."""
    if not RECEIPT_SUBJECT.match(subject):
        return False
    return not _own_lines(text, lambda line: bool(RECEIPT_LINE.search(line)))


def is_answer_to_invitation(
    subject: str, text: str, calendars: Sequence[str], *, is_answer: bool
) -> bool:
    """Return whether a mail only accepts or declines an invitation.

    Words of the person stand in the calendar's comment or in the text; programs put the event,
    and a sentence that says the same as its subject. Without a calendar, which some mail systems
    take out, the subject counts if the mail answers one and says nothing.
    """
    replies = [source for source in map(_unfolded, calendars) if REPLY.search(source)]
    if not replies:
        return is_answer and bool(ANSWER_SUBJECT.match(subject)) and not text.strip()
    whole = "\n".join(replies)
    if COMMENT.search(whole):
        return False
    # A text of Google's is in the language of the sender, and all from a template.
    return bool(GOOGLE.search(whole)) or not _own_lines(text, _is_line_of(whole))


def _is_line_of(calendar: str) -> Callable[[str], bool]:
    """Return a test whether a line says what the calendar says, or that it was accepted."""
    event = " ".join(_plain(found[2]) for found in FIELD.finditer(calendar))
    return lambda line: bool(INVITATION_LINE.search(line)) or _plain(line) in event


def _unfolded(source: str) -> str:
    return FOLD.sub("", source)


def comment_of(calendars: Sequence[str]) -> str:
    """Return what a person wrote beside their answer to an invitation."""
    for source in calendars:
        found = COMMENT.search(_unfolded(source))
        if found and REPLY.search(source):
            return (found[1] or found[2]).replace("\\n", "\n").replace("\\,", ",").strip()
    return ""


def _own_lines(text: str, is_known: Callable[[str], bool]) -> list[str]:
    """Return the lines of a text that no program writes; those of an earlier mail are not read."""
    own = []
    for at, row in enumerate(text.split("\n")):
        line = row.strip()[:MAX_LINE]
        if DIVIDER.match(line):
            break
        if at >= MAX_LINES:
            return [line]
        if not line or line.startswith(">") or LINE_OF_SIGNS.match(line):
            continue
        if not (HEADER_LINE.match(line) or DEVICE.match(line) or is_known(line)):
            own.append(line)
    return own


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.replace("\\n", " ").lower()))
