"""Schema 1 of a record: every field with its type."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from qipo_ray.config.json_types import (
    Count,
    Expected,
    Flag,
    Hex16,
    Integer,
    Name,
    NonNegative,
    Number,
    Plain,
    PlainMapping,
    Positive,
    Real,
    Sha256,
    Text,
    Utc,
)
from qipo_ray.config.validation import Validator

SCHEMA = 1
SchemaOne = Annotated[Integer, Field(ge=1, le=1), Expected("one of 1")]


class RecordError(ValueError):
    """A document that breaks its schema, or another one under its id; the text names the field."""


class ScoreFields(TypedDict):
    """One evaluation of a policy."""

    updates: Count
    episodes: Positive
    mean: Number | None  # return over the episodes
    std: NonNegative | None
    normalised: Number | None  # percent
    success: NonNegative | None  # share from 0 to 1
    each: NotRequired[list[Number]]  # the score of every episode, of runs with signals


class FittedQFields(TypedDict):
    """What fitted Q evaluation says of a policy, in the unit of the data's rewards."""

    mean: Number  # discounted, from the starts of episodes
    std: NonNegative  # over episodes
    episodes: Positive


class SignalFields(TypedDict):
    """What was measured of a policy without a simulator."""

    updates: Count
    fqe: FittedQFields | None  # not asked for, or diverged
    td_error: NonNegative | None  # of runs with a critic
    behaviour_loss: NonNegative


class EvidenceFields(TypedDict):
    """Q against the returns of episodes that it was not trained on."""

    episodes: Count
    rows: Count
    slope: Number | None  # of returns on Q, both above what the state is worth
    error: NonNegative | None  # standard error of the slope, over episodes
    correlation: Number | None


class AgreementFields(TypedDict):
    """What the pairs of a critic with several say of the same actions."""

    pairs: Positive
    spread: NonNegative | None  # over pairs, of what an action is worth beside others of its row
    advantage: Number | None  # of the best proposal over the data's action
    deviation: NonNegative | None  # of that over pairs
    share: NonNegative | None  # of pairs that say so, from 0 to 1


class CriticReportFields(TypedDict):
    """What the critic was worth at its end."""

    updates: Count
    rows: Positive
    actions: Positive  # support actions at each
    action_std: NonNegative | None  # of the support actions
    q_std: NonNegative | None  # of Q over the support actions
    disagreement: NonNegative | None
    error: NonNegative | None  # of Q against returns-to-go, as all that follows
    correlation: Annotated[Real, Field(ge=-1), Expected("a finite number of at least -1")] | None
    q_mean: Number | None
    return_mean: Number | None
    return_std: NonNegative | None
    warnings: list[Text]
    best_of: ScoreFields | None  # of the best action by Q: online episodes that select nothing
    evidence: NotRequired[EvidenceFields]
    agreement: NotRequired[AgreementFields]


class PolicyReportFields(TypedDict):
    """How far the policy went from the behaviour."""

    updates: Count
    rows: Positive
    actions: Positive  # of the policy and of the behaviour at each
    drift: NonNegative | None  # from the behaviour, 1 for itself
    action_std: NonNegative | None
    q_mean: Number | None  # of the policy's actions
    q_best: Number | None  # of the behaviour's best
    q_std: NonNegative | None  # between the behaviour's
    stayed: NotRequired[bool]  # the clone to the bit
    warnings: list[Text]


class LabelFields(TypedDict):
    """The method, and how a configuration departs from it."""

    method: Name
    departures: list[Name]
    name: Name | None


class JobFields(TypedDict):
    """The key of each stage's job."""

    behaviour: Hex16 | None
    critic: Hex16 | None
    policy: Hex16 | None


class ReachedFields(TypedDict):
    """How far the run came."""

    updates: Count
    rung: NonNegative | None


class FinalFields(TypedDict):
    """The scores that a leaderboard shows."""

    last: ScoreFields | None
    last3: Number | None  # percent, mean of the last three training evaluations
    best: ScoreFields | None
    action_latency_ms: NonNegative | None


class ProtocolFields(TypedDict):
    """How the scores were measured."""

    episodes: Positive
    env_seeds: Name | list[Count]
    sampler: Name
    steps: Positive
    best_of: Positive
    clip: Flag
    selection_episodes: Count
    physics: NotRequired[Positive]  # of the simulator; 1 where it is not there
    scores: NotRequired[Name]  # what they are; normalised where it is not there
    objective: NotRequired[Name]  # what chose the configuration; the score where it is not there


class DataScoreFields(TypedDict):
    """The score of the policy that made the data."""

    mean: Number | None
    normalised: Number | None
    episodes: Count


class DataFields(TypedDict):
    """The data that the run trained on."""

    task: Name
    source: Literal[
        "d4rl", "d4rl, unverified", "ogbench, unverified", "minari", "generated", "other"
    ]
    sha256: Sha256
    rows: Positive
    notes: list[Text]
    score: DataScoreFields | None


class CostFields(TypedDict):
    """What the run took."""

    wall_s: NonNegative | None
    device_s: NonNegative | None
    updates_per_s: NonNegative | None
    reused_s: NonNegative | None
    cpu_s: NotRequired[NonNegative | None]  # of training all stages of the run, shared ones too
    latency_load: NotRequired[NonNegative]  # for each core, where the latency was measured


class ProvenanceFields(TypedDict):
    """Which program made the record, where and when."""

    version: Name
    commit: Name | None
    dirty: Flag | None
    packages: PlainMapping
    python: Name
    hardware: Name | PlainMapping
    command: Text | list[str]
    started: Utc
    ended: Utc


class PackFields(TypedDict):
    """The jobs that trained side by side on the device."""

    size: Positive
    composition: Plain


class RecordFields(TypedDict):
    """The record of a run that ended."""

    schema: SchemaOne
    id: Hex16
    sweep: Name
    trial: Name | None
    purpose: Literal["search", "confirm", "acting", "single"]
    task: Name
    seed: Count
    state: Literal["finished", "pruned", "diverged", "failed"]
    reason: Text | None
    attempt: Positive
    config: PlainMapping
    config_hash: Hex16
    label: LabelFields
    jobs: JobFields
    reached: ReachedFields
    scores: list[ScoreFields]
    signals: NotRequired[list[SignalFields]]
    final: FinalFields
    behaviour_cloning: ScoreFields | None
    protocol: ProtocolFields
    data: DataFields
    cost: CostFields
    provenance: ProvenanceFields
    pack: PackFields
    critic_report: NotRequired[CriticReportFields | None]
    policy_report: NotRequired[PolicyReportFields | None]
    health: NotRequired[PlainMapping | None]  # stage -> its last metrics


RECORD = Validator(RecordFields, RecordError)
