"""Fleets as CSV and JSON: what is read, what is refused where, and round trips."""

from __future__ import annotations

import codecs
import csv
import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployctl.inventories import cells, formats
from deployctl.inventories.rows import (
    LABEL,
    MOST_PROBLEMS,
    NAME,
    Inventory,
    NoInventory,
    Row,
)


def read(text: str | bytes, format: str = "csv") -> Inventory:
    """Return what a text says."""
    return formats.read(text.encode() if isinstance(text, str) else text, format)


def problems(text: str | bytes, format: str = "csv") -> list[str]:
    """Return what is wrong with a text, a sentence each."""
    return [str(each) for each in read(text, format).problems.first]


TABLE = """name,address,kind,slot,version,label.zone,settings.port,settings
web-1,http://a:1,agent,blue,1.0,eu,8080,"{""a"": [1, true]}"
web-2,,,,,,,
"""


def test_a_table_says_what_its_columns_say() -> None:
    first, second = read(TABLE).rows
    assert first == Row(
        2,
        "web-1",
        {"address": "http://a:1", "kind": "agent", "slot": "blue", "version": "1.0"},
        {"zone": "eu"},
        {"port": 8080, "a": [1, True]},
    )
    assert second.texts == {"address": "", "kind": "", "slot": "", "version": ""}
    assert second.labels == {"zone": None}
    assert second.settings == {"port": None}


def test_a_column_that_is_not_there_says_nothing() -> None:
    (row,) = read("name\nweb-1\n").rows
    assert (row.texts, row.labels, row.settings) == ({}, {}, {})


@pytest.mark.parametrize(
    "data",
    [
        TABLE.encode(),
        codecs.BOM_UTF8 + TABLE.encode(),
        codecs.BOM_UTF16_LE + TABLE.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TABLE.encode("utf-16-be"),
        TABLE.replace("\n", "\r\n").encode(),
        TABLE.replace("web-1,", " web-1 ,").encode(),
        TABLE.encode() + b"\n\n,,,,,,,\n",
        TABLE.rstrip().encode(),
    ],
)
def test_marks_line_ends_and_spaces_mean_nothing(data: bytes) -> None:
    assert read(data).rows == read(TABLE).rows


@pytest.mark.parametrize("sign", [";", "\t"])
def test_spreadsheets_divide_columns_by_other_signs(sign: str) -> None:
    (row,) = read(f"name{sign}label.zone\nweb-1{sign}eu, west\n").rows
    assert row.labels == {"zone": "eu, west"}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("", "It is empty"),
        (" \n\n", "It is empty"),
        ("name\n", "There is no target in it"),
        ("name,address\n\n,\n", "There is no target in it"),
        (TABLE.encode("utf-16-le"), "If it is UTF-16 without a mark"),
        (codecs.BOM_UTF32_LE + TABLE.encode("utf-32-le"), "It is UTF-32"),
        (b"name\nweb-\xff\n", "Line 2 is not UTF-8"),
        ("name\nweb-1\0\n", "Line 2 has a NUL"),
        ('name\n"web-1\n', "is no CSV"),
        ('name,address\nweb-1,"a"b\n', "Line 2 is no CSV"),
        (",".join(["name", *map(str, range(501))]), "more than 500 columns"),
    ],
)
def test_what_is_no_table_is_refused_as_a_whole(data: str | bytes, says: str) -> None:
    with pytest.raises(NoInventory) as refused:
        read(data)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("address\nx\n", "line 1, name: is needed: no column is called so"),
        ("name,colour\na,b\n", "line 1, colour: is no known column; there are name"),
        ("name,name\na,b\n", "line 1, name: is the name of two columns"),
        ("name,slot\na\n", "line 2: has 1 cells, and the first line has 2"),
        ("name,slot\na,b,c\n", "line 2: has 3 cells, and the first line has 2"),
        ("name,slot\n,b\n", "line 2, name: is needed"),
        ("name\n-rf\n", "line 2, name: must begin with a letter or digit"),
        ("name\n=cmd|' /C calc'!A0\n", "line 2, name: must begin with"),
        ("name\n" + "a" * 129 + "\n", "line 2, name: must begin with"),
        ("name\na\nb\na\n", "line 4, name: a is on line 2 already"),
        ('name,address\na,"x\ny"\n', "line 2, address: has a character"),
        ("name,address\na," + "x" * 501 + "\n", "line 2, address: has more than 500"),
        ("name,slot\na," + "x" * 65 + "\n", "line 2, slot: has more than 64"),
        ("name,version\na,$(x)\n", "line 2, version: must begin with"),
        ("name,label.a b\na,x\n", "line 2, label.a b: a label's name has"),
        ("name,label.\na,x\n", "line 2, label.: a label's name has"),
        ("name,label.a\na," + "x" * 201 + "\n", "line 2, label.a: has more than 200"),
        ("name,settings\na,[1]\n", "line 2, settings: must be an object of JSON"),
        ("name,settings\na,{\n", "line 2, settings: must be an object of JSON"),
        ("name,settings.a\na,1e999\n", "line 2, settings: have a number"),
        ('name,settings.a\na,"""\\u0000"""\n', "line 2, settings: have a character"),
        ("name,settings.a\na," + "x" * 16_001 + "\n", "line 2, settings: have more"),
    ],
)
def test_what_is_wrong_is_said_with_line_and_field(text: str, says: str) -> None:
    found = problems(text)
    assert len(found) == 1
    assert found[0].startswith(says)


