"""What a stranger may send: texts, documents and requests of up to 1 MB, each made to cost much."""

import gzip
import json

MEGABYTE = 1_000_000
# A URL of more than this is refused by the servers in front.
LONGEST_QUERY = 50_000


def filled(piece, length):
    return piece * (length // len(piece))


# One piece, repeated: for what recurses, backtracks, expands, folds or decodes.
PIECES = {
    "letters": "a",
    "spaces": " ",
    "breaks": "\r\n ",
    "braces": "{{",
    "variables": "{{ticket.number|",
    "brackets": "[(",
    "links": "http://a.b ",
    "markup": "*_`a",
    "quotes": "> - ",
    "table": "|a|\n|-|\n",
    "html": "<div><a href='",
    "entities": "&#x41;",
    "digits": "9",
    "dots": "a.",
    "dashes": "a-",
    "wide": "\ufdfa",
    "marks": "\u0301",
    "direction": "\u202e",
    "patterns": "%_\\",
    "separators": ",;|",
    "escapes": '\\"',
    "paths": "../",
    "formulas": "=1+",
    "secrets": "password=[",
    "base64": "eyJ",
}


def texts(length):
    """Each piece repeated to a length, by name."""
    return {name: filled(piece, length) for name, piece in PIECES.items()}


# Values that are short and costly: to parse, to compare, to store.
VALUES = [
    "1e999999",
    "1e300000",
    "-1e-999999",
    "9" * 4_299,
    "9" * 50_000,
    "0x" + "f" * 1_000,
    "NaN",
    "Infinity",
    "\u0662\u0660",
    "\u00b2",
    "00000000000000000000001",
    "9999-12-31T23:59:59+23:59",
    "0001-01-01T00:00:00-23:59",
    "P" + "9" * 4_000 + "D",
    "1/" + "9" * 4_000,
    "1.1.1.1/" + "9" * 4_000,
    ":" * 4_000,
    "%00",
    "null",
    "true,false,null,1,-1",
]

# JSON texts of one value, as they stand in a body.
LITERALS = [
    "1e999999",
    "-1e-999999",
    "9" * 4_000,
    "9" * 200_000,
    "0." + "9" * 200_000,
    '"a\\u0000b"',
    '"\\ud800"',
    "[" * 50_000 + "]" * 50_000,
    '{"a":' * 50_000 + "1" + "}" * 50_000,
    "[" + "1," * 200_000 + "1]",
    "[" + '"a",' * 200_000 + '"a"]',
    "[" + "{}," * 200_000 + "{}]",
    "{" + ",".join(f'"k{i}":1' for i in range(60_000)) + "}",
    "null",
    "true",
    "-0",
]

JSON = "application/json"
FORM = "multipart/form-data; boundary=x"


def part(name, value=b"x", more=b""):
    return b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (name, more, value)


# Whole bodies with their type.
BODIES = {
    "deep lists": (JSON, b"[" * MEGABYTE),
    "deep objects": (JSON, b'{"a":' * 200_000),
    "open string": (JSON, b'"' + b"a" * MEGABYTE),
    "escapes": (JSON, b'"' + b"\\u0000" * 160_000 + b'"'),
    "keys": (JSON, b"{" + b'"%s":1,' % (b"a" * 100) * 9_000 + b'"b":1}'),
    "the same key": (JSON, b"{" + b'"body":"a",' * 90_000 + b'"body":"b"}'),
    "invalid UTF-8": (JSON, b'{"body":"' + b"\xff\xc3" * 400_000 + b'"}'),
    "NUL": (JSON, b"\x00" * MEGABYTE),
    "spaces": (JSON, b" " * MEGABYTE),
    "numbers": (JSON, b"[" + b"1e9999," * 140_000 + b"1]"),
    "a huge number": (JSON, b"9" * MEGABYTE),
    "UTF-16": (JSON, json.dumps({"body": "a" * 200_000}).encode("utf-16")),
    "archive": (JSON, gzip.compress(b" " * 20 * MEGABYTE)),
    "archive as bz2": (f"{JSON}; charset=bz2", b"BZh91AY&SY" + b"\x00" * 1_000),
    "punycode": (f"{JSON}; charset=punycode", b"a" * 200_000 + b"-99999999"),
    "idna": (f"{JSON}; charset=idna", b"xn--a" * 60_000),
    "escape codec": (f"{JSON}; charset=unicode_escape", b"\\u0041" * 160_000),
    "parameters": (f'{JSON}; a="{";" * 60_000}', b"{}"),
    "parts": (FORM, part(b"body") * 12_000 + b"--x--"),
    "unfinished parts": (FORM, b"--x\r\n" * 190_000),
    "a long part header": (FORM, b"--x\r\nContent-Disposition: form-data; " + b'a="";' * 190_000),
    "a long field": (FORM, part(b"body", b"a" * 900_000) + b"--x--"),
    "a long name": (FORM, part(b"a" * 900_000) + b"--x--"),
    "a transfer encoding": (
        FORM,
        part(b"body", b"=" * 900_000, b"\r\nContent-Transfer-Encoding: base64") + b"--x--",
    ),
    "no boundary": ("multipart/form-data", b"--x\r\n" * 190_000),
    "a boundary of dashes": (f"multipart/form-data; boundary={'-' * 70}", b"-" * MEGABYTE),
    "form fields": ("application/x-www-form-urlencoded", b"a=1&" * 240_000),
    "no type": ("", b"a" * MEGABYTE),
    "a strange type": ("a/" * 30_000, b"{}"),
}

FILE_NAMES = ["a" * 200_000, "../" * 60_000, "\u202e" * 60_000, "a." * 90_000, "\ufdfa" * 20_000]

HEADERS = {
    "Accept": ["*/*," * 12_000, "a/b;q=" + "9" * 40_000, 'application/json;v="' + ";" * 40_000],
    "Accept-Language": ["en," * 12_000, "a-" * 20_000, "en;q=0." + "9" * 40_000, "es-" * 12_000],
    "Accept-Encoding": ["gzip," * 8_000],
    "Authorization": ["Bearer " + "a" * 40_000, "Bearer " * 6_000, "Basic " + "=" * 40_000],
    "Cookie": ["a=b;" * 10_000, 'a="' + "\\" * 40_000 + '"', "sessionid=" + "a" * 40_000],
    "If-Match": ['"1",' * 10_000, "W/" * 20_000, '"' + "9" * 40_000 + '"'],
    "If-None-Match": ['"a",' * 10_000, '"' + "\\" * 40_000],
    "If-Modified-Since": ["Mon, " * 8_000, "1" * 40_000],
    "Idempotency-Key": ["a" * 40_000, "\u00e9" * 20_000],
    "X-Request-ID": ["a" * 40_000, "a-" * 20_000],
    "X-Forwarded-For": ["1.1.1.1," * 5_000, ":" * 40_000, "1.1.1.1/" + "9" * 30_000],
    "Last-Event-ID": ["9" * 40_000, "1:" * 20_000],
    "Range": ["bytes=" + "0-1," * 10_000, "bytes=-" + "9" * 40_000],
    "User-Agent": ["(" * 40_000, "Mozilla/5.0 " * 3_000],
    "Origin": ["http://" * 6_000],
    "Referer": ["http://a/" + "?" * 40_000],
    "X-HTTP-Method-Override": ["DELETE" * 6_000],
}
