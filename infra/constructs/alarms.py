"""The alarms. Each has a section in docs/runbook.md, which its description names."""

from collections.abc import Iterable, Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.config import Environment
from infra.constructs import metrics
from infra.constructs.changes import Changes
from infra.constructs.function import Function
from infra.constructs.machine import Machine
from infra.constructs.metrics import SHORT
from infra.constructs.queue import Queue
from infra.constructs.shadow import Shadow
from infra.constructs.topic import address
from nestor.domain import DIMENSIONS, FULL_DIMENSION
from nestor.prices.formula import FLOAT_BYTES

RUNBOOK = "docs/runbook.md"
_HOUR, _DAY = Duration.hours(1), Duration.days(1)
_TERABYTE = 10**12
_FILTERABLE = 400
"""Bytes of the key and of the metadata that is filtered by, about."""
_MINUTE = 60
"""Seconds."""


class Alarms(Construct):
    """Alarms that tell the topic of the environment, where there is one, when they begin and when they are over.

    Where nothing was measured nothing is wrong: without questions there is no latency, without letters no number.
    """

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment) -> None:
        """Begin without any."""
        super().__init__(scope, construct_id)
        self.names: list[str] = []
        self._environment = environment
        topic = address(environment)
        self._told = [actions.SnsAction(sns.Topic.from_topic_arn(self, "Topic", topic))] if topic else []

    def above(
        self, section: str, metric: cloudwatch.IMetric, most: float, says: str, *, of: str = "", times: int = 1
    ) -> None:
        """Have an alarm of that section when the metric is above `most`, so many times one after the other.

        `says` is what it means, in a sentence; `of` tells alarms of one section apart.
        """
        self._alarm(
            section, metric, most, says, of=of, times=times, how=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
        )

    def below(self, section: str, metric: cloudwatch.IMetric, least: float, says: str, *, of: str = "") -> None:
        """Have an alarm of that section when the metric is below `least`, as `above`."""
        self._alarm(section, metric, least, says, of=of, times=1, how=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD)

    def letters(self, section: str, queue: Queue, says: str) -> None:
        """Have an alarm as soon as there is anything in a queue of dead letters."""
        self.above(section, metrics.queue(queue.name, "ApproximateNumberOfMessagesVisible"), 0, says)

    def waiting(self, section: str, queue: Queue, says: str) -> None:
        """Have an alarm when the oldest message of a queue is too old."""
        most = self._environment.alarms.waiting_minutes * _MINUTE
        self.above(section, metrics.queue(queue.name, "ApproximateAgeOfOldestMessage"), most, says)

    def concurrency(self, function: Function, *, times: int) -> None:
        """Have an alarm when a function runs in nearly as many copies as are reserved for it; none without a bound."""
        if not function.reserved:
            return
        percent = self._environment.alarms.concurrency_percent
        most = function.reserved * percent / 100
        metric = metrics.function(function.name, "ConcurrentExecutions", statistic="Maximum")
        # The last copy counts as near, whatever the percentage of a few copies is.
        says = f"The function {function.part} runs in over {percent} % of its {function.reserved} reserved copies."
        self.above("concurrency", metric, min(most, function.reserved - 1), says, of=function.part, times=times)

    def _alarm(
        self,
        section: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        says: str,
        *,
        of: str,
        times: int,
        how: cloudwatch.ComparisonOperator,
    ) -> None:
        name = self._environment.named(f"{section}-{of}".rstrip("-").replace("_", "-"))
        alarm = cloudwatch.Alarm(
            self,
            f"{section}-{of}".title().replace("-", "").replace("_", ""),
            alarm_name=name,
            alarm_description=f"{says} What to do: {section} in {RUNBOOK}.",
            metric=metric,
            threshold=threshold,
            comparison_operator=how,
            evaluation_periods=times,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(*self._told)
        alarm.add_ok_action(*self._told)
        self.names.append(name)


def watch_pipeline(
    alarms: Alarms,
    *,
    environment: Environment,
    functions: Sequence[Function],
    machines: Sequence[Machine],
    dead_letters: Queue,
    changes: Changes,
) -> None:
    """Watch what brings files into the indexes."""
    settings = environment.alarms
    alarms.letters("dead-letters", dead_letters, "A file could not be embedded or stored.")
    alarms.letters(
        "forget-dead-letters", changes.forget_letters, "What is stored of a deleted file could not be removed."
    )
    alarms.letters("undelivered", changes.undelivered, "An upload or a deletion was never heard of.")
    alarms.waiting("forget-queue", changes.forget_queue, "Deletions have waited for too long.")
    failed = metrics.counted("store_embeddings", "FailedSegments")
    alarms.above(
        "failed-segments", failed, settings.failed_segments, "The model refused parts of a file, which cannot be found."
    )
    for section, metric, says in (
        ("executions-failed", "ExecutionsFailed", "An execution of a state machine failed."),
        (
            "executions-timed-out",
            "ExecutionsTimedOut",
            "An execution was ended by its time limit, without a dead letter.",
        ),
    ):
        alarms.above(section, _of_all(machines, metric), 0, says)
    throttles = metrics.total(
        {f"m{number}": metrics.function(each.name, "Throttles") for number, each in enumerate(functions)},
        label="throttles",
    )
    says = "Functions of the pipeline were refused for a quarter of an hour, for too many ran at once."
    alarms.above("pipeline-throttles", throttles, settings.throttled, says, times=3)
    for each in functions:
        alarms.concurrency(each, times=12)  # a backfill may fill them for a while: that is what they are for


def watch_questions(alarms: Alarms, *, environment: Environment, query: Function, shadow: Shadow | None) -> None:
    """Watch what answers questions."""
    settings, strategy = environment.alarms, environment.questions.strategy
    for dimension in DIMENSIONS:
        p99 = metrics.asked(strategy, dimension, "TotalLatency", statistic="p99")
        says = f"One question in a hundred took longer than {settings.latency_ms:,} ms for a quarter of an hour."
        alarms.above("query-latency", p99, settings.latency_ms, says, of=f"{dimension}d", times=3)
    percent = _failed_percent(query, of="questions")
    says = f"More than {settings.error_percent} % of the questions failed for ten minutes."
    alarms.above("query-errors", percent, settings.error_percent, says, times=2)
    refused = metrics.total(
        {
            "function": metrics.function(query.name, "Throttles"),
            "services": metrics.counted(query.part, "Throttles"),
        },
        label="throttles",
    )
    says = "Lambda, Bedrock or S3 Vectors refused questions for haste, for a quarter of an hour."
    alarms.above("query-throttles", refused, settings.throttled, says, times=3)
    says = (
        f"Questions made S3 Vectors read about {settings.processed_tb_a_day:,g} TB or more in a day, which is paid for."
    )
    alarms.above("processed-bytes", _processed(environment), settings.processed_tb_a_day, says)
    alarms.concurrency(query, times=3)
    if shadow is not None:
        _watch_shadow(alarms, environment=environment, shadow=shadow)


def watch_application(alarms: Alarms, *, environment: Environment, application: Function) -> None:
    """Watch what answers everything else."""
    settings = environment.alarms
    says = f"More than {settings.error_percent} % of the requests to the application failed for ten minutes."
    alarms.above("api-errors", _failed_percent(application, of="requests"), settings.error_percent, says, times=2)
    throttles = metrics.function(application.name, "Throttles")
    says = "Lambda refused requests to the application for haste, for a quarter of an hour."
    alarms.above("api-throttles", throttles, settings.throttled, says, times=3)
    alarms.concurrency(application, times=3)


def _failed_percent(function: Function, *, of: str) -> cloudwatch.MathExpression:
    """Return the share of calls that a function answered with an error of its own, or did not answer."""
    return cloudwatch.MathExpression(
        expression="100 * (FILL(answered, 0) + FILL(crashed, 0)) / asked",
        using_metrics={
            "answered": metrics.counted(function.part, "Errors"),
            "crashed": metrics.function(function.name, "Errors"),
            "asked": metrics.function(function.name, "Invocations"),
        },
        label=f"{of} that failed, %",
        period=SHORT,
    )


def _watch_shadow(alarms: Alarms, *, environment: Environment, shadow: Shadow) -> None:
    settings, strategy = environment.alarms, environment.questions.strategy
    for dimension in DIMENSIONS:
        if (strategy, dimension) == ("direct", FULL_DIMENSION):
            continue  # what the others are compared with
        recall = cloudwatch.MathExpression(
            expression=f"IF(questions >= {settings.recall_questions}, recall)",
            using_metrics={
                "questions": metrics.asked(strategy, dimension, "ShadowRecall", statistic="SampleCount", period=_HOUR),
                "recall": metrics.asked(strategy, dimension, "ShadowRecall", statistic="Average", period=_HOUR),
            },
            label="recall",
            period=_HOUR,
        )
        says = f"Less than {settings.recall:g} of what the whole embeddings would find was found, for an hour."
        alarms.below("shadow-recall", recall, settings.recall, says, of=f"{dimension}d")
    alarms.letters("shadow-dead-letters", shadow.letters, "A question could not be searched for again.")
    alarms.waiting("shadow-queue", shadow.queue, "Questions have waited for too long to be searched for again.")


def _processed(environment: Environment) -> cloudwatch.MathExpression:
    """Return the terabytes of a day: each request reads a whole index, whose size nothing measures (docs/costs.md)."""
    strategy, segments = environment.questions.strategy, environment.alarms.segments
    asked = {
        f"d{dimension}": metrics.asked(strategy, dimension, "Requests", statistic="Sum", period=_DAY)
        for dimension in DIMENSIONS
    }
    terms = " + ".join(
        f"FILL(d{dimension}, 0) * {segments * _row_bytes(strategy, dimension) / _TERABYTE:.9f}"
        for dimension in DIMENSIONS
    )
    return cloudwatch.MathExpression(expression=terms, using_metrics=asked, label="TB", period=_DAY)


def _row_bytes(strategy: str, dimension: int) -> int:
    searched = DIMENSIONS[0] if strategy in {"hierarchical", "refetch"} else dimension
    return FLOAT_BYTES * searched + _FILTERABLE


def _of_all(machines: Iterable[Machine], metric: str) -> cloudwatch.MathExpression:
    each = {f"m{number}": metrics.machine(machine.name, metric) for number, machine in enumerate(machines)}
    return metrics.total(each, label=metric)
