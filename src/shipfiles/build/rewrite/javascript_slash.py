"""Whether a slash in a script divides (ECMA-262 section 12).

The lexical grammar has two goals: where an operand may end a slash divides, elsewhere it begins a regular expression.
Which of them holds is known from what stands before: a word, a sign, or a bracket and what that bracket was opened for.
Brackets are looked at only when a slash asks for it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Final, Literal, NamedTuple

from .javascript_past import NEAR, NEWLINE, Past

_WORD_BEFORE = re.compile(rb"(?<![\w$\\])[a-z]{2,10}\Z")
_NAME_BEFORE = re.compile(rb"(?<![\w$\\\x80-\xff])[\w$\\\x80-\xff]++\Z")
# Round brackets with none inside.
_FLAT = re.compile(rb"\((?>[^\"'`/(){}]++|\"(?>[^\"\\\r\n]++|\\[\s\S])*+\"|'(?>[^'\\\r\n]++|\\[\s\S])*+')*+\)")
# What tells a conditional expression's colon from that of a label or a case.
_CONDITION = re.compile(
    rb"/\*(?>[^*]++|\*(?!/))*+\*/|//[^\r\n]*+|\"(?>[^\"\\\r\n]++|\\[\s\S])*+\"|'(?>[^'\\\r\n]++|\\[\s\S])*+'"
    rb"|\?\?|\?\.(?!\d)|(?<![\w$.\\#])case(?![\w$\\])|[?:;()\[\]{}]"
)
# The reserved words that are no operand, so that a slash after them begins a regular expression. "yield" and "await"
# are taken for operators, although a script may name a variable so.
_BEFORE_OPERAND: Final = frozenset(
    b"await break case continue debugger delete do else extends in instanceof new return throw typeof void yield "
    b"default".split()
)
# No operand follows these on another line (section 12.10, restricted productions), but a statement does.
_ENDED_BY_LINE: Final = frozenset(b"break continue debugger return throw yield".split())
_BEFORE_BLOCK: Final = frozenset(b"break continue debugger do else".split())
_BEFORE_HEAD: Final = frozenset(b"if while for with".split())
_LETTERS: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$\\") | frozenset(
    range(0x80, 0x100)
)
_PAREN, _PAREN_END, _BRACE, _BRACE_END = b"(){}"
_SLASH, _DOLLAR, _DOT, _COLON = b"/$.:"
# How far back things are looked for: farther than any head that people or their tools write.
_FAR: Final = 2048
_MAX_STEPS: Final = 16

_Kind = Literal["object", "body", "statement"]
"""What braces hold: an object literal, the body of a function's or class's expression, or statements."""


class _Beginning(NamedTuple):
    """Where the code before an object, a function or a class ends, where that begins, and which it is."""

    before: int
    start: int
    kind: _Kind


class _Counted(NamedTuple):
    """The conditional expressions without their colon in ``body[start:end]``."""

    start: int
    end: int
    conditions: int
    """How many there are in the brackets that are open at the end."""
    outer: list[int]
    """And in each of those around them."""


class Slashes:
    """What the slashes of one file mean, by what a walk has passed."""

    def __init__(self, body: bytes, past: Past) -> None:
        self._body = body
        self._past = past
        # Opening braces that have been asked for. One may be asked for many times.
        self._kinds: dict[int, _Kind] = {}
        # Whether round brackets that have been asked for are heads, by the offset of the opening one.
        self._heads: dict[int, bool] = {}
        # What the last colon was asked for.
        self._counted = _Counted(0, 0, 0, [])

    def divides(self, at: int) -> bool:
        """Whether what stands before ``at`` is a whole operand, so that a slash there divides."""
        body = self._body
        end = self._past.before(at)
        if end == 0:
            return False
        byte = body[end - 1]
        if self._past.ends_regex(end) or byte in b"\"'`]":
            return end != self._past.specifier_end
        if byte in _LETTERS:
            word = self._word(end)
            return word not in _BEFORE_OPERAND and not (word == b"of" and self._is_for_of(end))
        if byte == _PAREN_END:
            return not (self._past.closed[0] == end - 1 and self._is_head(self._past.closed[1]))
        if byte == _BRACE_END:
            return self._past.closed[0] == end - 1 and self._kind(self._past.closed[1]) != "statement"
        if byte == _DOT:
            return body[end - 3 : end] != b"..."
        return byte in b"+-" and self._is_postfix(end)

    def _is_postfix(self, end: int) -> bool:
        """Whether the signs that end at ``end`` are a "++" or "--" behind its operand: "a++ / b", not "a + /b/"."""
        body = self._body
        sign = body[end - 1 : end]
        if body[end - 4 : end] == sign * 4:
            return True  # no sign can be read so
        if body[end - 2 : end - 1] != sign or body[end - 3 : end - 2] == sign:
            return False
        operand = self._past.before(end - 2)
        if operand == 0 or NEWLINE.search(body, operand, end - 2):
            return False
        byte = body[operand - 1]
        return byte in b")]}" or (byte in _LETTERS and self._word(operand) not in _BEFORE_OPERAND)

    def _is_head(self, paren: int) -> bool:
        """Whether the round bracket at ``paren`` began the head of a statement."""
        known = self._heads.get(paren)
        if known is None:
            end = self._past.before(paren)
            word = self._word(end)
            known = word in _BEFORE_HEAD or (word == b"await" and self._word(self._past.before(end - 5)) == b"for")
            self._heads[paren] = known
        return known

    def _is_for_of(self, end: int) -> bool:
        """Whether the word "of" that ends at ``end`` is that of a loop's head, and no variable of that name."""
        if not self._past.open or self._body[self._past.open[-1]] != _PAREN or not self._is_head(self._past.open[-1]):
            return False
        binding = self._past.before(end - 2)
        byte = self._body[binding - 1]
        if byte in b"]})":
            return True
        word = self._word(binding)
        if word == b"of":  # in "for (of of" the binding, in "for (x of of" the operator
            earlier = self._past.before(binding - 2)
            return self._body[earlier - 1] == _PAREN or self._word(earlier) in (b"const", b"let", b"var", b"using")
        return byte in _LETTERS and word not in (b"const", b"let", b"var", b"using")

    def _kind(self, brace: int) -> _Kind:
        """What the braces held that began at ``brace``, within all that is open now."""
        body = self._body
        depth = len(self._past.open)
        waiting: list[tuple[int, _Beginning]] = []
        # Behind a colon the surrounding braces decide, and so on outwards.
        while (kind := self._kinds.get(brace)) is None:
            beginning = self._beginning(brace)
            if beginning is None:
                kind = self._kinds[brace] = "statement"
                break
            colon = body[beginning.before - 1] == _COLON and beginning.before > 0
            if not (colon and depth and body[self._past.open[depth - 1]] == _BRACE):
                is_value = (colon and (depth > 0 or self._is_condition(beginning.before, 0))) or (
                    not colon and self._operand_due(beginning)
                )
                kind = self._kinds[brace] = beginning.kind if is_value else "statement"
                break
            waiting.append((brace, beginning))
            depth -= 1
            brace = self._past.open[depth]
        for inner, beginning in reversed(waiting):
            is_value = kind == "object" or self._is_condition(beginning.before, self._past.open[depth] + 1)
            depth += 1
            kind = self._kinds[inner] = beginning.kind if is_value else "statement"
        return kind

    def _beginning(self, brace: int) -> _Beginning | None:
        """Where what has the brace at ``brace`` begins, if it could be an object literal, a function or a class."""
        body = self._body
        end = self._past.before(brace)
        if end == 0 or body.endswith(b"=>", 0, end):
            return None
        byte = body[end - 1]
        if byte == _PAREN_END:
            return self._function(end - 1) or self._class(end)
        if byte in _LETTERS:
            if self._word(end) in _BEFORE_OPERAND or self._word(end) == b"of":
                return _Beginning(end, brace, "object")
            return self._class(end)
        return _Beginning(end, brace, "object")

    def _operand_due(self, beginning: _Beginning) -> bool:
        """Whether an operand is due after ``beginning.before``, where otherwise a statement begins."""
        body = self._body
        end = beginning.before
        if end == 0:
            return False
        byte = body[end - 1]
        if byte in _LETTERS:
            word = self._word(end)
            if word == b"of":
                return self._is_for_of(end)
            if word not in _BEFORE_OPERAND or word in _BEFORE_BLOCK or self._past.ends_regex(end):
                return False
            if word == b"default":
                return beginning.kind == "object"
            return word not in _ENDED_BY_LINE or not NEWLINE.search(body, end, beginning.start)
        if byte == _BRACE:
            return bool(self._past.open) and body[end - 2] == _DOLLAR and self._is_open(end - 2)
        if byte in b"+-":
            return body[end - 2] != byte
        if byte == _SLASH:
            return not self._past.ends_regex(end)
        return byte in b"=([,?&|^*%!~<>" or body.endswith(b"...", 0, end)

    def _is_open(self, opening: int) -> bool:
        index = bisect_left(self._past.open, opening)
        return index < len(self._past.open) and self._past.open[index] == opening

    def _is_condition(self, end: int, low: int) -> bool:
        """Whether the colon that ends at ``end`` is that of a conditional expression, and not a label's or a case's.

        The expression cannot begin before ``low``.
        """
        body = self._body
        name = self._past.before(end - 1)
        if self._word(name) == b"default":
            return False
        # Steady for many colons, so that what was counted for one serves the next.
        start = max(low, (name // NEAR - 1) * NEAR)
        known = self._counted
        if known.start != start or known.end > name:
            known = _Counted(start, start, 0, [])
        conditions, outer = known.conditions, known.outer
        parts = self._past.without_regexes(known.end, name)
        for token in (match[0] for part in parts for match in _CONDITION.finditer(body, *part)):
            if token == b"?":
                conditions += 1
            elif token == b":":
                conditions = max(0, conditions - 1)
            elif token in (b"(", b"[", b"{"):
                outer.append(conditions)
                conditions = 0
            elif token in (b")", b"]", b"}"):
                conditions = outer.pop() if outer else 0
            elif token in (b"case", b";"):
                conditions = 0
        self._counted = _Counted(start, name, conditions, outer)
        return conditions > 0

    def _function(self, close: int) -> _Beginning | None:
        """The function whose parameters end with the round bracket at ``close``, if it has the word for it."""
        paren = self._opening(close)
        if paren < 0:
            return None
        end = self._past.before(paren)
        if self._word(end) != b"function" and end > 0:
            if self._body[end - 1] in _LETTERS:
                end = self._past.before(self._name_start(end))
            if self._body[end - 1 : end] == b"*":
                end = self._past.before(end - 1)
        if self._word(end) != b"function":
            return None
        start = end - len(b"function")
        end = self._past.before(start)
        if self._word(end) == b"async" and not NEWLINE.search(self._body, end, start):
            start = end - len(b"async")
            end = self._past.before(start)
        return _Beginning(end, start, "body")

    def _class(self, end: int) -> _Beginning | None:
        """The class whose name or heritage ends at ``end``; the latter as far as it is made of names and calls."""
        body = self._body
        for _ in range(_MAX_STEPS):
            if end > 0 and body[end - 1] == _PAREN_END:
                end = self._past.before(max(0, self._opening(end - 1)))
            if end == 0 or body[end - 1] not in _LETTERS:
                return None
            start = self._name_start(end)
            if self._word(end) == b"class":
                return _Beginning(self._past.before(start), start, "body")
            heritage = self._word(end) == b"extends"
            end = self._past.before(start)
            if body[end - 1 : end] == b".":
                end = self._past.before(end - 1)
            elif not heritage and self._word(end) not in (b"class", b"extends"):
                return None
        return None

    def _opening(self, close: int) -> int:
        """The opening bracket of the round one that closes at ``close``; negative if that is not known."""
        known = self._past.heads.get(close)
        if known is not None:
            return known
        opening, low = close, max(0, close - _FAR)
        for _ in range(_MAX_STEPS):
            opening = self._body.rfind(b"(", low, opening)
            if opening < 0:
                break
            if (flat := _FLAT.match(self._body, opening, close + 1)) and flat.end() == close + 1:
                return opening
        return -1

    def _name_start(self, end: int) -> int:
        name = _NAME_BEFORE.search(self._body, max(0, end - NEAR), end)
        return name.start() if name else end

    def _word(self, end: int) -> bytes:
        """The plain word that ends at ``end``; empty if it is a property's name or anything else."""
        match = _WORD_BEFORE.search(self._body, max(0, end - 12), end)
        if match is None:
            return b""
        before = self._past.before(match.start())
        if before == match.start() > 0 and self._body[before - 1] >= 0x80:
            return b""  # the end of a longer name
        if self._body[before - 1 : before] == b"#" or self._past.is_property(before):
            return b""
        return match[0]
