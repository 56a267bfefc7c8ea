"""Limits as people write them: what each spelling means, and why others are refused."""

import re
from typing import Any

import pytest

from edgekit.accuracy.limits import Limit, Limits, check_outputs, read_limits
from edgekit.data.samples import DataError


def drop(value: float, metric: str | None = None, output: str | None = None, **more: Any) -> Limit:
    return Limit("drop", value, metric, output, **more)


@pytest.mark.parametrize(
    ("written", "fraction"),
    [
        (None, 0.01), (0.02, 0.02), (0, 0.0), ("0.02", 0.02), ("2%", 0.02), (" 2 % ", 0.02),
        ("1e-3", 0.001), ("=2%", 0.02), ([], 0.01), (["2%"], 0.02), (("2%", "3%"), 0.03),
        ("100%", 1.0), (1, 1.0),
    ],
)  # fmt: skip
def test_a_drop_without_a_metric_is_of_the_main_one(written: Any, fraction: float) -> None:
    assert read_limits(written) == Limits(max_drop=fraction)


@pytest.mark.parametrize(
    ("written", "limit"),
    [
        ("f1=2%", drop(0.02, "f1")),
        ("f1 = 2%", drop(0.02, "f1")),
        ("f1=0.02", drop(0.02, "f1")),
        ("top1=1%", drop(0.01, "top1")),
        ("top3=1%", drop(0.01, "top3")),
        ("f1@digit=2%", drop(0.02, "f1", "digit")),
        ("f1@my/out:0=2%", drop(0.02, "f1", "my/out:0")),
        ("@digit=2%", drop(0.02, None, "digit")),
        ("rmse=0.5", drop(0.5, "rmse")),
        ("rmse=5%rel", drop(0.05, "rmse", relative=True)),
        ("rmse=5% rel", drop(0.05, "rmse", relative=True)),
        ("rmse@age=5%rel", drop(0.05, "rmse", "age", relative=True)),
        ("f1=5%rel", drop(0.05, "f1", relative=True)),
        ("5%rel", drop(0.05, relative=True)),
        ("os.path:join=0.5", drop(0.5, "os.path:join")),
        ("os.path:join@digit=0.5", drop(0.5, "os.path:join", "digit")),
    ],
)
def test_a_drop_is_of_a_metric_of_an_output_in_points_or_relative(
    written: str, limit: Limit
) -> None:
    assert read_limits(written) == Limits(also=(limit,))


def test_several_drops_stand_beside_each_other() -> None:
    assert read_limits(["2%", "f1=3%", "rmse=5%rel"]) == Limits(
        max_drop=0.02, also=(drop(0.03, "f1"), drop(0.05, "rmse", relative=True))
    )


def test_a_mapping_is_what_a_table_in_toml_gives() -> None:
    assert read_limits({"f1": "3%", "rmse@age": 0.5}, min={"top1": 0.9}, max={"mae": "0.2"}) == (
        Limits(
            also=(
                drop(0.03, "f1"),
                drop(0.5, "rmse", "age"),
                Limit("min", 0.9, "top1"),
                Limit("max", 0.2, "mae"),
            )
        )
    )


@pytest.mark.parametrize(
    ("min_", "max_", "limit"),
    [
        ("top1=0.9", None, Limit("min", 0.9, "top1")),
        ("top1=90%", None, Limit("min", 0.9, "top1")),
        ("f1@digit=0.8", None, Limit("min", 0.8, "f1", "digit")),
        ("r2=-0.5", None, Limit("min", -0.5, "r2")),
        ("sqnr=30", None, Limit("min", 30.0, "sqnr")),
        ("agreement=0.98", None, Limit("min", 0.98, "agreement")),
        (None, "rmse=0.5", Limit("max", 0.5, "rmse")),
        (None, "max_error@mask=1e-3", Limit("max", 0.001, "max_error", "mask")),
        (None, "kl=0.01", Limit("max", 0.01, "kl")),
    ],
)
def test_a_minimum_and_a_maximum_are_of_the_value_itself(
    min_: str | None, max_: str | None, limit: Limit
) -> None:
    assert read_limits(None, min_, max_) == Limits(also=(limit,))


