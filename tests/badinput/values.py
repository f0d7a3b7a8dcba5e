"""Hostile values, by name, for each kind of field; they know no field.

Every table of this folder draws from here, so that a value which once broke something
is tried everywhere by one more line.
"""

from __future__ import annotations

#: What no log, page or event may ever show; it rides along in requests.
SECRET = "canary-" + "5b1f90"
SCRIPT = '"><script>alert(1)</script>'

#: Odd text that a person could mean, and that a database can keep.
ODD = {
    "two lines": "one\r\ntwo",
    # What a terminal obeys, what turns a line round, what stands for broken bytes.
    "unprintable": "\x1b[2J\x07\u202egnp.exe\ufffd",
    # What a page, a template, a database, a spreadsheet or a file system might obey.
    "code": f"=cmd|' /C x'!A0 '; DROP TABLE a; -- {{{{ 7|add:7 }}}} ../../etc {SCRIPT}",
}
#: What a person could type or paste into any field.
TEXTS = {"empty": "", "spaces": " \t ", "long": "x" * 100_000, "nul": "a\0b", **ODD}
#: What is no whole number that a column could hold, or looks as if it were one.
NUMBERS = {
    "word": "many",
    "nul": "\0",
    "code": SCRIPT,
    "unicode digits": "\u0663",
    "power": "1e400",
    "nan": "NaN",
    "infinity": "Infinity",
    "minus nothing": "-0",
    "negative": "-1",
    "part": "1.5",
    "beyond bigint": str(2**63),
    "endless": "9" * 5_000,
    "underscore": "1_0",
    "hexadecimal": "0x10",
}
#: What names no choice and no row.
CHOICES = {
    "unknown": "no such one",
    **{name: NUMBERS[name] for name in ("nul", "code", "negative", "beyond bigint")},
}
