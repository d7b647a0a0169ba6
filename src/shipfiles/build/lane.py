"""What a child process of `lanes` runs: it finds references in bodies from standard input until that ends.

Kept to few imports: they are what starting a lane costs.
"""

from __future__ import annotations

import json
import signal
import struct
import sys
from contextlib import suppress
from importlib import import_module
from typing import BinaryIO, Final

from .plain import plain

REQUEST: Final = struct.Struct("<4sHQ")
"""What a request begins with: `ASKED`, the lengths of the rewriter's name and of the body, which follow. Bytes."""
ANSWER: Final = struct.Struct("<4sQ")
"""What an answer begins with: `ANSWERED` and the length of the JSON text which follows. Bytes."""
ASKED: Final = b"ship"
ANSWERED: Final = b"file"


def run() -> None:
    """Serve standard input. Ctrl-C is the parent's to act on; when it closes the pipe or is gone, this process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer each request: a list with the fields of each reference, or null where the rewriter fails."""
    while len(header := requests.read(REQUEST.size)) == REQUEST.size:
        asked, name_length, length = REQUEST.unpack(header)
        if asked != ASKED:
            return
        rewriter = import_module(requests.read(name_length).decode())
        body = requests.read(length)
        if len(body) < length:
            return
        try:
            answer = json.dumps(plain(rewriter.references(body)))
        except Exception:  # noqa: BLE001 - the parent tries the same, and its failure is the one that is reported
            answer = "null"
        text = answer.encode()
        answers.write(ANSWER.pack(ANSWERED, len(text)) + text)
        answers.flush()
