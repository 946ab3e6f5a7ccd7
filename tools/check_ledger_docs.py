#!/usr/bin/env python3
"""Fails unless docs/ledger.md and the tables of server/ledger/rows.h say the same.

What the ledger has must be in the document: each event as a row of a table, each member of an event in its row (or where the
document has the members of many events, see SHARED), each word. What the document names must be in the ledger: the events
of such rows, the members beside them, the words. The names of triggers and steps may be in docs/writing-modes.md."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = re.compile(r'#define LEDGER_(\w+)\(X\)((?:.*\\\n)+.*)')
ROW = re.compile(r'X\([A-Z_0-9]+,\s*"([a-z_0-9][a-z_0-9 /.-]*)"', re.I)
MEMBERS = re.compile(r'X\(([A-Z_]+),\s*((?:"[^"]*"\s*)+)\)')
NAME = re.compile(r'[a-z][a-z_0-9]*')

# Members that sections of their own tell of: the heading of each, and how the row of an event points to it.
SHARED = {"What a request says of itself": "(#what-a-request-says-of-itself)",
          "What a black hole swallows": "(#what-a-black-hole-swallows)"}
# What every event has or may have, by the second paragraph of the document; and a paragraph that names its events.
EVERY_EVENT = {"seq", "at", "ms", "event", "cut"}
EVERYWHERE = {"connection", "exchange"}
FOLLOWS = "What follows from a fault names it"
# Names that are no part of the ledger: of the API, of the mode language, of the command line, of TLS, of HTTP, metrics.
OTHERS = {"unknown_ca", "bad_certificate", "certificate_unknown", "traceparent", "dropped", "normal", "do", "barrier",
          "closing", "fin_wait", "tap", "default", "hangup_ledger_unwritten_total"}


def without_blocks(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def quoted(text):
    """What is between backticks."""
    return re.findall(r"`([^`]+)`", text)


def outside(text):
    """The text without what is in parentheses, which explains a member and may name others; a link loses only its address."""
    text = re.sub(r"\]\([^)]*\)", "]", text)
    while "(" in text:
        shorter = re.sub(r"\([^()]*\)", "", text)
        if shorter == text:
            raise SystemExit(f"docs/ledger.md: parentheses do not match: {text[:120]}")
        text = shorter
    return text


def section(text, heading):
    return re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#|\Z)", text, re.M | re.S).group(1)


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def tables(text):
    """The tables of the text: the cells of the first line, and those of the others."""
    for block in re.findall(r"(?:^\|.*\n)+", text, re.M):
        lines = [cells(line) for line in block.splitlines()]
        yield lines[0], lines[2:]


def first_column(text):
    return {name for _, rows in tables(text) for row in rows for name in quoted(row[0])}


class Ledger:
    """What server/ledger/rows.h says."""

    def __init__(self, text):
        found = dict(TABLE.findall(text))
        joined = found.pop("MEMBERS").replace("\\\n", " ")
        self.events = ROW.findall(found.pop("EVENTS"))
        self.fields = ROW.findall(found.pop("FIELDS"))
        self.words = {table: ROW.findall(rows) for table, rows in found.items()}
        self.members = {event.lower(): [m.rstrip("?") for m in "".join(quote.findall(texts)).split()]
                        for quote in [re.compile(r'"([^"]*)"')] for event, texts in MEMBERS.findall(joined)}
        if set(self.members) != set(self.events) or not self.fields or not all(self.words.values()):
            raise SystemExit("check_ledger_docs.py does not understand server/ledger/rows.h")


def event_rows(text):
    """The rows of events: which these are, the names that stand there as members, and the whole row."""
    for head, rows in tables(text):
        for row in rows if head[0] == "event" else []:
            yield quoted(re.sub(r"\([^()]*\)", "", row[0])), set(quoted(outside(row[-1]))), " ".join(row)


class Document:
    """What docs/ledger.md says of events: the members of each, by all of its rows, and what they point to."""

    def __init__(self, text, ledger):
        self.members, self.alien = {}, []
        shared = {link: first_column(section(text, heading)) for heading, link in SHARED.items()}
        follows = re.search(rf"^{FOLLOWS}.*?\n\n", text, re.M | re.S).group(0)
        for events, names, whole in event_rows(text):
            has = {name for event in events for name in ledger.members.get(event, ())}
            as_request = re.search(r"as `request`(?: \(without ([^)]*)\))?", whole)
            if as_request:
                names |= self.members["request"] - set(quoted(as_request[1] or ""))
            for link, more in shared.items():
                names |= more & has if link in whole else set()
            self.alien += [f"{' and '.join(events)}: no member {name}" for name in sorted(names - has - set(ledger.events))]
            for event in events:
                named = {"fault", "last_fault"} if f"`{event}`" in follows else set()
                self.members[event] = self.members.get(event, set()) | names | named


def main():
    ledger = Ledger((ROOT / "server/ledger/rows.h").read_text())
    text, language = (without_blocks((ROOT / name).read_text()) for name in ("docs/ledger.md", "docs/writing-modes.md"))
    document, said = Document(text, ledger), set(quoted(text))
    wrong = document.alien
    for event in ledger.events:
        lacks = set(ledger.members[event]) - document.members.get(event, set()) - EVERYWHERE
        wrong += [f"the row of {event} lacks its member {name}" for name in sorted(lacks)]
    wrong += [f"no table has the event {event}" for event in ledger.events
              if event not in document.members]
    wrong += [f"there is no event {event}" for event in document.members if event not in ledger.events]
    for table, words in ledger.words.items():
        known = said | set(quoted(language)) if table in ("WORDS_TRIGGER", "WORDS_STEP") else said
        wrong += [f"the word {word} is missing ({table})" for word in words if word not in known]
    known = OTHERS.union(EVERY_EVENT, EVERYWHERE, ledger.events, ledger.fields, *ledger.words.values())
    wrong += [f"{name} is no name of the ledger" for name in sorted(said - known) if NAME.fullmatch(name)]
    for line in wrong:
        print(f"docs/ledger.md: {line}", file=sys.stderr)
    return 1 if wrong else 0


sys.exit(main())
