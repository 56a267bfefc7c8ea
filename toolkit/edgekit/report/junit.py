"""JUnit XML for build servers: a test suite for each file, a test case for each of its limits."""

import re
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from edgekit.bundle.atomic import replacing
from edgekit.report.file_result import FileResult
from edgekit.report.result import Report

_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML 1.0


def write_junit(report: Report, path: Path, *, strict: bool = False) -> None:
    """Write a report in the format that Jenkins, GitLab and GitHub's test reporters read.

    Args:
        report: of ``validate`` or ``convert``.
        path: the file, put in place when it is complete.
        strict: whether an inconclusive limit is a failure; else it is skipped.
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
    values = {
        "original": report.model,
        "data": f"{report.evaluated_on} samples from {report.data}",
        **{f"version.{k}": v for k, v in report.environment.get("versions", {}).items()},
        "processor": report.environment.get("processor", {}).get("name", ""),
    }
    for result in file.results:
        values |= {f"{result.output}.{m.metric}": f"{m.value:.6g}" for m in result.metrics}
        values[f"{result.output}.sqnr"] = f"{result.sqnr_db:.6g}"
    for name, value in values.items():
        SubElement(properties, "property", name=name, value=str(value))
    cases = failures = skipped = 0
    for result in file.results:
        for limit_result in result.limit_results:
            cases += 1
            case = SubElement(
                suite,
                "testcase",
                classname=file.title,
                name=f"{result.output}: {limit_result.limit}",
                time="0",
            )
            if limit_result.verdict == "fail" or (
                strict and limit_result.verdict == "inconclusive"
            ):
                failures += 1
                SubElement(case, "failure", message=limit_result.reason, type=limit_result.verdict)
            elif limit_result.verdict == "inconclusive":
                skipped += 1
                SubElement(case, "skipped", message=f"inconclusive: {limit_result.reason}")
    for fault in file.faults:
        cases += 1
        failures += 1
        case = SubElement(suite, "testcase", classname=file.title, name="runtime", time="0")
        SubElement(case, "failure", message=fault, type="fail")
    suite.set("tests", str(cases))
    suite.set("failures", str(failures))
    suite.set("skipped", str(skipped))
    suite.set("errors", "0")
