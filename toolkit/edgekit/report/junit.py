"""A report as JUnit XML, which build servers read: a test case for each limit of each file."""

import re
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from edgekit.bundle.atomic import replacing
from edgekit.report.result import FileResult, Report

_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML 1.0


def write_junit(report: Report, path: Path, *, strict: bool = False) -> None:
    """Writes the report.

    The format is the one that Jenkins, GitLab and GitHub's test reporters share: suites, cases,
    ``failure``, ``skipped``. What is not proven counts as skipped; with ``strict``, as failed.

    Args:
        report: of ``validate`` or ``convert``.
        path: the file, put in place when it is whole.
        strict: whether what is not proven fails.
    """
    suites = Element("testsuites", name="edgekit")
    for file in report.files:
        _suite(suites, report, file, strict)
    for total in ("tests", "failures", "skipped"):
        suites.set(total, str(sum(int(suite.get(total, 0)) for suite in suites)))
    indent(suites)
    for element in suites.iter():
        for name, value in element.items():
            element.set(name, _FORBIDDEN.sub("?", value))
    with replacing(path) as unfinished:
        ElementTree(suites).write(unfinished, encoding="utf-8", xml_declaration=True)


def _suite(suites: Element, report: Report, file: FileResult, strict: bool) -> None:
    suite = SubElement(suites, "testsuite", name=file.title)
    properties = SubElement(suite, "properties")
    told = {
        "original": report.model,
        "data": f"{report.evaluated_on} samples of {report.data}",
        **{f"version.{k}": v for k, v in report.environment.get("versions", {}).items()},
        "processor": report.environment.get("processor", {}).get("name", ""),
    }
    for score in file.results:
        told |= {f"{score.output}.{m.metric}": f"{m.value:.6g}" for m in score.metrics}
        told[f"{score.output}.sqnr"] = f"{score.sqnr_db:.6g}"
    for name, value in told.items():
        SubElement(properties, "property", name=name, value=str(value))
    cases = failures = skipped = 0
    for score in file.results:
        for limit_result in score.limit_results:
            cases += 1
            case = SubElement(
                suite,
                "testcase",
                classname=file.title,
                name=f"{score.output}: {limit_result.limit}",
                time="0",
            )
            if limit_result.verdict == "fail" or (
                strict and limit_result.verdict == "inconclusive"
            ):
                failures += 1
                SubElement(case, "failure", message=limit_result.reason, type=limit_result.verdict)
            elif limit_result.verdict == "inconclusive":
                skipped += 1
                SubElement(case, "skipped", message=f"not proven: {limit_result.reason}")
    for fault in file.faults:
        cases += 1
        failures += 1
        case = SubElement(suite, "testcase", classname=file.title, name="runtime", time="0")
        SubElement(case, "failure", message=fault, type="fail")
    suite.set("tests", str(cases))
    suite.set("failures", str(failures))
    suite.set("skipped", str(skipped))
    suite.set("errors", "0")
