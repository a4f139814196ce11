"""The custom resource `Custom::IndexSettings`: brings the indexes to a mode and a text search."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

STANDARD = "standard"
"""The word for the analyser that S3 Vectors takes where no language is named."""

_CAUSE_CHARACTERS = 1_000
"""CloudFormation takes an answer of 4 KB."""


def handler(event: Mapping[str, Any], _context: object) -> None:
    """Do what CloudFormation asks for and tell it how that went; a deletion changes nothing."""
    try:
        if event["RequestType"] != "Delete":
            import boto3

            apply(boto3.client("s3vectors"), event["ResourceProperties"])
    except Exception as error:  # noqa: BLE001 - unanswered, CloudFormation would wait until its time is up
        _answer(event, status="FAILED", reason=f"{type(error).__name__}: {error}"[:_CAUSE_CHARACTERS])
    else:
        _answer(event, status="SUCCESS", reason="")


def apply(client: Any, properties: Mapping[str, Any]) -> None:
    """Bring every index of IndexArns to IndexMode, and TextKey to TextLanguage; what is so already is left alone."""
    for arn in properties["IndexArns"]:
        found = client.get_index(indexArn=arn)["index"]
        _set_mode(client, found, mode=properties["IndexMode"])
        _set_text(client, found, key=properties["TextKey"], language=properties["TextLanguage"])


def _set_mode(client: Any, found: Mapping[str, Any], *, mode: str) -> None:
    if found.get("indexMode") != mode:
        client.update_index_mode(indexArn=found["indexArn"], indexMode=mode)


def _set_text(client: Any, found: Mapping[str, Any], *, key: str, language: str) -> None:
    configured = found.get("metadataConfiguration", {}).get("textSearchConfigurations", [])
    languages = {each["metadataKey"]: each.get("language", STANDARD) for each in configured}
    if languages.get(key) == language:
        return
    if key in languages:  # a key's language cannot be changed, only named anew
        _update(client, found, delete=[{"metadataKey": key}])
    _update(client, found, add=[{"metadataKey": key} | ({} if language == STANDARD else {"language": language})])


def _update(client: Any, found: Mapping[str, Any], **change: list[dict[str, str]]) -> None:
    ((verb, configurations),) = change.items()
    client.update_metadata_configuration(
        indexArn=found["indexArn"], **{verb: {"textSearchConfigurations": configurations}}
    )


def _answer(event: Mapping[str, Any], *, status: str, reason: str) -> None:
    answer = {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": event.get("PhysicalResourceId", "nestor-index-settings"),
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own address
        event["ResponseURL"], data=json.dumps(answer).encode(), method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310 - as above
        pass
