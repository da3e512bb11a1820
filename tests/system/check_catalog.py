#!/usr/bin/python3
"""check_catalog.py: the journal catalog and src/facts/events.def tell of the same events.

Both ways: each event has one entry under its own message id, and there is no entry without an
event. Needs neither root nor journald. Prints TAP.
"""

import os
import re
import sys

TOP = os.environ.get("top_srcdir") or os.path.join(os.path.dirname(__file__), "..", "..")
CATALOG = os.path.join(TOP, "systemd", "mboxwatch.catalog")
EVENTS = os.path.join(TOP, "src", "facts", "events.def")

# Contract 6; the journal adds fields of its own, which an entry has no need of.
FIELDS = {
    "MBOXWATCH_" + field
    for field in "EVENT_ID EVENT MAILBOX ENDPOINT STATE SMTP IMAP WAS CAUSE STAGE SERVER INCIDENT"
    " OUTAGE".split()
}
WIDTH = 90


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def rows_of_events(text):
    """{event word: message id} out of the rows NAME(..., "word", ..., id, ...) of events.def."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)
    found = {}
    for row in re.finditer(r"^\s*[A-Z_]+\((.*?)\)\s*$", text, flags=re.DOTALL | re.MULTILINE):
        words = re.findall(r'"([a-z]+(?:-[a-z]+)*)"', row.group(1))
        ids = re.findall(r"\b[0-9a-f]{32}\b", row.group(1))
        if words and ids:
            found[words[0]] = ids[0]
    return found


def entries_of_catalog(text):
    """[(event word, message id, header {name: value}, text)] in the order of the file."""
    entries = []
    for block in re.split(r"^# event: ", text, flags=re.MULTILINE)[1:]:
        word, rest = block.split("\n", 1)
        first, rest = rest.split("\n", 1)
        head, _, body = rest.partition("\n\n")
        fields = dict(line.split(": ", 1) for line in head.splitlines())
        entries.append((word.strip(), first.removeprefix("-- ").strip(), fields, body.strip()))
    return entries


def faults():
    """(what is claimed, [what breaks it]), a test each."""
    catalog = read(CATALOG)
    events = rows_of_events(read(EVENTS))
    entries = entries_of_catalog(catalog)
    ids = re.findall(r"^-- (.*)$", catalog, flags=re.MULTILINE)
    by_word = {word: entry_id for word, entry_id, _, _ in entries}

    yield "events.def has rows", [] if events else ["no row was found in " + EVENTS]
    yield "each entry is headed by its event", [
        f"{len(ids)} ids, {len(entries)} headings"
    ] if len(ids) != len(entries) else []
    yield "an id is 32 hexadecimal digits, and no two are alike", [
        i for i in ids if not re.fullmatch(r"[0-9a-f]{32}", i) or ids.count(i) > 1
    ]
    yield "each event has an entry", sorted(set(events) - set(by_word))
    yield "each entry has an event", sorted(set(by_word) - set(events))
    yield "the ids agree", [
        f"{word}: {events[word]} in events.def, {by_word[word]} in the catalog"
        for word in sorted(set(events) & set(by_word))
        if events[word] != by_word[word]
    ]
    yield "each entry has a subject, a manual and a text", [
        word for word, _, head, body in entries
        if not head.get("Subject") or "mboxwatch-events(7)" not in head.get("Documentation", "")
        or not body
    ]
    yield "fields are those of contract 6", sorted(
        set(re.findall(r"@([A-Z0-9_]+)@", catalog)) - FIELDS
    )
    yield f"no line is longer than {WIDTH}", [
        line for line in catalog.splitlines() if len(line) > WIDTH and not line.startswith("#")
    ]


def main():
    bad = 0
    for number, (claim, broken) in enumerate(faults(), 1):
        print(f"{'not ok' if broken else 'ok'} {number} - catalog: {claim}")
        for line in broken:
            print(f"# {line}")
        bad += bool(broken)
    print(f"1..{number}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
