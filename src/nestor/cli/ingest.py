"""`nestor ingest`."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nestor.cli.output import print_json, print_table, say, table, with_progress
from nestor.cli.paths import A_PATH
from nestor.cli.settings import embedder_option, with_embedder
from nestor.settings import Settings

if TYPE_CHECKING:
    from nestor.errors import NestorError

CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@click.command()
@click.argument("paths", nargs=-1, required=True, type=A_PATH)
@click.option("--collection", default="", help="File the assets under this name.")
@click.option("--tag", "tags", multiple=True, help="A tag for the assets; may be given several times.")
@click.option("--segment-seconds", type=float, default=5.0, show_default=True, help="Audio and video: 1 to 30.")
@click.option("--segment-characters", type=int, default=1000, show_default=True, help="Text: 800 to 50,000.")
@embedder_option
@click.option(
    "--codes/--no-codes", "with_codes", default=True, help="Keep codes for hierarchical searches beside small rows."
)
@click.option("--jobs", type=click.IntRange(1, 64), default=CPUS, help="Processes that read files.")
@click.option("--ocr", is_flag=True, help="Read the words in pictures (needs rapidocr).")
@click.option("--speech", is_flag=True, help="Write down what is said (needs pocketsphinx).")
@click.option("--max-bytes", type=int, help="Refuse larger files.")
@click.option("--max-pixels", type=int, help="Refuse larger pictures.")
@click.option("--max-pages", type=int, help="Refuse longer documents.")
@click.option("--max-seconds", type=float, help="Refuse longer media.")
@click.option("--timeout-seconds", type=float, help="Give up on a file after this time.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def ingest(
    settings: Settings,
    /,
    *,
    paths: tuple[Path, ...],
    collection: str,
    tags: tuple[str, ...],
    embedder: str | None,
    with_codes: bool,
    jobs: int,
    as_json: bool,
    **options: Any,
) -> int:
    """Embed files and folders and keep them, at every size.

    Unchanged files are skipped, changed ones replaced. Interrupted? Run it again: it goes on where it stopped.
    """
    from nestor import media
    from nestor.errors import EmbeddingFailed, HomeUnusable, VectorsError
    from nestor.outcome import Labels, Report
    from nestor.wiring import Nestor

    started = time.monotonic()
    nestor = Nestor(with_embedder(settings, embedder), with_codes=with_codes)
    read_options = nestor.read_options(**{name: value for name, value in options.items() if value is not None})
    labels = Labels(collection, tags)
    files = list(media.discover(paths, home=settings.home))
    if not files:
        say("There are no files to ingest there.")
    report = Report()
    stopped: NestorError | None = None
    try:
        with nestor:
            outcomes = nestor.ingest.run(files, labels=labels, options=read_options, jobs=jobs)
            for outcome in with_progress(outcomes, total=len(files), label=lambda outcome: outcome.path.name):
                report.add(outcome)
    except (EmbeddingFailed, VectorsError, HomeUnusable) as error:
        stopped = error  # first what was done
    seconds = time.monotonic() - started
    if as_json:
        print_json(_document(report, seconds))
    else:
        _print(report, seconds)
    if report.stored and nestor.strategy().name == "manual":
        say("note: this home searches by the manual strategy, which finds what is new after `nestor rollback` again.")
    if stopped is not None:
        say(f"{report.stored:,} files were stored before it stopped; the same command again does the rest.")
        raise stopped
    return 1 if report.failures else 0


def _document(report: Any, seconds: float) -> dict[str, Any]:
    return {
        "stored": report.stored,
        "skipped": report.skipped,
        "segments": report.segments,
        "modalities": report.modalities,
        "failures": [
            {"path": str(failure.path), "reason": failure.reason, "message": failure.message}
            for failure in report.failures
        ],
        "warnings": [{"path": str(path), "message": message} for path, message in report.warnings],
        "took_seconds": round(seconds, 3),
    }


def _print(report: Any, seconds: float) -> None:
    rows = table("modality", "segments", numbers=["segments"])
    for modality, segments in sorted(report.modalities.items()):
        rows.add_row(modality, f"{segments:,}")
    if report.modalities:
        print_table(rows)
    for path, message in report.warnings:
        say(f"note: {path}: {message}")
    for failure in report.failures:
        say(f"not ingested ({failure.reason}): {failure.message}")
    rate = f" ({report.stored / seconds:.1f} files/s)" if report.stored else ""
    say(
        f"{report.stored:,} stored ({report.segments:,} segments), {report.skipped:,} unchanged, "
        f"{len(report.failures):,} not ingested, in {seconds:.1f} s{rate}."
    )
