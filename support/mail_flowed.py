"""Text in format=flowed (RFC 3676): lines that belong together become one line again."""


def unflowed(text: str, *, is_joined: bool = False) -> str:
    """Return a flowed text with whole paragraphs; quoted lines keep their ">".

    A space ends a line that goes on. It is no part of the text where the mail says DelSp=yes
    (`is_joined`), as programs do for languages without spaces between words.
    """
    rows: list[tuple[int, list[str]]] = []
    is_open = False
    for line in text.split("\n"):
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ")
        is_signature = content == "-- "
        if is_open and rows[-1][0] == depth and not is_signature:
            rows[-1][1].append(content)
        else:
            rows.append((depth, [content]))
        is_open = content.endswith(" ") and not is_signature
        if is_open and is_joined:
            rows[-1][1][-1] = content[:-1]
    return "\n".join(_quoted(depth, "".join(pieces)) for depth, pieces in rows)


def _quoted(depth: int, content: str) -> str:
    return f"{'>' * depth} {content}" if depth and content else ">" * depth + content
