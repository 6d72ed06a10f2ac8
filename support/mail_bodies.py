"""What a person wrote, and what of it is folded away when it is shown.

Everything here takes time that grows with the text and no faster: anybody may write it. Nothing
is cut from what is stored: folding decides what is shown first.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from .mail_charsets import MAX_TEXT, clean_text, decode_text
from .mail_headers import plain_address

__all__ = [
    "MAX_TEXT",
    "REPLY_MARK",
    "Context",
    "clean_text",
    "cut_quotes",
    "decode_text",
    "shortened",
]

# Longer than any line that introduces a quote.
MAX_ATTRIBUTION = 500
REPLY_MARK = "##- ✂ -##"
SIGNATURE_LINES = 8


def shortened(text: str, limit: int) -> str:
    """Return the text, or its first `limit` characters with a last line that says it goes on."""
    if len(text) <= limit:
        return text
    notice = "\n\n" + _("[This message is longer. The rest is in the original mail.]")
    return text[: max(0, limit - len(notice))].rstrip() + notice


@dataclass(frozen=True)
class Context:
    """What is known of a mail beside its text.

    `own` holds the addresses it was sent to: a quote of a mail of ours names one of them.
    """

    is_reply: bool = False
    is_forward: bool = False
    own: Collection[str] = field(default_factory=frozenset)


# "wrote" in the languages members write.
VERB = re.compile(
    r"(\bwrote\b|\bwrites\b|escribi[óo]|escrib[ie]a|a écrit|\bschrieb|geschrieben|ha scritto|"
    r"scrisse|escreveu|schreef|geschreven|napisał|\bpisze|\bskrev|kirjoitti|написал|пишет|пише|"
    r"写道|寫道|のメール|va escriure|yazdı|napsal|írta|έγραψε|a scris)",
    re.IGNORECASE,
)
# A day or a time of day: chance matches rarely have one.
MOMENT = re.compile(r"\b(19|20)\d\d\b|\b\d{1,2}[:.h]\d\d\b|\b\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}\b|年")
ANY_ADDRESS = re.compile(r"[^\s<>()\[\]\"':;,@]{1,100}@[^\s<>()\[\]\"':;,@]{1,150}")
DIVIDER = re.compile(
    r"^\s*[-_*]{2,}\s*(original message|original appointment|mensaje original|mensagem original|"
    r"message d'origine|ursprüngliche nachricht|messaggio originale|reply above|"
    r"oorspronkelijk bericht|ursprungligt meddelande|oprindelig meddelelse|"
    r"opprinnelig melding|wiadomość oryginalna|исходное сообщение)\s*[-_*]{2,}\s*$",
    re.IGNORECASE,
)
FORWARDED = re.compile(
    r"^\W*(forwarded message|mensaje reenviado|begin forwarded message|message transféré|"
    r"inicio del mensaje reenviado|weitergeleitete nachricht|messaggio inoltrato|"
    r"mensagem encaminhada|doorgestuurd bericht|vidarebefordrat meddelande|videresendt besked|"
    r"videresendt melding|edelleenlähetetty viesti|přeposlaná zpráva|preposlaná správa|"
    r"proslijeđena poruka|továbbított üzenet|mesaj redirecționat|mesaj transmis mai departe|"
    r"przekazana wiadomość|treść przekazanej wiadomości|пересылаемое сообщение|"
    r"перенаправленное сообщение|переслане повідомлення|iletilen (mesaj|ileti)|"
    r"missatge reenviat|転送メッセージ|メッセージを転送|转发的邮件|轉寄郵件)\W*$",
    re.IGNORECASE,
)
FROM_LINE = (
    r"from|de|von|da|van|från|fra|od|от|lähettäjä|kimden|από|发件人|寄件者|差出人|expéditeur|mittente|"
    r"de la|feladó|šalje|gönderen|від|saatja|送信元"
)
HEADER_LINE = re.compile(
    rf"^\W{{0,3}}({FROM_LINE}|sent|date|to|subject|cc|reply-to|enviados?( el)?|fecha|para|asunto|"
    r"gesendet|datum|an|betreff|envoyé|à|objet|inviato|data|a|oggetto|verzonden|aan|onderwerp|"
    r"skickat|till|ämne|sendt|til|emne|assunto|enviada( em)?|wysłano|do|temat|отправлено|кому|тема|"
    r"lähetetty|vastaanottaja|aihe|per a|tema|assumpte|gönderildi|gönderen|tarih|kime|konu|bilgi|"
    r"sujet|pour|copie à|předmět|komu|kopie|kópia|predmet|dátum|kome|prima|címzett|tárgy|másolat|"
    r"másolatot kap|către|subiect|trimis|дата|копія|копия|надіслано|kuupäev|teema|saaja|日付|"
    r"送信先|στάλθηκε|προς|θέμα|发送时间|收件人|主题|抄送|寄件日期|收件者|主旨|副本|送信日時|宛先|件名)\W{0,3}[:：]",
    re.IGNORECASE,
)
FROM = re.compile(rf"^\W{{0,3}}({FROM_LINE})\W{{0,3}}[:：]", re.IGNORECASE)
# The whole line, with the name of a device or a program: a sentence that begins so is no mark.
DEVICE = re.compile(
    r"^\W{0,3}(sent|enviado|enviada|envoyé|gesendet|inviato|verzonden|skickat|get|obtener|obter|"
    r"holen sie sich|télécharge[rz]|ottieni|scarica|download|von)\b"
    r"[\w\s'’-]{1,40}\b(iphone|ipad|android|samsung|galaxy|huawei|xiaomi|redmi|pixel|nokia|"
    r"blackberry|outlook|yahoo|mobile|móvil|movil|handy|smartphone|téléphone|teléfono|telefono|"
    r"phone|mobil|tablet|mail|gmail|proton|correo para windows)\b[\w\s()-]{0,25}\W{0,3}"
    r"(<?https?://\S{1,100}>?)?$|"
    r"^(diese nachricht wurde von mein|this (e-?mail|message) was sent from my|"
    r"este mensaje (ha sido|fue) enviado desde mi|ce message a été envoyé (de|depuis) mon)"
    r"[\w\s'’-]{1,50}\b(mail|gesendet|device|dispositivo|appareil)\b( gesendet)?\W{0,3}$",
    re.IGNORECASE,
)
# Outlook draws it above the mail that it quotes.
DRAWN_LINE = re.compile(r"^_{10,100}$")
SENTENCE_END = re.compile(r"[.!?…]\s*$")
SENTENCE = re.compile(r"[.!?…]\s*$|.{61}")


def cut_quotes(text: str, context: Context | None = None) -> str:
    """Return what the sender added; all of it in a first mail, a forward or where in doubt."""
    known = context or Context()
    lines = text.split("\n")
    if known.is_forward or any(FORWARDED.match(line.lstrip("> ")) for line in lines):
        return text.strip()  # a forwarded message is what the sender wants us to read
    kept = _without_earlier(lines, known)
    if known.is_reply:
        kept = _without_signature(kept)
    return "\n".join(kept).strip() or text.strip()


def _without_earlier(lines: list[str], context: Context) -> list[str]:
    own = frozenset(plain_address(address) for address in context.own)
    for at, line in enumerate(lines):
        if REPLY_MARK in line:
            return _around_quote(lines, _before_mark(lines, at, own), at + 1, to_end=True)
        cut = _introduction(lines, at, own, is_reply=context.is_reply)
        if cut is not None:
            return _around_quote(lines, at, at + cut[0], to_end=cut[1])
    return lines


def _around_quote(lines: list[str], end: int, start: int, *, to_end: bool) -> list[str]:
    """Return what the sender wrote around a quote introduced from `end` to `start`."""
    rest = lines[start:]
    is_quoted = [row.lstrip().startswith(">") for row in rest]
    if not any(is_quoted):
        return lines[:end] if to_end else lines
    first, last = is_quoted.index(True), len(rest) - 1 - is_quoted[::-1].index(True)
    own = [i for i, row in enumerate(rest) if row.strip() and not is_quoted[i]]
    if any(first < i < last for i in own):
        return lines  # answers between the quoted lines make no sense without them
    return lines[:end] + (rest[last + 1 :] if any(i > last for i in own) else [])


def _before_mark(lines: list[str], mark: int, own: frozenset[str]) -> int:
    """Return the line of "Ana wrote:" above our own mark, else the mark itself."""
    for at in range(max(0, mark - 6), mark):
        if lines[at].strip() and _introduction(lines, at, own, is_reply=True, is_marked=True):
            return at
    return mark


def _introduction(
    lines: list[str], at: int, own: frozenset[str], *, is_reply: bool, is_marked: bool = False
) -> tuple[int, bool] | None:
    """Return how many lines introduce an earlier message here and whether it runs to the end.

    None if this is no such place.
    """
    line = lines[at].lstrip("> ").strip()
    if not line:
        return None
    if is_reply and DIVIDER.match(line):
        return _below_divider(lines, at, own)
    length = _fields_of_ours(lines, at, own) if is_reply and HEADER_LINE.match(line) else 0
    if length:
        return length, True
    if is_marked:
        length, _sentence = next(_sentences(lines, at), (0, ""))
        return (length, True) if length else None
    return _attribution(lines, at, own, is_reply=is_reply)


def _fields_of_ours(lines: list[str], at: int, own: frozenset[str]) -> int:
    """Return how many header fields stand here, if they are those of a mail of ours; else 0."""
    block = _header_block(lines, at)
    has_from = any(FROM.match(row) for row in block)
    return len(block) if len(block) >= 3 and has_from and not _is_foreign(block, own) else 0


def _below_divider(lines: list[str], at: int, own: frozenset[str]) -> tuple[int, bool] | None:
    """Return the fields below "--- Original message ---", unless it is somebody else's mail."""
    block = _header_block(lines, at + 1)
    if any(map(FROM.match, block)):
        named = block
    else:
        # Fields in a language that we do not know: whom they name says whose mail it is.
        named = [f"From: {' '.join(lines[at + 1 : at + 7])}"]
    return None if _is_foreign(named, own) else (1 + len(block), True)


