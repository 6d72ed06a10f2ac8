"""Raw mails for tests, made from their fields and parts."""

from support.services import process_mail, store_mail

NAMES = {"message_id": "Message-ID", "references": "References", "answers": "In-Reply-To",
         "reply_to": "Reply-To"}  # fmt: skip


def mail(
    text="Hello", *, sender="ana@example.com", to="support@atalaya.test", subject="Help",
    charset="utf-8", **fields,
):  # fmt: skip
    """One text part under the fields named by the arguments."""
    lines = [f"From: {sender}", f"To: {to}", f"Subject: {subject}"]
    lines += [f"{NAMES.get(k, k.replace('_', '-'))}: {v}" for k, v in fields.items()]
    head = "\n".join(lines) + f"\nContent-Type: text/plain; charset={charset}\n\n"
    return head.encode() + (text if isinstance(text, bytes) else text.encode()) + b"\n"


def multipart(*parts, subtype="mixed", sender="ana@example.com", subject="Help", **fields):
    """Several parts, each its header lines and its content."""
    lines = [
        f"From: {sender}",
        "To: support@atalaya.test",
        f"Subject: {subject}",
        "MIME-Version: 1.0",
    ]
    lines += [f"{NAMES.get(k, k.replace('_', '-'))}: {v}" for k, v in fields.items()]
    lines += [f"Content-Type: multipart/{subtype}; boundary=B"]
    raw = "\n".join(lines).encode() + b"\n\n"
    for header, content in parts:
        content = content if isinstance(content, bytes) else content.encode()
        raw += b"--B\n" + header.encode() + b"\n\n" + content + b"\n"
    return raw + b"--B--\n"


def receive(box, raw):
    """Store and process a mail; returns it as it is in the database."""
    message, _new = store_mail(mailbox=box, raw=raw)
    process_mail(message.pk)
    message.refresh_from_db()
    return message
