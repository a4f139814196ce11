"""Alarms, dashboard and runbook: held to what the handlers emit and to what is deployed."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.template import Deployed, Template, resources, text
from nestor.domain import DIMENSIONS
from nestor.prices.formula import Index

EMITTED = pytest.importorskip("nestor.handlers._questions", reason="the dependency group `lambda` is missing").EMITTED
WHAT_TO_DO = re.compile(r"(?P<says>[A-Z].*[.]) What to do: (?P<section>[a-z-]+) in docs/runbook[.]md[.]")
PARTS = ("**Means.**", "**See.**", "**Do.**")


@dataclass(frozen=True)
class Line:
    """A metric that somebody looks at."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]


def alarms(templates: dict[str, Deployed]) -> dict[str, dict[str, Any]]:
    """Return the alarms of both stacks by name."""
    found = [p for each in templates.values() for _, p in resources(each.template, "AWS::CloudWatch::Alarm")]
    named = {properties["AlarmName"]: dict(properties) for properties in found}
    assert len(named) == len(found)
    return named


def section(alarm: dict[str, Any]) -> str:
    """Return the section of the runbook that an alarm names."""
    match = WHAT_TO_DO.fullmatch(alarm["AlarmDescription"])
    assert match, alarm["AlarmDescription"]
    return match["section"]


def looked_at(alarm: dict[str, Any]) -> Iterator[Line]:
    """Yield the metrics of an alarm, alone or under a formula."""
    for each in [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query] or [
        alarm
    ]:
        dimensions = tuple(sorted((d["Name"], text(d["Value"])) for d in each["Dimensions"]))
        yield Line(each["Namespace"], each["MetricName"], dimensions)


def board(template: Template) -> dict[str, Any]:
    """Return the body of the dashboard."""
    ((_, properties),) = resources(template, "AWS::CloudWatch::Dashboard")
    body: dict[str, Any] = json.loads(text(properties["DashboardBody"]))
    return body


def drawn(template: Template) -> Iterator[Line]:
    """Yield the metrics of the dashboard; of a search its pattern, with empty values."""
    for widget in board(template)["widgets"]:
        for line in widget["properties"].get("metrics", []):
            if isinstance(line[0], dict):
                match = re.match(r"SEARCH\('\{(\w+),(\w+),(\w+)\} MetricName=\"(\w+)\"'", line[0]["expression"])
                assert match, line
                yield Line(match[1], match[4], ((match[2], ""), (match[3], "")))
            else:
                namespace, name, *pairs = [each for each in line if isinstance(each, str)]
                yield Line(namespace, name, tuple(sorted(zip(pairs[::2], pairs[1::2], strict=True))))


@pytest.fixture(scope="module")
def lines(whole: dict[str, Deployed]) -> set[Line]:
    """Return every metric that an alarm or the dashboard looks at."""
    found = {line for alarm in alarms(whole).values() for line in looked_at(alarm)}
    return found | set(drawn(whole["chatbot"].template))


def test_every_alarm_has_its_section_and_every_section_its_alarm(whole: dict[str, Deployed], root: Path) -> None:
    """The runbook says of each what it means, how to see it, and what to do."""
    chapters = re.split(r"^## ", (root / "docs/runbook.md").read_text(), flags=re.MULTILINE)[1:]
    written = {chapter.partition("\n")[0]: chapter for chapter in chapters}
    assert set(written) == {section(alarm) for alarm in alarms(whole).values()}
    for name, chapter in written.items():
        assert [chapter.count(part) for part in PARTS] == [1, 1, 1], name


def test_an_alarm_is_named_for_its_section(whole: dict[str, Deployed]) -> None:
    """Whoever gets a message finds the section by the name alone."""
    for name, alarm in alarms(whole).items():
        assert name.startswith(f"nestor-dev-{section(alarm)}")


def test_the_shipped_environments_have_the_alarms_of_their_parts(
    embedder: Template, chatbot: Template, whole: dict[str, Deployed], name: str
) -> None:
    """Every section; in dev without those of shadow queries."""
    found = alarms({"embedder": Deployed(embedder), "chatbot": Deployed(chatbot)})
    sections = {section(alarm) for alarm in alarms(whole).values()}
    expected = sections if name == "prod" else {each for each in sections if not each.startswith("shadow")}
    assert {section(alarm) for alarm in found.values()} == expected


