"""Answers as ten mail programs lay them out, in eight languages: written for these tests."""

from dataclasses import dataclass

from support.mail_bodies import REPLY_MARK

OURS = "support@atalaya.test"


@dataclass(frozen=True)
class Words:
    """What a language calls the parts of a quote, and what a customer writes in it."""

    new: tuple[str, ...]
    old: tuple[str, ...]
    wrote: str
    original: str
    fields: tuple[str, str, str, str]
    device: str
    moment: str


LANGUAGES = {
    "en": Words(
        ("Thanks, but it still has not come.", "", "From what I see, the parcel is in Lyon."),
        ("We have looked for your parcel.", "It was sent on Monday."),
        "On {moment}, Atalaya <{ours}> wrote:", "Original Message",
        ("From", "Sent", "To", "Subject"), "Sent from my iPhone", "Mon, 4 May 2026 at 10:15",
    ),
    "es": Words(
        ("Gracias, pero sigue sin llegar.", "", "El vendedor me escribió: espera una semana más."),
        ("Hemos buscado tu paquete.", "Salió el lunes."),
        "El {moment}, Atalaya (<{ours}>) escribió:", "Mensaje original",
        ("De", "Enviado", "Para", "Asunto"), "Enviado desde mi iPhone",
        "lun, 4 may 2026 a las 10:15",
    ),
    "de": Words(
        ("Danke, es ist noch nicht da.", "", "Von: keinem habe ich etwas gehört."),
        ("Wir haben Ihr Paket gesucht.", "Es ging am Montag hinaus."),
        "Am {moment} schrieb Atalaya <{ours}>:", "Ursprüngliche Nachricht",
        ("Von", "Gesendet", "An", "Betreff"), "Von meinem iPhone gesendet",
        "Mo., 4. Mai 2026 um 10:15",
    ),
    "fr": Words(
        ("Merci, mais rien n'est arrivé.", "", "Le vendeur a écrit qu'il attend."),
        ("Nous avons cherché votre colis.", "Il est parti lundi."),
        "Le {moment}, Atalaya <{ours}> a écrit :", "Message d'origine",
        ("De", "Envoyé", "À", "Objet"), "Envoyé de mon iPhone", "lun. 4 mai 2026 à 10:15",
    ),
    "it": Words(
        ("Grazie, ma non è ancora arrivato.", "", "Da quanto vedo, è a Lione."),
        ("Abbiamo cercato il tuo pacco.", "È partito lunedì."),
        "Il {moment} Atalaya <{ours}> ha scritto:", "Messaggio originale",
        ("Da", "Inviato", "A", "Oggetto"), "Inviato da iPhone", "lun 4 mag 2026 alle ore 10:15",
    ),
    "pt": Words(
        ("Obrigado, mas ainda não chegou.", "", "O vendedor escreveu que espera."),
        ("Procurámos a sua encomenda.", "Saiu na segunda."),
        "Atalaya <{ours}> escreveu em {moment}:", "Mensagem original",
        ("De", "Enviado", "Para", "Assunto"), "Enviado do meu iPhone", "seg., 4/05/2026 às 10:15",
    ),
    "nl": Words(
        ("Dank, maar het is er nog niet.", "", "Van de verkoper hoor ik niets."),
        ("We hebben je pakket gezocht.", "Het ging maandag weg."),
        "Op {moment} schreef Atalaya <{ours}>:", "Oorspronkelijk bericht",
        ("Van", "Verzonden", "Aan", "Onderwerp"), "Verzonden vanaf mijn iPhone",
        "ma 4 mei 2026 om 10:15",
    ),
    "ru": Words(
        ("Спасибо, но его всё нет.", "", "Продавец написал: ждите неделю."),
        ("Мы искали вашу посылку.", "Она ушла в понедельник."),
        "{moment}, Atalaya <{ours}> написал:", "Исходное сообщение",
        ("От", "Отправлено", "Кому", "Тема"), "Отправлено с iPhone", "пн, 4 мая 2026 г. в 10:15",
    ),
}  # fmt: skip


def _quoted(words, is_marked):
    head = (REPLY_MARK, "") if is_marked else ()
    return [f"> {line}".rstrip() for line in (*head, *words.old)]


def _plain(words, is_marked):
    return [*((REPLY_MARK, "") if is_marked else ()), *words.old]


def _wrote(words):
    return words.wrote.format(moment=words.moment, ours=OURS)


def _block(words, bold=""):
    sender, sent, to, subject = words.fields
    return [
        f"{bold}{sender}:{bold} Atalaya <{OURS}>", f"{bold}{sent}:{bold} {words.moment}",
        f"{bold}{to}:{bold} Ana <ana@example.com>", f"{bold}{subject}:{bold} [T-2026-000001] Help",
    ]  # fmt: skip


def gmail(words, is_marked):
    return ["", _wrote(words), "", *_quoted(words, is_marked)]


def gmail_wrapped(words, is_marked):
    first, _, last = _wrote(words).rpartition("<")
    return ["", first.rstrip(), f"<{last}", "", *_quoted(words, is_marked)]


def apple_mail(words, is_marked):
    return ["", f"> {_wrote(words)}", ">", *_quoted(words, is_marked)]


def iphone(words, is_marked):
    return ["", words.device, "", f"> {_wrote(words)}", ">", *_quoted(words, is_marked)]


def thunderbird(words, is_marked):
    return ["", _wrote(words), *_quoted(words, is_marked)]


def outlook(words, is_marked):
    return ["", *_block(words), "", *_plain(words, is_marked)]


def outlook_web(words, is_marked):
    return ["", "________________________________", *_block(words, "*"), "",
            *_plain(words, is_marked)]  # fmt: skip


def outlook_classic(words, is_marked):
    return ["", f"-----{words.original}-----", *_block(words), "", *_plain(words, is_marked)]


def yahoo(words, is_marked):
    return ["", f"    {_wrote(words)}", "", *[f" {row}" for row in _quoted(words, is_marked)]]


def gmx(words, is_marked):
    sender, sent, to, subject = words.fields
    return ["", f"{sent}: {words.moment}", f'{sender}: "Atalaya" <{OURS}>',
            f"{to}: ana@example.com", f"{subject}: [T-2026-000001] Help", "",
            *_plain(words, is_marked)]  # fmt: skip


LAYOUTS = (gmail, gmail_wrapped, apple_mail, iphone, thunderbird, outlook, outlook_web,
           outlook_classic, yahoo, gmx)  # fmt: skip


def answers():
    """Each answer: its label, the text of the mail, and the lines that its sender wrote."""
    for language, words in LANGUAGES.items():
        for layout in LAYOUTS:
            for is_marked in (True, False):
                label = f"{language} {layout.__name__} {'ours' if is_marked else 'bare'}"
                lines = [*words.new, *layout(words, is_marked)]
                yield label, lines, [line for line in words.new if line]
