"""Queries as people type them: how they are read, and what is said of mistakes."""

from __future__ import annotations

import pytest

from deployctl.queries.expression import (
    MOST_CHARS,
    MOST_DEPTH,
    All,
    Either,
    Expression,
    Negation,
    Term,
    parse,
)


def label(name: str, *parts: str) -> Term:
    return Term(name, True, parts or None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("canary", label("canary")),
        ("zone=eu-west", label("zone", "eu-west")),
        ("zone!=eu", Negation(label("zone", "eu"))),
        (" zone \t!=\n eu ", Negation(label("zone", "eu"))),
        ("name=web-1*", Term("name", False, ("web-1", ""))),
        ("label.name=web", label("name", "web")),
        ("slot", Term("slot", False)),
        ("a=*b*c", label("a", "", "b", "c")),
        ('a="b c"*', label("a", "b c", "")),
        ('a="*"', label("a", "*")),
        ('a=""', label("a", "")),
        (r'a="\"\\"', label("a", '"\\')),
        ("a=ü%_\\", label("a", "ü%_\\")),
        ("a&b", All((label("a"), label("b")))),
        ("a|b&c", Either((label("a"), All((label("b"), label("c")))))),
        ("(a|b)&c", All((Either((label("a"), label("b"))), label("c")))),
        ("!a&b", All((Negation(label("a")), label("b")))),
        ("!(a&b)", Negation(All((label("a"), label("b"))))),
        ("!!a", Negation(Negation(label("a")))),
        (
            "zone=eu-west & role=web & !canary | name=web-1*",
            Either(
                (
                    All(
                        (
                            label("zone", "eu-west"),
                            label("role", "web"),
                            Negation(label("canary")),
                        )
                    ),
                    Term("name", False, ("web-1", "")),
                )
            ),
        ),
    ],
)
def test_what_a_query_means(text: str, found: Expression) -> None:
    assert parse(text) == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("a b", "Character 3 of the query: & or |"),
        ("a & ", "Character 5 of the query: a name"),
        ("a &", "Character 4 of the query: a name"),
        ("a=", "Character 3 of the query: a value"),
        ("a==b", "Character 3 of the query: a value"),
        ("a!b", "Character 2 of the query: & or |"),
        ("=a", "Character 1 of the query: a name"),
        ("(a", "Character 1 of the query: this parenthesis"),
        ("a)", "Character 2 of the query: & or |"),
        ("()", "Character 2 of the query: a name"),
        ('a="b', "Character 3 of the query: this quotation"),
        (r'a="\n"', "Character 3 of the query: this quotation"),
        ("name", "every target has a name; say which"),
        ("label.", "a label's name is needed"),
        ("a && b", "Character 4 of the query: a name"),
        ("a' OR 1=1 --", "Character 2 of the query: & or |"),
        ("zöne=1", "Character 2 of the query: & or |"),
        ("a=\0", "Character 3 of the query is none of text"),
        ("a=\ud800", "Character 3 of the query is none of text"),
        ("a=\x1b[2J", "Character 3 of the query is none of text"),
        ("a" * (MOST_CHARS + 1), "at most 1000 characters"),
        ("(" * 400 + "a" + ")" * 400, "at most 20 deep"),
        ("!" * 900 + "a", "at most 20 deep"),
        ("!(" * 400, "at most 20 deep"),
    ],
)
def test_what_is_no_query_is_refused_in_one_sentence(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"query") as refused:
        parse(text)
    said = str(refused.value)
    assert says in said
    assert said.endswith(".")
    assert said.count(". ") == 0
    assert "\n" not in said


def test_the_bounds_themselves_are_allowed() -> None:
    parse("!" * MOST_DEPTH + "a")
    parse("(" * MOST_DEPTH + "a" + ")" * MOST_DEPTH)
    parse("|".join("a" for _ in range(MOST_CHARS // 2)))