@pytest.mark.parametrize(
    ("kind", "written", "words"),
    [
        ("max_drop", "much", ["max_drop='much'", "METRIC=VALUE", "1%, f1=2% or rmse=5%rel"]),
        ("max_drop", "", ["METRIC=VALUE"]),
        ("max_drop", "%", ["max_drop='%'"]),
        ("max_drop", "rel", ["max_drop='rel'"]),
        ("max_drop", "f1=", ["max_drop='f1='", "METRIC=VALUE"]),
        ("max_drop", "f1", ["max_drop='f1'"]),
        ("max_drop", "f1=2%%", ["f1=2%%"]),
        ("max_drop", "-1%", ["max_drop='-1%'", "0 or more"]),
        ("max_drop", "f1=-0.1", ["max_drop='f1=-0.1'", "0 or more"]),
        ("max_drop", "nan", ["nan", "number"]),
        ("max_drop", "f1=nan", ["f1=nan", "number"]),
        ("max_drop", "f2=1%", ["no metric 'f2'", "top1", "module:function"]),
        ("max_drop", "rsme=1", ["no metric 'rsme'", "did you mean 'rmse'?"]),
        ("max_drop", "rmse=5%", ["rmse", "not a fraction", "rmse=5%rel"]),
        ("max_drop", "sqnr=3", ["sqnr", "cannot drop", "min='sqnr=3'"]),
        ("max_drop", "kl=0.1", ["kl", "cannot drop", "max='kl=0.1'"]),
        ("max_drop", "agreement=1%", ["agreement", "min='agreement=99%'"]),
        ("max_drop", "rmse=5rel", ["5rel", "%rel"]),  # 500% is no likely wish
        ("min", "0.9", ["min='0.9'", "top1=0.9"]),
        ("min", "top1", ["min='top1'", "top1=0.9 or f1@digit=0.8"]),
        ("min", "@digit=0.9", ["min='@digit=0.9'", "METRIC=VALUE"]),
        ("min", "f1=5%rel", ["min='f1=5%rel'", "METRIC=VALUE"]),
        ("min", "top1=nan", ["top1=nan"]),
        ("min", "tip1=1", ["no metric 'tip1'", "did you mean 'top1'?"]),
        ("max", "rmse", ["max='rmse'", "rmse=0.5"]),
        ("max", "rmse=5%", ["rmse", "not a fraction"]),
        ("max", "nowhere:f=1", ["nowhere:f", "PYTHONPATH"]),
    ],
)
def test_what_is_not_written_so_is_refused_with_an_example(
    kind: str, written: str, words: list[str]
) -> None:
    with pytest.raises(DataError) as caught:
        read_limits(**{kind: written})

    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    "written", ["agreement=1%", "sqnr=3", "kl=0.1", "max_error=5%rel", "cosine=5%rel"]
)
def test_what_a_refusal_advises_can_be_typed(written: str) -> None:
    with pytest.raises(DataError) as caught:
        read_limits(written)
    advised = re.search(r"(min|max)='(\S+?)'\.$", str(caught.value))
    assert advised, caught.value

    read_limits(**{advised[1]: advised[2]})


@pytest.mark.parametrize("fraction", ["agreement=1%", "cosine=1%"])
def test_a_drop_of_a_comparison_is_turned_into_a_minimum(fraction: str) -> None:
    """One prediction in a hundred may change: 99 stay."""
    with pytest.raises(DataError) as caught:
        read_limits(fraction)

    assert f"min='{fraction.partition('=')[0]}=99%'" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("max_drop", "f1=0.02"), ("max_drop", "f1@digit=0.02"), ("max_drop", "rmse=5%rel"),
        ("max_drop", "rmse=10%rel"), ("max_drop", "rmse=100%rel"), ("max_drop", "rmse=0%rel"),
        ("max_drop", "rmse=12.5%rel"), ("max_drop", "r2=200%rel"), ("min", "top1=0.9"),
        ("min", "sqnr=30"), ("max", "rmse=1e-07"), ("max", "rmse@age=100"),
    ],
)  # fmt: skip
def test_a_limit_is_written_as_it_was_read(kind: str, text: str) -> None:
    (limit,) = read_limits(**{kind: text}).also

    assert str(limit) == f"{limit.kind} {text}"


def test_the_limit_on_the_main_metric_is_written_by_its_value() -> None:
    assert str(Limit("drop", 0.01)) == "drop 0.01"


def test_a_limit_on_an_output_that_is_not_there_is_refused_with_those_that_are() -> None:
    check_outputs(read_limits("f1@digit=1%"), ["digit", "sign"])
    with pytest.raises(DataError, match=r"'digits' \(did you mean 'digit'\?\).* digit, sign"):
        check_outputs(read_limits("f1@digits=1%"), ["digit", "sign"])
