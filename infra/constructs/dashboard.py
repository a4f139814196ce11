"""The dashboard: questions, recall, the pipeline, what waits and what is refused, and the alarms."""

from collections.abc import Sequence
from typing import TypeAlias

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.config import Environment
from infra.constructs import arns, metrics

WIDTH = 24
"""Of CloudWatch's grid."""
PIPELINE = ("plan", "embed_sync", "store_embeddings", "forget")
"""The functions that bring files into the indexes."""
MACHINES = ("embedder", "backfill")
LETTERS = ("dead-letters", "forget-dead-letters", "undelivered")
"""Queues of dead letters, whatever an environment has."""
_STAGES = ("Embed", "Vectors", "Fetch", "Rerank", "Scan")
_Graph: TypeAlias = tuple[str, Sequence[cloudwatch.IMetric]]
"""A title, and its lines."""
_ENDS = ("Started", "Succeeded", "Failed", "TimedOut", "Aborted")


class Dashboard(Construct):
    """One page for an environment, by names: it imports nothing from the stack of the pipeline."""

    def __init__(
        self, scope: Construct, construct_id: str, *, environment: Environment, api_id: str, alarms: Sequence[str]
    ) -> None:
        """Make it, with these alarms, by name, on top."""
        super().__init__(scope, construct_id)
        self._environment = environment
        self._shadow = environment.questions.shadow_rate > 0
        self.name = environment.named("dashboard")
        board = cloudwatch.Dashboard(self, "Resource", dashboard_name=self.name, default_interval=Duration.hours(12))
        board.add_widgets(self._alarms(alarms))
        board.add_widgets(*self._questions(api_id))
        board.add_widgets(*self._finding())
        if environment.api.application:
            board.add_widgets(*self._application())
        board.add_widgets(*self._pipeline())
        board.add_widgets(*self._waiting())

    def _alarms(self, names: Sequence[str]) -> cloudwatch.IWidget:
        found = [
            cloudwatch.Alarm.from_alarm_arn(self, f"Alarm{number}", arns.alarm(name))
            for number, name in enumerate(names)
        ]
        return cloudwatch.AlarmStatusWidget(title="Alarms", alarms=found, width=WIDTH, height=4)

    def _questions(self, api_id: str) -> list[cloudwatch.IWidget]:
        name = self._environment.named("query-handler")
        return _row(
            _graph("Questions by strategy and size, ms", metrics.searched("TotalLatency", statistic="p99")),
            _graph(
                "Stages, p99, ms",
                *(metrics.searched(f"{stage}Latency", statistic="p99") for stage in _STAGES),
            ),
            _graph(
                "Questions asked and failed",
                metrics.function(name, "Invocations"),
                metrics.counted("query_handler", "Errors"),
                metrics.function(name, "Errors"),
                metrics.api(api_id, "4xx"),
                metrics.api(api_id, "5xx"),
            ),
            _graph(
                "Questions refused for haste",
                metrics.function(name, "Throttles"),
                metrics.counted("query_handler", "Throttles"),
            ),
        )

    def _finding(self) -> list[cloudwatch.IWidget]:
        count = "query_handler"
        recall = [
            _graph("Recall of shadow queries", metrics.searched("ShadowRecall", statistic="Average")),
            _graph(
                "Shadow queries",
                metrics.counted(count, "ShadowsSent"),
                metrics.counted(count, "ShadowsFailed"),
                metrics.counted("shadow_query", "ShadowQueries"),
                metrics.counted("shadow_query", "ShadowErrors"),
            ),
        ]
        return _row(
            _graph("Hits of a question", metrics.counted(count, "Hits", statistic="Average")),
            _graph("Requests to S3 Vectors", metrics.searched("Requests", statistic="Sum")),
            _graph("Bytes returned by S3 Vectors", metrics.counted(count, "ReturnedBytes")),
            _graph(
                "Embeddings of questions known, and not",
                metrics.counted(count, "QuestionCacheHits"),
                metrics.counted(count, "QuestionCacheMisses"),
                metrics.counted(count, "QuestionCacheErrors"),
            ),
            *(recall if self._shadow else []),
        )

    def _application(self) -> list[cloudwatch.IWidget]:
        name = self._environment.named("api")
        return _row(
            _graph("Requests to the application, p99, ms", metrics.counted("api", "TotalLatency", statistic="p99")),
            _graph(
                "Requests to the application, and failed",
                metrics.function(name, "Invocations"),
                metrics.counted("api", "Errors"),
                metrics.function(name, "Errors"),
                metrics.function(name, "Throttles"),
            ),
        )

    def _pipeline(self) -> list[cloudwatch.IWidget]:
        return _row(
            *(
                _graph(
                    f"Executions of {part}",
                    *(metrics.machine(self._environment.named(part), f"Executions{end}") for end in _ENDS),
                )
                for part in (*MACHINES, *(["migration"] if self._environment.placeholder else []))
            ),
            _graph(
                "Segments stored and refused",
                metrics.counted("store_embeddings", "StoredSegments"),
                metrics.counted("store_embeddings", "FailedSegments"),
            ),
            _graph("Errors of functions", *self._each(PIPELINE, "Errors")),
        )

    def _waiting(self) -> list[cloudwatch.IWidget]:
        named = self._environment.named
        shadow = self._shadow
        letters = (*LETTERS, "shadow-dead-letters") if shadow else LETTERS
        waiting = ("forget-queue", "shadow-queue") if shadow else ("forget-queue",)
        api = ("api",) if self._environment.api.application else ()
        running = (*PIPELINE, "query_handler", *api, *(("shadow_query",) if shadow else ()))
        model = self._environment.embedding.model_id
        return _row(
            _graph(
                "Dead letters", *(metrics.queue(named(each), "ApproximateNumberOfMessagesVisible") for each in letters)
            ),
            _graph(
                "Oldest message, s", *(metrics.queue(named(each), "ApproximateAgeOfOldestMessage") for each in waiting)
            ),
            _graph("Copies at once", *self._each(running, "ConcurrentExecutions", statistic="Maximum")),
            _graph(
                "Refused for haste",
                *self._each(PIPELINE, "Throttles"),
                metrics.model(model, "InvocationThrottles"),
            ),
        )

    def _each(self, parts: Sequence[str], metric: str, *, statistic: str = "Sum") -> list[cloudwatch.IMetric]:
        return [
            metrics.function(self._environment.named(part.replace("_", "-")), metric, statistic=statistic)
            for part in parts
        ]


def _graph(title: str, *lines: cloudwatch.IMetric) -> _Graph:
    return title, lines


def _row(*graphs: _Graph) -> list[cloudwatch.IWidget]:
    """Return the graphs as one line of the page."""
    axis = cloudwatch.YAxisProps(min=0, show_units=False)
    width = WIDTH // len(graphs)
    return [
        cloudwatch.GraphWidget(title=title, left=list(lines), left_y_axis=axis, width=width, height=6)
        for title, lines in graphs
    ]
