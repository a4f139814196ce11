"""An environment to deploy: one frozen, validated value, read from `environments/<name>.toml`; pure."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from infra.tables import ConfigFault, changed, matches, within

ENVIRONMENTS: Final = Path(__file__).with_name("environments")
LOG_DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 3653)
"""What CloudWatch Logs keeps logs for."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,15}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_PLACEHOLDER = re.compile(r"(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/\S*)?)?")
_TOPIC = re.compile(r"(arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256})?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What one function may use."""

    memory_mib: int
    timeout_seconds: int
    reserved_concurrency: int
    """The most copies at once, kept free for it; 0 reserves nothing."""
    storage_mib: int = 512
    """Of /tmp, where a source file is unpacked."""

    def __post_init__(self) -> None:
        """Refuse what Lambda would refuse."""
        within("memory_mib", self.memory_mib, 128, 10_240)
        within("timeout_seconds", self.timeout_seconds, 1, 900)
        within("reserved_concurrency", self.reserved_concurrency, 0, 1_000)
        within("storage_mib", self.storage_mib, 512, 10_240)


@dataclass(frozen=True, slots=True, kw_only=True)
class Functions:
    """The sizes of the functions."""

    # A source may be a video of 2 GB, Nova's limit.
    plan: Size = Size(memory_mib=2048, timeout_seconds=900, reserved_concurrency=10, storage_mib=5120)
    embed_sync: Size = Size(memory_mib=2048, timeout_seconds=900, reserved_concurrency=8, storage_mib=5120)
    store_embeddings: Size = Size(memory_mib=1024, timeout_seconds=900, reserved_concurrency=10)
    # An HTTP API gives up after 30 seconds.
    query_handler: Size = Size(memory_mib=1024, timeout_seconds=29, reserved_concurrency=20)
    # The same application as `nestor serve`, without its pages.
    api: Size = Size(memory_mib=1024, timeout_seconds=29, reserved_concurrency=10)
    forget: Size = Size(memory_mib=512, timeout_seconds=300, reserved_concurrency=5)
    redrive: Size = Size(memory_mib=256, timeout_seconds=60, reserved_concurrency=1)
    index_settings: Size = Size(memory_mib=256, timeout_seconds=120, reserved_concurrency=1)
    shadow_query: Size = Size(memory_mib=1024, timeout_seconds=60, reserved_concurrency=2)
    # The list of what lies in a placeholder is kept on disk.
    list_placeholder: Size = Size(memory_mib=1769, timeout_seconds=900, reserved_concurrency=1, storage_mib=2048)
    migrate_assets: Size = Size(memory_mib=2048, timeout_seconds=900, reserved_concurrency=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """How the state machines wait, try again and spread their work."""

    poll_seconds: int = 15
    """Before the first look at a job of Bedrock; a second more before each further one."""
    batches_at_once: int = 4
    retry_seconds: int = 2
    """Before the first retry; doubled each time, with full jitter."""
    retry_most_seconds: int = 60
    retry_attempts: int = 6
    throttle_attempts: int = 40
    """Refusals for haste cost nothing and end by themselves, so they are tried again for longer."""
    timeout_seconds: int = 86_400
    backfill_at_once: int = 20
    backfill_tolerated_percent: int = 10
    """Also of a migration."""
    migrate_at_once: int = 4
    """An index takes 2,500 vectors a second, one function stores some hundreds."""

    def __post_init__(self) -> None:
        """Refuse what Step Functions would refuse."""
        within("poll_seconds", self.poll_seconds, 0, 3_600)
        within("batches_at_once", self.batches_at_once, 1, 40)
        within("retry_seconds", self.retry_seconds, 1, 600)
        within("retry_most_seconds", self.retry_most_seconds, self.retry_seconds + 1, 3_600)
        within("retry_attempts", self.retry_attempts, 0, 100)
        within("throttle_attempts", self.throttle_attempts, 0, 100)
        within("timeout_seconds", self.timeout_seconds, 60, 31_536_000)
        within("backfill_at_once", self.backfill_at_once, 1, 1_000)
        within("backfill_tolerated_percent", self.backfill_tolerated_percent, 0, 100)
        within("migrate_at_once", self.migrate_at_once, 1, 1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """The model, how sources are cut for it, and how fast it is asked."""

    model_id: str = "amazon.nova-2-multimodal-embeddings-v1:0"
    segment_seconds: int = 5
    segment_characters: int = 1_000
    batch_segments: int = 8
    async_characters: int = 200_000
    """A text of at least so many characters becomes a job."""
    requests_per_minute: int = 600
    """Of each running copy of a function; the account's quota divided by the copies."""
    concurrency: int = 4
    """Requests of one copy at once."""
    collection_from_prefix: bool = False

    def __post_init__(self) -> None:
        """Refuse what Nova would refuse."""
        matches("model_id", self.model_id, re.compile(r"[\w.:-]{1,128}"), "a model id of Bedrock")
        within("segment_seconds", self.segment_seconds, 1, 30)
        within("segment_characters", self.segment_characters, 800, 50_000)
        within("batch_segments", self.batch_segments, 1, 100)
        within("async_characters", self.async_characters, 1, 100_000_000)
        within("requests_per_minute", self.requests_per_minute, 1, 1_000_000)
        within("concurrency", self.concurrency, 1, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexes:
    """What CloudFormation cannot say about an index."""

    mode: Literal["ENHANCED", "CLASSIC"] = "ENHANCED"
    text_language: Literal["en", "fr", "es", "pt", "it", "de", "nl", "zh", "ja", "ko", "standard"] = "en"
    """How `text` is made searchable; `standard` for mixed or other languages."""

    def __post_init__(self) -> None:
        """Refuse the mode that has no text search."""
        if self.mode == "CLASSIC":
            raise ConfigFault("indexes.mode is 'CLASSIC': the text search that Nestor sets up needs 'ENHANCED'.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What answers, who may ask, how often, and from which pages."""

    application: bool = True
    """Whether there is the whole API: assets, uploads, comparisons, chat. Without it there is POST /query alone."""
    chat_model: str = ""
    """Who answers POST /chat: a model of Bedrock, or an inference profile such as us.amazon.nova-lite-v1:0.

    Empty for quotations alone."""
    authorizer: Literal["iam", "jwt", "none"] = "iam"
    jwt_issuer: str = ""
    jwt_audience: tuple[str, ...] = ()
    requests_per_second: int = 20
    burst: int = 40
    allowed_origins: tuple[str, ...] = ()
    """For pages in a browser (CORS), such as https://search.example.com."""

    def __post_init__(self) -> None:
        """Refuse a JWT without issuer and audience, for then any token would do."""
        if self.authorizer == "jwt" and not (self.jwt_issuer.startswith("https://") and self.jwt_audience):
            raise ConfigFault("api.authorizer is 'jwt': set api.jwt_issuer (https://...) and api.jwt_audience, too.")
        matches("chat_model", self.chat_model, re.compile(r"([\w.:-]{1,128})?"), "a model id of Bedrock, or empty")
        if self.chat_model and not self.application:
            raise ConfigFault("api.chat_model is set, and api.application is false: POST /chat is a part of it.")
        within("requests_per_second", self.requests_per_second, 1, 10_000)
        within("burst", self.burst, 1, 5_000)
        for origin in self.allowed_origins:
            matches("allowed_origins", origin, re.compile(r"https?://[\w.:-]+"), "an origin, without a path or a *")


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """How questions are answered, what is remembered of them, and how many are looked at again."""

    strategy: Literal["direct", "hierarchical", "refetch", "hybrid", "manual"] = "direct"
    """Of questions that name none."""
    remembered_days: int = 0
    """How long a table keeps the embeddings of questions; 0 makes no table."""
    shadow_rate: float = 0.0
    """The share of questions that are searched for again to measure recall; 0 makes nothing for it."""

    def __post_init__(self) -> None:
        """Refuse shares and times that make no sense."""
        within("remembered_days", self.remembered_days, 0, 3_650)
        within("shadow_rate", self.shadow_rate, 0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """Who is told, and from where on: what goes beyond one of these figures is an alarm."""

    emails: tuple[str, ...] = ()
    """Of those who are told; each has to confirm once."""
    topic_arn: str = ""
    """A topic of SNS that is there already, in place of emails."""
    latency_ms: int = 3_000
    """Of one question in a hundred, its embedding included."""
    error_percent: int = 5
    """Of the questions."""
    throttled: int = 10
    """Refusals for haste within five minutes."""
    failed_segments: int = 0
    """Within five minutes."""
    recall: float = 0.95
    """What the searched-again questions must reach on average within an hour."""
    recall_questions: int = 20
    """Of fewer in an hour nothing is concluded."""
    processed_tb_a_day: float = 1_000.0
    """What questions make S3 Vectors read; 1,000 TB cost $2 to $4 (docs/costs.md)."""
    segments: int = 1_000_000
    """About how many there are: what one question makes S3 Vectors read is estimated by it."""
    waiting_minutes: int = 60
    """How old the oldest message of a queue may become."""
    concurrency_percent: int = 90
    """Of what is reserved for a function."""

    def __post_init__(self) -> None:
        """Refuse two ways of telling, and figures that make no sense."""
        if self.emails and self.topic_arn:
            raise ConfigFault("alarms.emails and alarms.topic_arn are both set: choose one.")
        matches("topic_arn", self.topic_arn, _TOPIC, "the ARN of a topic of SNS, or empty")
        for email in self.emails:
            matches("emails", email, _EMAIL, "an address such as ops@example.com")
        within("latency_ms", self.latency_ms, 1, 30_000)
        within("error_percent", self.error_percent, 0, 100)
        within("throttled", self.throttled, 0, 1_000_000)
        within("failed_segments", self.failed_segments, 0, 1_000_000)
        within("recall", self.recall, 0, 1)
        within("recall_questions", self.recall_questions, 1, 1_000_000)
        within("processed_tb_a_day", self.processed_tb_a_day, 0, 1_000_000_000)
        within("segments", self.segments, 1, 2_000_000_000)
        within("waiting_minutes", self.waiting_minutes, 1, 10_080)
        within("concurrency_percent", self.concurrency_percent, 1, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Everything that differs from one deployment to another."""

    name: str
    production: bool = False
    account: str = ""
    """Twelve digits; empty takes the account of whoever deploys."""
    region: str = "us-east-1"
    vector_bucket: str = ""
    """The name of the vector bucket; `nestor-<name>` unless said otherwise."""
    placeholder: str = ""
    """Where embeddings lie as JSON objects, s3://bucket/prefix: what `migration` moves and `manual` scans."""
    customer_key: bool = False
    """Whether a KMS key of your own encrypts buckets, vectors, queues and logs."""
    log_days: int = 30
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    work_days: int = 7
    """How long plans and the model's output are kept, to look at."""
    tags: Mapping[str, str] = field(default_factory=dict)
    functions: Functions = Functions()
    pipeline: Pipeline = Pipeline()
    embedding: Embedding = Embedding()
    indexes: Indexes = Indexes()
    api: Api = Api()
    questions: Questions = Questions()
    alarms: Alarms = Alarms()

    def __post_init__(self) -> None:
        """Refuse names that AWS would refuse, and an open door in production."""
        matches("name", self.name, _NAME, "up to 16 small letters, digits or -, beginning with a letter")
        matches("region", self.region, _REGION, "an AWS region")
        matches("account", self.account, re.compile(r"(\d{12})?"), "twelve digits, or empty")
        matches("vector_bucket", self.bucket, _BUCKET, "3 to 63 small letters, digits or -")
        matches("placeholder", self.placeholder, _PLACEHOLDER, "s3://bucket/prefix, or empty")
        if self.questions.strategy == "manual" and not self.placeholder:
            raise ConfigFault("questions.strategy is 'manual', which scans a placeholder: set placeholder, too.")
        within("work_days", self.work_days, 1, 365)
        if self.log_days not in LOG_DAYS:
            raise ConfigFault(f"log_days is {self.log_days}; CloudWatch knows {', '.join(map(str, LOG_DAYS))}.")
        if self.production and self.api.authorizer == "none":
            raise ConfigFault("api.authorizer is 'none' in production: choose 'iam' or 'jwt'.")

    @property
    def placeholder_place(self) -> tuple[str, str]:
        """The bucket of the placeholder, and the prefix in it: empty, or with a slash at its end."""
        bucket, _, prefix = self.placeholder.removeprefix("s3://").partition("/")
        prefix = prefix.rstrip("/")
        return bucket, f"{prefix}/" if prefix else ""

    @property
    def bucket(self) -> str:
        """The name of the vector bucket."""
        return self.vector_bucket or f"nestor-{self.name}"

    def named(self, part: str) -> str:
        """Return the physical name of a part, such as `nestor-dev-plan`."""
        return f"nestor-{self.name}-{part}"


def load(name: str, *, folder: Path = ENVIRONMENTS) -> Environment:
    """Return the environment of that name. Raises ConfigFault, naming file and setting."""
    path = folder / f"{name}.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        known = ", ".join(sorted(found.stem for found in folder.glob("*.toml")))
        raise ConfigFault(f"There is no environment {name!r}: write {path}, or use one of {known}.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigFault(f"{path.name}: {error}") from error
    try:
        environment = environment_of(table)
    except ConfigFault as error:
        raise ConfigFault(f"{path.name}: {error}") from error
    if environment.name != name:
        raise ConfigFault(f"{path.name}: name is {environment.name!r}; it must be that of the file.")
    return environment


def environment_of(table: Mapping[str, Any]) -> Environment:
    """Return the environment that a table of settings describes. Raises ConfigFault."""
    if "name" not in table:
        raise ConfigFault("name must be set.")
    return changed(Environment(name="unnamed"), table)
