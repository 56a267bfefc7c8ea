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
    suites.set("time", _seconds(sum(file.seconds for file in report.files)))
    indent(suites)
    for element in suites.iter():
        for name, value in element.items():
            element.set(name, _FORBIDDEN.sub("?", value))
    with replacing(path) as unfinished:
        ElementTree(suites).write(unfinished, encoding="utf-8", xml_declaration=True)


def _suite(suites: Element, report: Report, file: FileResult, strict: bool) -> None:
    machine = report.environment
    suite = SubElement(suites, "testsuite", name=file.title, time=_seconds(file.seconds))
    if machine.date:
        suite.set("timestamp", machine.date.partition("+")[0])  # the format has no time zone
    if machine.host:
        suite.set("hostname", machine.host)
    properties = SubElement(suite, "properties")
    values = {
        "original": report.model,
        "data": f"{report.evaluated_on} samples from {report.data}",
        **{f"version.{k}": v for k, v in machine.versions.items()},
        "processor": machine.processor.name,
        "commit": machine.commit,
    }
    for result in file.results:
        values |= {f"{result.output}.{m.metric}": f"{m.value:.6g}" for m in result.metrics}
        values[f"{result.output}.sqnr"] = f"{result.sqnr_db:.6g}"
    for name, value in values.items():
        SubElement(properties, "property", name=name, value=str(value))
    failures = skipped = 0
    for result in file.results:
        for limit_result in result.limit_results:
            case = _case(suite, file, f"{result.output}: {limit_result.limit}")
            verdict, reason = limit_result.verdict, limit_result.reason
            if verdict == "fail" or (strict and verdict == "inconclusive"):
                failures += 1
                SubElement(case, "failure", message=reason, type=verdict)
            elif verdict == "inconclusive":
                skipped += 1
                SubElement(case, "skipped", message=f"inconclusive: {reason}")
    for fault in file.faults:
        failures += 1
        case = _case(suite, file, "runtime")
        SubElement(case, "failure", message=fault, type="fail")
    cases = suite.findall("testcase")
    for case in cases:  # one run served them all: in equal parts, which build servers add up
        case.set("time", _seconds(file.seconds / len(cases)))
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(failures))
    suite.set("skipped", str(skipped))
    suite.set("errors", "0")


def _case(suite: Element, file: FileResult, name: str) -> Element:
    return SubElement(suite, "testcase", classname=file.title, name=name)


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"