def _header_block(lines: list[str], at: int) -> list[str]:
    """Return the header fields that stand together here: eight lines at most, up to a blank line.

    Else a sentence such as "From: nobody I have heard" would be the first field of a block below.
    """
    rows = [row.lstrip("> ").strip() for row in lines[at : at + 9]]
    rows = rows[1:] if rows and not rows[0] else rows[:8]
    end = next((i for i, row in enumerate(rows) if not row), len(rows))
    return [row for row in rows[:end] if HEADER_LINE.match(row)]


def _is_foreign(block: list[str], own: frozenset[str]) -> bool:
    """Return whether the mail quoted was written by somebody else than us."""
    writer = next((row for row in block if FROM.match(row)), "")
    named = [plain_address(address) for address in ANY_ADDRESS.findall(writer)]
    return bool(named) and not own.intersection(named)


def _attribution(
    lines: list[str], at: int, own: frozenset[str], *, is_reply: bool
) -> tuple[int, bool] | None:
    """ "On Monday, Ana wrote:", which mail programs wrap into as many as three lines."""
    for length, joined in _sentences(lines, at):
        if length > 1 and _begins_below(lines, at, length):
            return None
        named = set(map(plain_address, ANY_ADDRESS.findall(joined)))
        is_ours = not named.isdisjoint(own)
        if named and not is_ours:
            return None
        is_dated = _is_dated(joined)
        if is_ours and is_dated:
            return length, True
        if _is_likely(is_ours, is_reply, is_dated) and _quote_follows(lines, at + length):
            return length, False
    return None


