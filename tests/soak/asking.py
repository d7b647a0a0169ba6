"""Clients as they should be: they ask, read the whole answer and compare."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

from tests.services.wire import Wire

from .known import Known
from .questions import Question, Questions
from .tally import Tally, Trouble


def ticks(interval: float, ending: threading.Event) -> Iterator[None]:
    """One item each ``interval`` seconds, later if the work on the one before takes longer, until ``ending``."""
    due = time.monotonic()
    while not ending.wait(max(0.0, due - time.monotonic())):
        yield
        due = max(due + interval, time.monotonic() - 10 * interval)


def ask(port: int, known: Known, tally: Tally, chance: random.Random, ending: threading.Event, interval: float) -> None:
    """One question after the other, most on a connection that is kept alive."""
    wire, questions = Wire(port), Questions(known, chance)
    for _ in ticks(interval, ending):
        question = questions.any()
        if chance.random() < 0.05:
            wire.close()
        if chance.random() < 0.02:
            question.fields["Connection"] = "close"
        begun = time.monotonic()
        try:
            answer = wire.ask(question.method, question.target, question.fields)
            tally.took(time.monotonic() - begun)
            _settle(question, answer.status, tally)
            question.check(answer)
        except (Trouble, AssertionError, OSError) as error:
            _tell(tally, question, error)
            wire.close()
    wire.close()


def pipeline(
    port: int, known: Known, tally: Tally, chance: random.Random, ending: threading.Event, interval: float
) -> None:
    """Several questions at once; those that a closed connection leaves open are asked no more."""
    wire, questions = Wire(port), Questions(known, chance)
    for _ in ticks(interval, ending):
        asked = [questions.any_small() for _ in range(chance.randint(2, 8))]
        try:
            answers = wire.ask_all([(question.method, question.target, question.fields) for question in asked])
        except (AssertionError, OSError) as error:
            _tell(tally, asked[0], error)
            wire.close()
            continue
        tally.count("pipelined", len(answers))
        if not answers:
            tally.trouble("broken", f"no answer to {len(asked)} requests at once, the first {asked[0].target}")
        for question, answer in zip(asked, answers, strict=False):
            try:
                _settle(question, answer.status, tally)
                question.check(answer)
            except Trouble as error:
                _tell(tally, question, error)


def _settle(question: Question, status: int, tally: Tally) -> None:
    tally.count("requests")
    tally.count(question.kind)
    if question.kind == "retired" and status == 404:
        tally.count("pruned")


def _tell(tally: Tally, question: Question, error: Exception) -> None:
    match error:
        case Trouble():
            kind = error.kind
        case TimeoutError():
            kind = "hang"
        case _:
            kind = "broken"
    tally.trouble(kind, f"{question.method} {question.target[:100]} {question.fields}: {error!r}")