def test_what_is_looked_at_is_emitted(lines: set[Line]) -> None:
    """Name and set of dimensions are those that the handlers publish."""
    own = [line for line in lines if line.namespace == "Nestor"]
    assert len({line.name for line in own}) > 10
    for line in own:
        assert frozenset(name for name, _ in line.dimensions) in EMITTED[line.name], line


def test_what_the_functions_publish_has_these_dimensions(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read from the log as CloudWatch reads it: one set for the function, one for strategy and size."""
    from nestor.handlers._runtime import Tools

    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "query_handler")
    tools = Tools("query_handler", None)
    tools.also(strategy="direct", dimension="256")
    tools.took("Total", 1)
    tools.publish()
    tools.measure("ShadowRecall", 0.5, strategy="direct", dimension="256")
    told, recall = (json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line)
    (published,) = told["_aws"]["CloudWatchMetrics"]
    assert published["Namespace"] == "Nestor"
    assert {frozenset(each) for each in published["Dimensions"]} == EMITTED["TotalLatency"]
    assert (told["function"], told["service"], told["dimension"]) == ("query_handler", "query_handler", "256")
    assert {frozenset(each) for each in recall["_aws"]["CloudWatchMetrics"][0]["Dimensions"]} == EMITTED["ShadowRecall"]


def test_what_is_looked_at_is_deployed(lines: set[Line], whole: dict[str, Deployed]) -> None:
    """Functions, queues, machines and strategies by the names that they have."""
    kinds = {
        "FunctionName": ("AWS::Lambda::Function", "FunctionName"),
        "QueueName": ("AWS::SQS::Queue", "QueueName"),
        "StateMachineArn": ("AWS::StepFunctions::StateMachine", "StateMachineName"),
    }
    there = {
        dimension: {p[member] for each in whole.values() for _, p in resources(each.template, kind)}
        for dimension, (kind, member) in kinds.items()
    }
    there["function"] = {name.removeprefix("nestor-dev-").replace("-", "_") for name in there["FunctionName"]}
    there["service"] = there["function"]
    seen = set()
    for line in lines:
        for name, value in line.dimensions:
            if name in there:
                seen.add(name)
                assert value.rpartition(":")[2] in there[name], line
    assert seen == there.keys()


def test_silence_is_no_alarm(whole: dict[str, Deployed]) -> None:
    """Where nothing was measured nothing is wrong."""
    assert {alarm["TreatMissingData"] for alarm in alarms(whole).values()} == {"notBreaching"}


def test_every_queue_of_dead_letters_is_watched(whole: dict[str, Deployed]) -> None:
    """One letter is enough; queues that feed functions are watched by the age of what waits."""
    queues = [p for each in whole.values() for _, p in resources(each.template, "AWS::SQS::Queue")]
    feeding = {each["QueueName"] for each in queues if "RedrivePolicy" in each}
    found = alarms(whole)
    for each in queues:
        name = each["QueueName"]
        age = name in feeding
        metric = "ApproximateAgeOfOldestMessage" if age else "ApproximateNumberOfMessagesVisible"
        (line,) = looked_at(found[name])
        assert line == Line("AWS/SQS", metric, (("QueueName", name),))
        assert found[name]["Threshold"] == (3600 if age else 0)


def test_every_machine_is_watched_for_failures_and_for_its_time_limit(whole: dict[str, Deployed]) -> None:
    """An execution that its own time limit ends leaves no dead letter."""
    for name, metric in (("executions-failed", "ExecutionsFailed"), ("executions-timed-out", "ExecutionsTimedOut")):
        watched = list(looked_at(alarms(whole)[f"nestor-dev-{name}"]))
        assert {line.name for line in watched} == {metric}
        machines = {line.dimensions[0][1].rpartition(":")[2] for line in watched}
        assert machines == {"nestor-dev-embedder", "nestor-dev-backfill", "nestor-dev-migration"}


def test_latency_is_watched_at_each_size(whole: dict[str, Deployed]) -> None:
    """The slowest question in a hundred, of the strategy that answers where none is named."""
    for dimension in DIMENSIONS:
        alarm = alarms(whole)[f"nestor-dev-query-latency-{dimension}d"]
        assert (alarm["ExtendedStatistic"], alarm["Threshold"], alarm["EvaluationPeriods"]) == ("p99", 3000, 3)
        (line,) = looked_at(alarm)
        assert line.dimensions == (("dimension", str(dimension)), ("strategy", "direct"))


def test_recall_is_watched_where_it_can_fall(whole: dict[str, Deployed]) -> None:
    """Below the target, of enough questions; `direct` at the full size is what the others are compared with."""
    found = {name: a for name, a in alarms(whole).items() if section(a) == "shadow-recall"}
    assert set(found) == {f"nestor-dev-shadow-recall-{d}d" for d in DIMENSIONS[:-1]}
    for alarm in found.values():
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 0.95)
        assert [q["Expression"] for q in alarm["Metrics"] if "Expression" in q] == ["IF(questions >= 20, recall)"]


def test_the_cost_guard_counts_what_the_price_formula_counts(whole: dict[str, Deployed]) -> None:
    """A question at each size, of a million segments: the processed bytes of whole indexes, in TB."""
    (query,) = (q for q in alarms(whole)["nestor-dev-processed-bytes"]["Metrics"] if "Expression" in q)
    asked = {f"d{dimension}": 1 for dimension in DIMENSIONS}
    terabytes = eval(query["Expression"], {"FILL": lambda value, _: value, **asked})  # noqa: S307 - our own formula
    indexes = [Index(vectors=1_000_000, dimension=d, filterable_bytes=400.0) for d in DIMENSIONS]
    assert math.isclose(terabytes, sum(i.vectors * i.processed_bytes for i in indexes) / 1e12, rel_tol=1e-6)


def test_nearly_all_copies_are_fewer_than_all(whole: dict[str, Deployed]) -> None:
    """An alarm of concurrency can be reached: its threshold is below what is reserved."""
    reserved = {
        properties["FunctionName"]: properties["ReservedConcurrentExecutions"]
        for each in whole.values()
        for _, properties in resources(each.template, "AWS::Lambda::Function")
    }
    found = {name: a for name, a in alarms(whole).items() if section(a) == "concurrency"}
    assert len(found) == 6
    for alarm in found.values():
        (line,) = looked_at(alarm)
        assert alarm["Threshold"] < reserved[line.dimensions[0][1]]


def test_alarms_tell_an_encrypted_topic(whole: dict[str, Deployed]) -> None:
    """When they begin and when they are over; CloudWatch may publish and use the key, for these alarms alone."""
    template = whole["embedder"].template
    ((_, topic),) = resources(template, "AWS::SNS::Topic")
    ((key, policy),) = resources(template, "AWS::KMS::Key")
    assert topic["KmsMasterKeyId"]["Fn::GetAtt"][0] == key
    users = [s for s in policy["KeyPolicy"]["Statement"] if "Service" in s["Principal"]]
    assert [(s["Principal"]["Service"], s["Action"]) for s in users] == [
        ("cloudwatch.amazonaws.com", ["kms:Decrypt", "kms:GenerateDataKey"])
    ]
    ((_, allowed),) = resources(template, "AWS::SNS::TopicPolicy")
    publish = [s for s in allowed["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
    assert [s["Action"] for s in publish] == ["sns:Publish"]
    source = text(publish[0]["Condition"]["ArnLike"]["aws:SourceArn"])
    assert source.endswith(":alarm:nestor-dev-*")
    assert {"Bool": {"aws:SecureTransport": "false"}} in [
        s.get("Condition") for s in allowed["PolicyDocument"]["Statement"]
    ]
    ((_, subscription),) = resources(template, "AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.com")
    for alarm in alarms(whole).values():
        for told in (alarm["AlarmActions"], alarm["OKActions"]):
            assert [text(each).rpartition(":")[2] for each in told] == [topic["TopicName"]]


def test_without_an_address_nobody_is_told(dev: dict[str, Deployed]) -> None:
    """Alarms are there, to be seen in the console."""
    assert alarms(dev)
    assert not [alarm for alarm in alarms(dev).values() if alarm.get("AlarmActions") or alarm.get("OKActions")]


def test_the_dashboard_shows_the_state_of_every_alarm(whole: dict[str, Deployed]) -> None:
    """Those of both stacks, above everything else; no two widgets lie on one place."""
    first, *others = board(whole["chatbot"].template)["widgets"]
    assert first["type"] == "alarm"
    assert {arn.rpartition(":")[2] for arn in first["properties"]["alarms"]} == set(alarms(whole))
    taken = [
        (x, y)
        for each in (first, *others)
        for x in range(each["x"], each["x"] + each["width"])
        for y in range(each["y"], each["y"] + each["height"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
