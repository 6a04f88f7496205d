"""Credentials that must be told nowhere, and how to find them in a text whatever it has made of them.

Eight kinds: 1 access key id, 2 secret access key, 3 session token (from a Secret), 4 external id, 5 web identity token; and those of which a
test has others each time: 6 secret access key and 7 session token from STS, 8 the bearer token of Kubernetes.

Each is looked for by its two halves, because messages are cut; and in every dress in which JSON, URLs, XML, Python and base64 show a text.
"""

import html
import json
from base64 import b64encode
from collections.abc import Iterable
from urllib.parse import quote

ACCESS_KEY = "AKIACANARYCANARY0001"
# With signs that are written differently in JSON, in URLs and in Python.
SECRET = 'canary"secret\\access/key+of=forty0letters'
TOKEN = "canary/session+token=of/some+length=="
EXTERNAL_ID = "canary:external/id=of+somebody"
WEB_IDENTITY = "canaryhead0000.canarypayload.canarysignature"
OURS = (ACCESS_KEY, SECRET, TOKEN, EXTERNAL_ID, WEB_IDENTITY)


def found(text: str, canaries: Iterable[str]) -> list[str]:
    """The canaries that this text tells, in whole or by a half, in any dress."""
    return [canary for canary in canaries if any(dress in text for half in _halves(canary) for dress in dresses(half))]


def dresses(words: str) -> set[str]:
    """All that the same words look like."""
    escaped = json.dumps(words)[1:-1]
    plain = {words, escaped, escaped.replace("/", "\\/"), repr(words)[1:-1]}
    in_base64 = {dress for shift in range(3) for dress in _in_base64(words.encode(), shift)}
    return plain | in_base64 | {quote(words), quote(words, safe=""), html.escape(words)}


def _halves(canary: str) -> tuple[str, str]:
    return canary[: len(canary) // 2], canary[len(canary) // 2 :]


def _in_base64(raw: bytes, shift: int) -> set[str]:
    """Behind so many other bytes, without the letters that depend on what stands before and after it."""
    whole = b64encode(bytes(shift) + raw).decode()
    inner = whole[-(-shift * 4 // 3) : (shift + len(raw)) * 4 // 3]
    return {inner, inner.translate(str.maketrans("+/", "-_"))}
