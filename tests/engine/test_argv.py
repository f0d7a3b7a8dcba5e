"""What may stand in a command, and what a value can never do there."""

from __future__ import annotations

import pytest

from deployctl.engine.argv import Command, argv_problem, passed_on_problem
from deployctl.engine.processes import NotRun


def words(*argv: str, **values: str) -> list[str]:
    """Return the words that are run."""
    return list(Command(["/bin/x", *argv], [], values).program().argv)


def test_a_value_stays_inside_its_word() -> None:
    found = words("--image=app:{version}", "{target}", version="1.0", target="a;b|c&d")
    assert found == ["/bin/x", "--image=app:1.0", "a;b|c&d"]


def test_other_braces_are_left_alone() -> None:
    path = "jsonpath={.spec.image}"
    assert words(path, "{other}", "{}", version="1") == [
        "/bin/x",
        path,
        "{other}",
        "{}",
    ]


def test_a_value_that_looks_like_a_place_is_not_filled_again() -> None:
    assert words("{version}", version="v{target}", target="t")[1] == "v{target}"


@pytest.mark.parametrize(
    "value",
    [
        "-rf",
        "--kubeconfig=/tmp/mine",
        "@/etc/passwd",
        "1.0 --force",
        "1.0\n2.0",
        "1.0\t2",
        "1.0\0",
        "../../etc",
        "1.0/../..",
        "\x1b[31m",
        "\u202e1.0",
        "x" * 501,
    ],
)
def test_a_value_never_becomes_an_option_a_file_or_two_words(value: str) -> None:
    with pytest.raises(NotRun, match=r"the version .* Nothing was run"):
        words("{version}", version=value)
    with pytest.raises(NotRun, match="Nothing was run"):
        words("nowhere", version=value)  # It would still be a variable.


def test_a_place_without_a_value_is_said() -> None:
    with pytest.raises(NotRun, match="there is no address to put"):
        words("--host={address}", address="")
    assert words("nowhere", address="") == ["/bin/x", "nowhere"]


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (None, "list of words"),
        ("/bin/true", "list of words"),
        ([], "absolute path"),
        (["/bin/x", 1], "list of words"),
        (["/bin/x", ""], "list of words"),
        (["/bin/x", "a\0b"], "list of words"),
        (["/bin/x", "x" * 4097], "list of words"),
        (["kubectl"], "absolute path"),
        (["{version}"], "absolute path"),
        (["/opt/{version}/x"], "the program itself"),
        (["/bin/x", "app:{version}"], "cannot say {version}"),
        (["/bin/x", "y"], "must say {target}"),
    ],
)
def test_what_is_no_command(argv: object, problem: str) -> None:
    assert problem in argv_problem(argv, unknown=["version"], needed="target")
    if isinstance(argv, list) and "y" not in argv and "app:{version}" not in argv:
        with pytest.raises(NotRun, match="Nothing was run"):
            Command(argv).program()


@pytest.mark.parametrize(
    "names",
    ["PATH", [1], ["lower"], ["A=B"], ["DATABASE_URL"], ["DEPLOYCTL_SECRET_X"]],
)
def test_what_may_not_be_passed_on(names: object) -> None:
    assert passed_on_problem(names)
    with pytest.raises(NotRun):
        Command(["/bin/true"], names).program()


def test_what_a_command_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBECONFIG", "DATABASE_URL", "DEPLOYCTL_SECRET_X"):
        monkeypatch.setenv(name, "x")
    found = Command(["/bin/x"], ["KUBECONFIG"], {"version": "1.0"}).program()
    assert set(found.environment) <= {
        *("PATH", "HOME", "LANG", "TZ", "KUBECONFIG", "DEPLOYCTL_VERSION")
    }
    assert found.environment["DEPLOYCTL_VERSION"] == "1.0"
    assert found.environment["KUBECONFIG"] == "x"