def test_of_many_problems_the_first_are_kept_and_all_are_counted() -> None:
    found = read("name\n" + "".join(f"-{n}\n" for n in range(250))).problems
    assert (len(found.first), found.count, found.more) == (MOST_PROBLEMS, 250, 150)


def test_a_long_line_is_refused_before_memory_goes() -> None:
    data = b"name\n" + b"x" * 10_000_000
    tracemalloc.start()
    try:
        with pytest.raises(NoInventory, match="Line 2 has more than 1,000,000 char"):
            read(data)
        assert tracemalloc.get_traced_memory()[1] < 3 * len(data)
    finally:
        tracemalloc.stop()


def test_a_file_that_is_too_large_is_not_even_decoded() -> None:
    with pytest.raises(NoInventory, match="more than 50 MB"):
        read(bytes(50_000_001))


# -- JSON ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '[{"name": "a", "labels": {"zone": "eu", "x": null}, "settings": {"p": 1}}]',
        '\n {"targets" : [ {"name": "a", "labels": {"zone": "eu", "x": null},'
        ' "settings": {"p": 1}} ] } \n',
    ],
)
def test_json_is_a_list_or_has_one(text: str) -> None:
    (row,) = read(text, "json").rows
    assert (row.name, row.texts) == ("a", {})
    assert (row.labels, row.settings) == ({"zone": "eu", "x": None}, {"p": 1})


def test_null_empties_a_field_and_what_is_absent_stays() -> None:
    (row,) = read('[{"name": "a", "slot": null, "labels": null}]', "json").rows
    assert (row.texts, row.labels) == ({"slot": ""}, {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "Line 1 is no JSON"),
        ("{}", "Line 1 is no JSON"),
        ("[]", "There is no target in it"),
        ('{"targets": []}', "There is no target in it"),
        ('{"hosts": []}', 'the one key is "targets"'),
        ('{"targets": [{"name": "a"}], "x": 1}', 'the one key is "targets"'),
        ('[{"name": "a"}] x', "nothing may follow"),
        ('[{"name": "a"}\n{"name": "b"}]', "Line 2 is no JSON: , or ]"),
        ('[{"name": "a", "name": "b"}]', "a key is there twice"),
        ('[{"name": "a", "settings": {"x": NaN}}]', "NaN is no number"),
        ("[" * 100_000, "It is nested too deep"),
        ('[{"name": "a", "settings": {"x": ' + "9" * 5000 + "}}]", "It is no JSON"),
    ],
)
def test_what_is_no_json_is_refused_as_a_whole(text: str, says: str) -> None:
    with pytest.raises(NoInventory) as refused:
        read(text, "json")
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("1", "line 2: a target is an object"),
        ("{}", "line 2, name: is needed, as text"),
        ('{"name": 1}', "line 2, name: is needed, as text"),
        ('{"name": "a", "x": 1}', "line 2, x: is not known: there are name"),
        ('{"name": "a", "slot": 1}', "line 2, slot: must be text, or null"),
        ('{"name": "a", "labels": []}', "line 2, labels: must be an object"),
        ('{"name": "a", "labels": {"z": 1}}', "line 2, label.z: must be text"),
        ('{"name": "a", "settings": {"x": 1e999}}', "line 2, settings: have a number"),
        (
            '{"name": "a", "settings": {"x": "\\ud800"}}',
            "line 2, settings: have a char",
        ),
        ('{"name": "a\\u0000"}', "line 2, name: must begin"),
        ('{"name": "a"}, {"name": "a"}', "line 2, name: a is on line 2 already"),
    ],
)
def test_what_is_wrong_in_json_is_said_with_its_line(value: str, says: str) -> None:
    found = problems(f"[\n{value}\n]", "json")
    assert len(found) == 1
    assert found[0].startswith(says)


