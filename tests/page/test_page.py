"""The page of ``validate --html``, as a browser shows it."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.contrast import FAINT

from edgekit.report.html import write_page
from edgekit_runtimes import RuntimeMissing

pytestmark = pytest.mark.page
NAMES = ("pass", "fail", "unlabelled", "plain", "regression", "multilabel", "detection", "random")
WITHOUT_CLASSES = ("plain", "regression")
EVIL = "<script>document.title='run'</script><img src=https://example.org/a.png onerror=alert(1)>"

# Headings with nothing below them, and lists, tables and drawings without content.
EMPTY = """() => [
  ...[...document.querySelectorAll('h2, h3, h4, h5')].filter(h => {
    const held = h.closest('summary') ? h.closest('details').lastElementChild : h.nextElementSibling
    return !held || /^H[2-5]$/.test(held.tagName) && held.tagName <= h.tagName
      || !held.textContent.trim() && !held.matches('svg') && !held.querySelector('svg')
  }),
  ...[...document.querySelectorAll('ul, ol, dl, tbody, figure, section, p, main svg')]
    .filter(e => !e.children.length && !e.textContent.trim()),
].map(e => e.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_one_small_file_that_asks_for_nothing(name, pages, show, tmp_path) -> None:
    written = pages[name]
    tab = show(written.path)

    assert tab.locator("script, iframe, link[rel=stylesheet]").count() == 0
    assert written.path.stat().st_size < 1_500_000
    write_page(written.report, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == written.path.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["again.html"]


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_only_boxes_scroll_sideways(width, pages, show) -> None:
    for name in NAMES:
        tab = show(pages[name].path, width=width)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, name


@pytest.mark.parametrize(
    ("name", "words"),
    [("pass", "Pass"), ("fail", "Fail"), ("random", "Not evaluated: random data")],
)
def test_the_verdict_is_in_sight_in_a_word_and_a_shape(name, words, pages, show) -> None:
    tab = show(pages[name].path, width=360, height=640, unfold=False)

    assert tab.locator("h1").inner_text() == words
    assert tab.title().startswith(words.partition(":")[0])
    for seen in (tab.locator("h1"), tab.locator(".lead"), tab.locator("header .big")):
        box = seen.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 640


def test_what_fails_is_told_first_with_its_cause(pages, show) -> None:
    written = pages["fail"]
    (bad,) = [file for file in written.report.files if file.verdict == "fail"]
    tab = show(written.path, unfold=False)

    told = tab.locator("#why").locator("..").inner_text()
    assert Path(bad.name).name in told
    assert bad.worst_result.reason in told
    assert "Likely cause" in told
    sections = tab.locator("details.file")
    assert "fail" in sections.first.locator("summary").first.inner_text()
    assert sections.first.get_attribute("open") is not None
    assert sections.last.get_attribute("open") is None


@pytest.mark.parametrize("name", NAMES)
def test_every_file_and_every_limit_is_there(name, pages, show) -> None:
    report = pages[name].report
    tab = show(pages[name].path)
    table, whole = tab.locator("table.files").inner_text(), tab.locator("main").inner_text()

    judged = 0
    for file in report.files:
        assert Path(file.name).name in table
        for score in file.results:
            judged += len(score.limit_results)
            if report.shippable:
                assert all(result.reason in whole for result in score.limit_results)
    assert judged >= len(report.files)
    assert tab.locator(".whisker").count() == (judged if report.shippable else 0)
    assert tab.locator("table.files tbody tr").count() == len(report.files)
    assert tab.locator("details.file").count() == len(report.files)
    if not report.shippable:
        assert table.count("not evaluated") == len(report.files)


def test_each_reason_is_given_once(pages, show) -> None:
    report = pages["fail"].report
    whole = show(pages["fail"].path).locator("body").inner_text()

    told = [r.reason for f in report.files for s in f.results for r in s.limit_results if r.reason]
    assert told
    assert {reason: whole.count(reason) for reason in told} == dict.fromkeys(told, 1)


def test_names_beside_bars_and_numbers_in_plots_are_in_sight(pages, show) -> None:
    """Nothing that is drawn covers a name, and no number leaves its plot."""
    for width in (390, 1280):
        tab = show(pages["fail"].path, width=width)
        rows = tab.locator("details.file[open] .layer:not(.head):has(.of)").all()
        assert rows
        for row in rows:
            name, bar = row.locator(".of").bounding_box(), row.locator(".bar").first.bounding_box()
            assert name and bar and bar["width"] > 60
            beside = name["x"] + name["width"] <= bar["x"] + 1
            assert beside or name["y"] + name["height"] <= bar["y"] + 1
        for number in tab.locator(".overviews .number").all():
            box = number.bounding_box()
            assert box is not None
            assert box["x"] >= 0 and box["x"] + box["width"] <= width


@pytest.mark.parametrize("name", NAMES)
def test_text_can_be_read_by_day_and_by_night(name, pages, show) -> None:
    grounds = []
    for dark in (False, True):
        tab = show(pages[name].path, dark=dark)
        grounds.append(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
        seen = tab.evaluate(FAINT)
        assert seen["texts"] > 50
        assert seen["faint"] == []
    assert grounds[0] != grounds[1]


def test_names_are_text(pages, show, tmp_path) -> None:
    """Of classes by a real conversion; of everything else by hand."""
    tab = show(pages["pass"].path)
    assert "<script>" in tab.locator(".rows").first.text_content()
    assert tab.title() != "run"

    report = pages["fail"].report
    layers = tuple(replace(layer, name=EVIL) for layer in report.files[-1].layers)
    files = (
        *report.files[:-1],
        replace(report.files[-1], name=EVIL, layers=layers, faults=(EVIL,)),
    )
    pictures = dict.fromkeys(report.pictures, "https://example.org/a.png")
    evil = replace(
        report,
        model=EVIL,
        data=EVIL,
        files=files,
        warnings=(EVIL,),
        notes=(EVIL,),
        pictures=pictures,
    )
    write_page(evil, tmp_path / "evil.html")
    tab = show(tmp_path / "evil.html", width=360)

    assert tab.title() == f"Fail: {EVIL}"
    assert tab.locator("body script, img, image").count() == 0
    assert tab.locator("body").inner_text().count(EVIL) > 10
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_empty(name, pages, show) -> None:
    tab = show(pages[name].path)
    there = tab.locator("main").inner_text()

    assert tab.evaluate(EMPTY) == []
    has_classes = name not in WITHOUT_CLASSES
    assert ("Confusion matrix" in there) == (
        has_classes and name not in ("multilabel", "detection")
    )
    assert ("\nClasses\n" in there) == has_classes
    assert ("Candidate against original" in there) != has_classes
    assert (tab.locator(".overviews .plot").count() == 2) == (name != "random")
    layered = any(file.layers for file in pages[name].report.files)
    assert layered or name not in ("pass", "fail")
    assert ("Layers" in there) == layered
    assert ("Original" in tab.locator("figcaption").all_inner_texts()) == (name in ("pass", "fail"))
    assert (tab.locator(".picture").count() > 0) == has_classes


def test_boxes_are_drawn_on_the_samples_that_changed_most(pages, show) -> None:
    """Where the labels say: on the shapes, which are brighter than the ground."""
    report = pages["detection"].report
    int8 = next(file for file in report.files if file.precision == "int8")
    (differences,) = int8.differences
    tab = show(pages["detection"].path, width=390)
    samples = tab.locator("details.file:has-text('int8') .samples.boxed").first
    assert samples.locator("li").count() == len(differences.worst)
    for whose in ("label", "original", "candidate"):
        expected = sum(box.whose == whose for s in differences.worst for box in s.boxes)
        assert samples.locator(f"rect.{whose}").count() == expected > 0, whose
    for item in samples.locator("li").all():
        picture = item.locator(".picture").bounding_box()
        for rect in item.locator("rect.label").all():
            box = rect.bounding_box()
            assert box["x"] >= picture["x"] - 2 and box["width"] > 5
            assert box["x"] + box["width"] <= picture["x"] + picture["width"] + 2
    told = tab.locator("main").inner_text()
    assert "mAP at IoU 0.5" in told and "MAP" not in told
    assert all(shape in told for shape in ("disc", "square", "triangle"))


def test_a_link_in_the_table_opens_the_file(pages, show) -> None:
    tab = show(pages["pass"].path, unfold=False)
    closed = tab.locator("details.file:not([open])").last
    body = closed.locator(".body").first.get_attribute("id")
    tab.click(f'a[href="#{body}"]')

    assert tab.locator(f"details.file[open] #{body}").is_visible()


def test_paper_shows_what_is_folded(pages, show) -> None:
    tab = show(pages["pass"].path, unfold=False, dark=True)
    tab.emulate_media(media="print")

    assert all(body.is_visible() for body in tab.locator("details.file .body").all())
    assert tab.evaluate(FAINT)["faint"] == []


def test_a_page_needs_jinja2(pages, monkeypatch, tmp_path) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(RuntimeMissing, match=r"pip install 'edgekit-toolkit\[validate\]'"):
        write_page(pages["pass"].report, tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_pictures_for_a_person_to_judge(pages, show, tmp_path_factory, capsys) -> None:
    folder = tmp_path_factory.mktemp("screenshots")
    for name in NAMES:
        for size, width in (("wide", 1280), ("narrow", 390)):
            for dark in (False, True):
                path = folder / f"{name}-{size}-{'dark' if dark else 'light'}.png"
                tab = show(pages[name].path, width=width, dark=dark, unfold=False)
                tab.screenshot(path=path, full_page=True)
                assert path.stat().st_size > 10_000
    with capsys.disabled():
        print(f"\nscreenshots: {folder}")
