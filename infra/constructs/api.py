"""The HTTP API: `POST /query`, and the rest of the application."""

import json

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.config import Api, Environment
from infra.constructs import arns
from infra.constructs.findings import accept
from infra.constructs.function import Function, retention

_PREFLIGHT = Duration.hours(1)
_LOGGED = {
    name: f"$context.{name}"
    for name in ("requestId", "requestTime", "routeKey", "status", "responseLatency", "integrationErrorMessage")
}
"""No query, no address, no name of a person."""
_METHODS = {
    "GET": (apigateway.HttpMethod.GET, apigateway.CorsHttpMethod.GET),
    "HEAD": (apigateway.HttpMethod.HEAD, apigateway.CorsHttpMethod.HEAD),
    "POST": (apigateway.HttpMethod.POST, apigateway.CorsHttpMethod.POST),
    "DELETE": (apigateway.HttpMethod.DELETE, apigateway.CorsHttpMethod.DELETE),
}
"""Of the application."""


class QueryApi(Construct):
    """An HTTP API with an authorizer, throttling and access logs.

    Questions have a function of their own, which starts fast; everything else is the application's, where there is one.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        function: Function,
        key: kms.IKey | None,
        application: Function | None = None,
    ) -> None:
        """Make it; `function` answers POST /query, `application` every other request."""
        super().__init__(scope, construct_id)
        settings = environment.api
        self.api = apigateway.HttpApi(
            self,
            "Resource",
            api_name=environment.named("query"),
            create_default_stage=False,
            cors_preflight=_cors(settings),
        )
        authorizer = _authorizer(settings)
        routes = self.api.add_routes(
            path="/query",
            methods=[apigateway.HttpMethod.POST],
            integration=integrations.HttpLambdaIntegration("Query", function.function),
            authorizer=authorizer,
        )
        if application is not None:
            routes += self.api.add_routes(
                path="/{proxy+}",
                methods=[method for method, _ in _METHODS.values()],
                integration=integrations.HttpLambdaIntegration("Application", application.function),
                authorizer=authorizer,
            )
        if settings.authorizer == "none":
            for route in routes:
                accept(route, "APIG4", reason="The environment says so, and is not for production.")
        self._stage(environment, key=key)

    @property
    def url(self) -> str:
        """Where to ask."""
        return f"{self.api.api_endpoint}/query"

    def _stage(self, environment: Environment, *, key: kms.IKey | None) -> None:
        name = f"/aws/vendedlogs/apis/{environment.named('query')}"
        log_group = logs.LogGroup(
            self,
            "AccessLogs",
            log_group_name=name,
            retention=retention(environment.log_days),
            encryption_key=key,
            removal_policy=RemovalPolicy.DESTROY,
        )
        stage = self.api.add_stage(
            "Stage",
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(
                rate_limit=environment.api.requests_per_second, burst_limit=environment.api.burst
            ),
        )
        resource = stage.node.default_child
        assert isinstance(resource, apigateway.CfnStage)  # noqa: S101 - what CDK documents
        # Not `log_group_arn`: it ends in `:*`, which stands for the streams.
        resource.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=arns.log_group(name), format=json.dumps(_LOGGED)
        )
        stage.node.add_dependency(log_group)


def _authorizer(settings: Api) -> apigateway.IHttpRouteAuthorizer:
    if settings.authorizer == "iam":
        return authorizers.HttpIamAuthorizer()
    if settings.authorizer == "jwt":
        return authorizers.HttpJwtAuthorizer("Jwt", settings.jwt_issuer, jwt_audience=list(settings.jwt_audience))
    return apigateway.HttpNoneAuthorizer()


def _cors(settings: Api) -> apigateway.CorsPreflightOptions | None:
    if not settings.allowed_origins:
        return None
    return apigateway.CorsPreflightOptions(
        allow_origins=list(settings.allowed_origins),
        allow_methods=[each for _, each in _METHODS.values()]
        if settings.application
        else [apigateway.CorsHttpMethod.POST],
        allow_headers=["authorization", "content-type", "x-amz-date", "x-amz-security-token"],
        max_age=_PREFLIGHT,
    )