# -- there and back --------------------------------------------------------------------

#: What spreadsheets and readers trip over.
ODD = [
    *("=cmd|'/c calc'!A0", "+1", "-1", "@SUM(A1)", "'", "''", "'=1", '"', '""', '"a"'),
    *("1", "1.0", "true", "null", "{", "[1]", "NaN", " a ", "a,b", "a;b"),
    *("ü", "\u2028", "＝1", "\\u0000", "0x1", "1e5", "-", "a b", "\u00a0a"),  # noqa: RUF001
]
TEXT = st.one_of(
    st.sampled_from(ODD),
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"]),
        max_size=20,
    ),
)
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXT,
        st.sampled_from(["a\nb", "a\r\nb", "\r", "a\tb", "\t"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(TEXT, inner, max_size=3),
    ),
    max_leaves=5,
)
ROW = st.builds(
    Row,
    line=st.just(0),
    name=st.from_regex(NAME, fullmatch=True),
    texts=st.fixed_dictionaries(
        {
            "address": TEXT,
            "kind": TEXT,
            "slot": TEXT,
            "version": st.one_of(st.just(""), st.from_regex(NAME, fullmatch=True)),
        }
    ),
    labels=st.dictionaries(st.from_regex(LABEL, fullmatch=True), TEXT, max_size=3),
    settings=st.dictionaries(
        # A header's cell is as people wrote it, without space around it.
        TEXT.map(str.strip),
        JSON.filter(lambda value: value is not None),
        max_size=3,
    ),
)


@pytest.mark.parametrize("format", formats.WRITTEN)
@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(ROW, min_size=1, max_size=4, unique_by=lambda row: row.name))
def test_what_is_written_is_read_again(format: str, rows: list[Row]) -> None:
    text = "".join(formats.written(rows, format))
    found = read(text, format)
    assert found.problems.first == []
    for before, after in zip(rows, found.rows, strict=True):
        assert after.name == before.name
        assert after.texts == before.texts
        assert {k: v for k, v in after.labels.items() if v is not None} == before.labels
        kept = {k: v for k, v in after.settings.items() if v is not None}
        assert json.dumps(kept, sort_keys=True) == json.dumps(
            before.settings, sort_keys=True
        )


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(value=JSON)
def test_no_spreadsheet_finds_a_formula(value: Any) -> None:
    texts = [cells.cell_of_value(value)]
    texts += [cells.cell_of_text(value)] if isinstance(value, str) else []
    for cell in texts:
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝"))  # noqa: RUF001


@pytest.mark.parametrize("cell", ["=cmd|'/c calc'!A0", "@x", "+a", "-a"])
def test_a_formula_is_kept_as_text_and_exported_so_that_it_is_none(cell: str) -> None:
    (row,) = read(f'name,label.x\na,"{cell}"\n').rows
    assert row.labels == {"x": cell}
    text = "".join(formats.written([row], "csv"))
    (_, given) = csv.reader(io.StringIO(text))
    assert given[-1] == f"'{cell}"