def _is_likely(is_ours: bool, is_reply: bool, is_dated: bool) -> bool:
    """Return whether a sentence introduces a quote if one follows."""
    return is_ours or (is_reply and is_dated)


def _begins_below(lines: list[str], at: int, length: int) -> bool:
    """Return whether these lines introduce a quote without the first, which is the sender's own."""
    rest = " ".join(lines[at + 1 : at + length])
    return _is_dated(rest) or bool(SENTENCE_END.search(lines[at]) and VERB.search(rest))


def _is_dated(sentence: str) -> bool:
    """Return whether it says that somebody wrote at some time."""
    return bool(MOMENT.search(sentence) and VERB.search(sentence))


def _sentences(lines: list[str], at: int) -> Iterator[tuple[int, str]]:
    """Yield one to three lines from here that end with a colon, joined; a blank line ends them."""
    joined = ""
    for length, line in enumerate(lines[at : at + 3], start=1):
        row = line.lstrip("> ").strip()
        joined = f"{joined} {row}".strip()
        if not row or len(joined) > MAX_ATTRIBUTION:
            return
        if joined.endswith((":", "：")):
            yield length, joined


def _quote_follows(lines: list[str], at: int) -> bool:
    following = next((row for row in lines[at : at + 4] if row.strip()), "")
    return following.lstrip().startswith(">")


def _without_signature(lines: list[str]) -> list[str]:
    for at in range(max(1, len(lines) - SIGNATURE_LINES * 2), len(lines)):
        rest = [row for row in lines[at + 1 :] if row.strip()]
        is_short = len(rest) <= SIGNATURE_LINES and not any(SENTENCE.search(r) for r in rest)
        if lines[at] in ("-- ", "--") and is_short:
            lines = lines[:at]
            break
    end = len(lines)
    while end and _is_no_word(lines[end - 1].strip()[:200]):
        end -= 1
    return lines[:end]


def _is_no_word(line: str) -> bool:
    """Return whether a last line is no word of a person: blank, drawn, or a device's."""
    return not line or bool(DEVICE.match(line) or DRAWN_LINE.match(line))
