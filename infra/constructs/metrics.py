"""The metrics that alarms and the dashboard look at: those that the functions count, and those of AWS's services."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from infra.constructs import arns

NAMESPACE = "Nestor"
SHORT = Duration.minutes(5)
"""Over which a figure is taken, where nothing else is said."""


def counted(part: str, name: str, *, statistic: str = "Sum", period: Duration = SHORT) -> cloudwatch.Metric:
    """Return what one function counts."""
    return _metric(NAMESPACE, name, {"function": part, "service": part}, statistic=statistic, period=period)


def asked(strategy: str, dimension: int, name: str, *, statistic: str, period: Duration = SHORT) -> cloudwatch.Metric:
    """Return what is measured of the questions that one strategy answers at one size."""
    dimensions = {"strategy": strategy, "dimension": str(dimension)}
    return _metric(NAMESPACE, name, dimensions, statistic=statistic, period=period)


def searched(name: str, *, statistic: str) -> cloudwatch.MathExpression:
    """Return what is measured of the questions, by strategy and size, whichever of them there are."""
    return cloudwatch.MathExpression(
        expression=f"SEARCH('{{{NAMESPACE},strategy,dimension}} MetricName=\"{name}\"', '{statistic}', 300)",
        using_metrics={},
        label=f"{statistic} ${{PROP('Dim.strategy')}} ${{PROP('Dim.dimension')}}",
    )


def function(name: str, metric: str, *, statistic: str = "Sum") -> cloudwatch.Metric:
    """Return what Lambda tells of a function, such as Errors."""
    return _metric("AWS/Lambda", metric, {"FunctionName": name}, statistic=statistic)


def queue(name: str, metric: str) -> cloudwatch.Metric:
    """Return the most that SQS tells of a queue, such as ApproximateNumberOfMessagesVisible."""
    return _metric("AWS/SQS", metric, {"QueueName": name}, statistic="Maximum")


def machine(name: str, metric: str) -> cloudwatch.Metric:
    """Return what Step Functions tells of a state machine, such as ExecutionsFailed."""
    return _metric("AWS/States", metric, {"StateMachineArn": arns.state_machine(name)}, statistic="Sum")


def model(model_id: str, metric: str, *, statistic: str = "Sum") -> cloudwatch.Metric:
    """Return what Bedrock tells of a model, whoever in the account asked it."""
    return _metric("AWS/Bedrock", metric, {"ModelId": model_id}, statistic=statistic)


def api(api_id: str, metric: str) -> cloudwatch.Metric:
    """Return what API Gateway tells of an HTTP API, such as 4xx."""
    return _metric("AWS/ApiGateway", metric, {"ApiId": api_id}, statistic="Sum")


def total(metrics: Mapping[str, cloudwatch.IMetric], *, label: str) -> cloudwatch.MathExpression:
    """Return the sum of metrics, by names that begin with a small letter; one that has no data counts as nothing."""
    expression = " + ".join(f"FILL({name}, 0)" for name in metrics)
    return cloudwatch.MathExpression(expression=expression, using_metrics=dict(metrics), label=label, period=SHORT)


def _metric(
    namespace: str, name: str, dimensions: Mapping[str, str], *, statistic: str, period: Duration = SHORT
) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace, metric_name=name, dimensions_map=dict(dimensions), statistic=statistic, period=period
    )
