"""Constructs alone, in a stack of their own. Skipped where CDK is not installed."""

import dataclasses
import importlib.util
import warnings
from typing import Any

import pytest

from infra.config import Api, Environment

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("aws_cdk") is None, reason="aws-cdk-lib is not installed: the dependency group `infra`"
)


@pytest.fixture(scope="module", autouse=True)
def cdk() -> Any:
    """Return the library, with the Node that a wheel brought."""
    from infra.app import use_own_node

    use_own_node()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import aws_cdk

        return aws_cdk


def api(cdk: Any, **settings: Any) -> dict[str, Any]:
    """Return the template of the API alone, with these settings."""
    from aws_cdk.aws_lambda import Code

    from infra.constructs.api import QueryApi
    from infra.constructs.function import Function

    environment = dataclasses.replace(Environment(name="try"), api=Api(**settings))
    stack = cdk.Stack(cdk.App(analytics_reporting=False), "Alone")
    function = Function(
        stack,
        "Function",
        environment=environment,
        part="query_handler",
        code=Code.from_inline("pass"),
        variables={},
        key=None,
    )
    application = function if environment.api.application else None
    QueryApi(stack, "Api", environment=environment, function=function, application=application, key=None)
    template: dict[str, Any] = cdk.assertions.Template.from_stack(stack).to_json()
    return template


def properties(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return the properties of the resources of a type."""
    return [each["Properties"] for each in template["Resources"].values() if each["Type"] == kind]


def authorizations(template: dict[str, Any]) -> dict[str, str]:
    """Return how each route asks who comes."""
    return {each["RouteKey"]: each["AuthorizationType"] for each in properties(template, "AWS::ApiGatewayV2::Route")}


def test_without_the_application_there_are_questions_alone(cdk: Any) -> None:
    """One route in place of all."""
    assert authorizations(api(cdk, application=False)) == {"POST /query": "AWS_IAM"}
    assert len(authorizations(api(cdk))) == 5


def test_a_jwt_authorizer_knows_issuer_and_audience(cdk: Any) -> None:
    """Every route asks for a token of that issuer, for that audience."""
    template = api(cdk, authorizer="jwt", jwt_issuer="https://issuer.example.com", jwt_audience=("nestor",))
    assert set(authorizations(template).values()) == {"JWT"}
    (authorizer,) = properties(template, "AWS::ApiGatewayV2::Authorizer")
    assert authorizer["JwtConfiguration"] == {"Audience": ["nestor"], "Issuer": "https://issuer.example.com"}


def test_an_open_door_must_be_asked_for(cdk: Any) -> None:
    """Only the word `none` opens it."""
    assert set(authorizations(api(cdk, authorizer="none")).values()) == {"NONE"}
    assert set(authorizations(api(cdk)).values()) == {"AWS_IAM"}


def test_pages_of_named_origins_may_ask(cdk: Any) -> None:
    """CORS names the origins, and the methods that there are."""
    for application, methods in ((True, ["GET", "HEAD", "POST", "DELETE"]), (False, ["POST"])):
        settings = {"allowed_origins": ("https://search.example.com",), "application": application}
        (found,) = properties(api(cdk, **settings), "AWS::ApiGatewayV2::Api")
        assert found["CorsConfiguration"]["AllowOrigins"] == ["https://search.example.com"]
        assert found["CorsConfiguration"]["AllowMethods"] == methods


def test_a_wildcard_needs_its_reason(cdk: Any) -> None:
    """A grant on `*` that nobody explains ends synthesis."""
    from infra.constructs.role import Role

    role = Role(cdk.Stack(), "Role", part="any", service="lambda.amazonaws.com", key=None)
    with pytest.raises(ValueError, match="without a reason"):
        role.grant(["s3:GetObject"], on=["arn:aws:s3:::bucket/*"])
