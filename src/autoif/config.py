"""The configuration of a run: one pydantic model per section, a docstring under every key, unknown keys refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
OneOrMore = Annotated[tuple[str, ...], BeforeValidator(lambda one: (one,) if isinstance(one, str) else one or ())]
"""Texts: a list of them, a single one, or null."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=())


class SamplingConfig(Section):
    temperature: Annotated[float, Field(ge=0, le=5)] = 0.7
    """0 is greedy."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Nucleus sampling: the smallest set of tokens with at least this probability."""
    max_tokens: Positive = 512
    """Longest reply, in tokens. A completion cut here is dropped as `truncated`, or a failing one if it loops."""


class EngineConfig(Section):
    engine: Literal["openvino", "transformers", "vllm", "openai", "scripted"] = "openvino"
    """openvino: the CPU default. openai: any OpenAI-compatible server. scripted: canned replies, for dry runs."""
    model: str = "smollm2-135m-instruct"
    """The embedded `smollm2-135m-instruct`, a folder, a GGUF file, a Hugging Face id, or a server's name for it."""
    base_url: OneOrMore = ()
    """openai: the server, such as http://localhost:8000/v1, or a list of servers that share the requests. The key comes
    from the environment alone."""
    api_key_env: str = "OPENAI_API_KEY"
    """openai: the environment variable that holds the key."""
    concurrency: Positive = 64
    """Requests under way at once (openvino, transformers: the batch; openai: at most, over all servers)."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 120.0
    """openai: how long one request may take before it is tried again."""
    retries: Count = 8
    """openai: tries after the first, on 5xx, time-outs, lost connections and broken replies."""
    outage_minutes: Annotated[float, Field(ge=0)] = 30.0
    """openai: how long to wait for a server that is down before the run ends, to be continued by the same command."""
    device: str = "auto"
    """transformers: auto, cpu, cuda, mps."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """transformers, vllm: the precision of the weights. openvino: of what is computed; auto is float32."""
    options: dict[str, Any] = {}
    """vllm: passed to `vllm.LLM`, such as tensor_parallel_size. openai: `prefill` and `json_schema`, true where the
    server can (vLLM can both). scripted: see ScriptedEngine."""


class QueriesConfig(Section):
    source: str = "builtin"
    """`builtin`, a file (.jsonl .json .parquet .csv), a folder of such files, one of either at s3:// or gs://, or a
    Hugging Face data set id."""
    format: Literal["auto", "field", "sharegpt", "hh"] = "auto"
    """field: one named column. sharegpt: `conversations` of from/value turns. hh: HH-RLHF transcripts in `chosen`."""
    field: str | None = None
    """The column with the query; auto looks for query, prompt, instruction, question, text, in this order."""
    subset: str | None = None
    """Hugging Face: the configuration name (or data_dir, such as helpful-base)."""
    split: str = "train"
    """Hugging Face: the split."""
    limit: Positive | None = None
    """Stop after this many kept queries; null is all of them."""
    shuffle: bool = False
    """Local files and `builtin` are read in an order drawn from the seed instead of file order."""
    min_chars: Count = 10
    """Shorter queries are dropped as `too_short`."""
    max_chars: Positive = 2000
    """Longer queries are dropped as `too_long`."""
    language: str | None = "en"
    """Keep this ISO 639-1 language; null keeps all."""


class InstructionsConfig(Section):
    mode: Literal["proactive", "paper"] = "proactive"
    """proactive: an instruction written for each query. paper: rewrites of the seeds, with queries attached."""
    per_query: Count = 1
    """proactive: instructions the writer writes for each query."""
    seeds_per_query: Count = 1
    """proactive: hand-written seed instructions attached to each query. paper: all seeds once, or none with 0."""
    shots: Positive = 6
    """Seeds shown as examples."""
    orders: Positive = 4
    """Fixed orders the examples rotate among; few, so that prefix caching pays."""
    rewrites: Positive = 100
    """paper: how many instructions to ask for in all (K of section 3.2)."""
    rewrites_per_reply: Positive = 10
    """paper: instructions asked for in one reply."""
    queries_per_instruction: Positive = 16
    """paper: queries attached to each instruction."""
    near_duplicate: Share = 0.85
    """A model-written instruction this similar to an earlier one (MinHash of words) is dropped; 1: only equal ones."""
    sampling: SamplingConfig = SamplingConfig(temperature=0.8, max_tokens=96)
    """How instructions are decoded; max_tokens is for each of them."""

    @property
    def rewrite_replies(self) -> int:
        """Replies that `paper` mode asks for."""
        return -(-self.rewrites // self.rewrites_per_reply)


class VerifiersConfig(Section):
    functions: Positive = 4
    """Verification functions asked of the writer for each instruction, at most."""
    wave: Positive | None = 2
    """With agreement: functions asked for at a time, tried before more are written. null: all at once."""
    case_replies: Positive = 2
    """Replies with test cases asked of the writer for each instruction."""
    cases_per_reply: Positive = 4
    """Test cases asked for in one reply, half of them meant to follow."""
    mutations: Count = 0
    """With waves: test cases that the writer is asked to break. Functions that notice none of it are not believed."""
    shots: Positive = 2
    """Seeds shown as examples."""
    orders: Positive = 4
    """Fixed orders the examples rotate among."""
    sampling: SamplingConfig = SamplingConfig(temperature=0.8, max_tokens=400)


class CrosscheckConfig(Section):
    method: Literal["agreement", "votes"] = "agreement"
    """agreement: believe functions of different source that agree on many texts. votes: the paper's thresholds."""
    min_confidence: Share = 0.9
    """agreement: how likely a label must be right. 0.75 keeps more instructions, 0.95 fewer and surer ones."""
    case_threshold: Share = 0.5
    """votes: a test case is kept when at least this share of the functions agree with it."""
    function_threshold: Share = 0.8
    """votes: a function is kept when it is right on at least this share of the kept cases."""
    min_verifiers: Positive = 2
    """votes, back_translation: kept functions a model-written instruction needs (a hand-written seed needs one)."""
    min_cases: Positive = 2
    """votes: kept cases an instruction needs."""
    both_polarities: bool = True
    """votes: require kept cases that follow and kept cases that do not."""
    back_translation: Literal["none", "writer", "nli"] = "none"
    """writer, nli: the writer describes each kept function; what contradicts the instruction, so judged, is removed."""
    back_translation_sampling: SamplingConfig = SamplingConfig(temperature=0.0, top_p=1.0, max_tokens=128)
    """How the back-translation and the writer's verdict are decoded."""
    nli_model: str = "MoritzLaurer/mDeBERTa-v3-base-xnli-multilingual-nli-2mil7"
    """back_translation: nli: a sequence-classification model with a contradiction label, as an id or a local folder."""
    heldout_queries: Share = 0.1
    """Share of queries whose instructions are never trained on, only evaluated."""
    heldout_instructions: Share = 0.1
    """Share of instruction kinds (a seed with all its parameters, a model-written text) that are only evaluated."""

    def by_agreement(self, origin: str) -> bool:
        """Hand-written verifiers are tested, so they face their own test cases alone."""
        return origin == "model" and self.method == "agreement"


class CompletionsConfig(Section):
    per_instruction: Positive = 48
    """Samples of the policy for each query + instruction, at most."""
    wave: Positive | None = 5
    """Samples asked for at a time; verifiers decide after each wave whether more are worth it. null: all at once."""
    min_contrast: Share = 0.2
    """With waves: stop once answers that most verifiers pass, or that none does, seem rarer than this; 0: never."""
    show_verifier: bool = False
    """Show the policy one kept verifier while it samples (never in the training prompt): more pass, so more pairs."""
    show_cases: bool = False
    """With waves: where no answer of the first passes, later ones see a test case as an earlier turn."""
    sampling: SamplingConfig = SamplingConfig()


class ScoresConfig(Section):
    quality: bool = False
    """Have the writer rate from 1 to 10 how well each answer serves its query (paper section 3.3)."""
    quality_sampling: SamplingConfig = SamplingConfig(temperature=0.0, top_p=1.0, max_tokens=128)


class PairsConfig(Section):
    chosen_at: Share = 0.5
    """A completion is chosen when at least this share of the verifiers return True."""
    rejected_at: Share = 0.0
    """A completion is rejected when at most this share of the verifiers return True."""
    pairing: Literal["cycle", "max_reuse", "closest", "product", "best_worst"] = "cycle"
    """cycle: the shorter list repeats. max_reuse: the same with a limit. closest: those nearest in length."""
    max_reuse: Positive = 2
    """How often max_reuse and closest may use one completion."""
    test_cases: bool = False
    """Pairs of test cases too, with the bare instruction as their prompt (the paper's instruction-level pairs)."""
    min_quality: Annotated[int, Field(ge=1, le=10)] = 8
    """With scores.quality: a chosen answer rated lower is dropped as `off_topic`."""
    contamination: tuple[str, ...] = ()
    """Files of benchmark prompts; a prompt that shares 13 words in a row with one is dropped as `contaminated`."""

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> PairsConfig:
        if self.rejected_at >= self.chosen_at:
            raise ValueError("rejected_at must be below chosen_at")
        return self


class LoraConfig(Section):
    rank: Positive = 16
    """Rank of the update."""
    alpha: Positive = 32
    """Scale: alpha / rank."""
    dropout: Share = 0.0
    """Dropout on the adapter's input."""


class SftConfig(Section):
    learning_rate: Annotated[float, Field(gt=0)] = 1e-5
    """Peak, after the warm-up."""
    epochs: Annotated[float, Field(gt=0)] = 1.0
    """Passes over the chosen completions, each once however many pairs it is in."""


class TrainConfig(Section):
    sft: SftConfig | None = None
    """Fine-tune on the chosen completions first, in the first round (the paper's SFT, then DPO)."""
    beta: Annotated[float, Field(gt=0)] = 0.1
    """DPO's beta: how far the policy may move from the reference."""
    nll_weight: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the negative log-likelihood of the chosen completions, a mean over tokens; 0 is off."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-6
    """Peak, after the warm-up."""
    warmup: Share = 0.1
    """Share of the steps that warm up; cosine to 10 % of the peak follows."""
    epochs: Annotated[float, Field(gt=0)] = 1.0
    """Passes over the pairs."""
    batch_size: Positive = 8
    """Pairs per optimiser step. The pairs of a prompt stay together, so it can be a few more or less."""
    micro_batch_size: Positive = 2
    """Pairs of max_length that a forward pass must have room for; shorter ones share it."""
    max_length: Positive = 1024
    """Tokens of prompt + completion; longer pairs are left out and counted."""
    lora: LoraConfig | None = None
    """None trains all weights."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision of the training."""
    gradient_checkpointing: bool = False
    """Less memory, about a third more time."""
    max_steps: Positive | None = None
    """Stop early."""
    report_to: tuple[str, ...] = ()
    """Where metrics go besides metrics.jsonl: tensorboard, wandb, trackio (each must be installed)."""
    model: str | None = None
    """The weights to train, when the policy is sampled from a server or another file of the same model."""
    reference: Literal["previous", "start"] = "previous"
    """With rounds: what the policy is held close to, itself as a round begins or as it was before any training."""

    @model_validator(mode="after")
    def _whole_steps(self) -> TrainConfig:
        if self.batch_size % self.micro_batch_size:
            raise ValueError("batch_size must be a multiple of micro_batch_size")
        return self


class TaskConfig(Section):
    task: Literal["ifeval", "ifbench", "hellaswag"]
    """ifeval, ifbench: answers are checked. hellaswag: which of four endings is likeliest, read by transformers."""
    data: str | None = None
    """A local JSONL file or a Hugging Face id; none is google/IFEval, allenai/IFBench_test, Rowan/hellaswag."""
    limit: Positive | None = None
    """Only the first so many prompts, as lm-eval's --limit."""
    sampling: SamplingConfig = SamplingConfig(temperature=0.0, top_p=1.0, max_tokens=1280)
    """ifeval, ifbench: how answers are decoded; greedy and at most 1,280 tokens are lm-eval's."""
    batch_size: Positive = 16
    """hellaswag: endings read at once, of a model whose endings cannot share the pass over their context."""


class EvaluateConfig(Section):
    heldout_limit: Positive = 200
    """At most this many held-out verified instructions."""
    samples: Positive = 1
    """Answers for each held-out instruction, of the policy and of the reference."""
    sampling: SamplingConfig = SamplingConfig(temperature=0.0, top_p=1.0)
    """How the held-out answers are decoded."""
    token_pictures: Count = 6
    """Held-out prompts whose answers the report shows token by token, as policy and reference see them. 0: none, and no
    log-probabilities are read."""
    token_prompts: Positive = 100
    """With token_pictures: held-out prompts in whose answers, one of each model, it is counted which tokens moved."""
    tasks: tuple[TaskConfig, ...] = ()
    """Benchmarks to score policy and reference on besides, each once."""


class SandboxConfig(Section):
    workers: Positive | None = None
    """Sandbox processes; null is one per core."""
    call_seconds: Annotated[float, Field(gt=0)] = 2.0
    """Wall time of one call."""
    function_seconds: Annotated[float, Field(gt=0)] = 10.0
    """Wall time of one function over all its inputs."""
    memory_mb: Positive = 1024
    """Address space of one function."""
    mode: Literal["strict", "weak"] = "strict"
    """weak: run where the kernel cannot contain hostile code (macOS); only for verifiers you trust."""


class RayConfig(Section):
    address: str | None = None
    """HOST:PORT of the cluster's head; null is RAY_ADDRESS, or else a new cluster of this machine alone."""
    sandboxes: Positive | None = None
    """Sandboxes in the cluster, one worker each; null is one for each CPU that serves no GPU."""
    replicas: Positive = 1
    """vllm: copies of the model, each on as many GPUs as its options say. openai: processes that send requests."""


class Config(Section):
    run: str | None = None
    """The run directory; runs/NAME of the config file when not given."""
    seed: int = 0
    """Every draw of the run follows from it."""
    rounds: Positive = 1
    """Stages 5 to 9 are repeated with the newest policy: online DPO (paper section 3.3)."""
    queries: QueriesConfig = QueriesConfig()
    writer: EngineConfig = EngineConfig()
    """Writes instructions, verifiers and test cases, and judges."""
    policy: EngineConfig = EngineConfig()
    """Writes completions, and is trained."""
    instructions: InstructionsConfig = InstructionsConfig()
    verifiers: VerifiersConfig = VerifiersConfig()
    crosscheck: CrosscheckConfig = CrosscheckConfig()
    completions: CompletionsConfig = CompletionsConfig()
    scores: ScoresConfig = ScoresConfig()
    pairs: PairsConfig = PairsConfig()
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    sandbox: SandboxConfig = SandboxConfig()
    executor: Literal["local", "ray"] = "local"
    """ray: engines vllm and openai work through Ray Data, and verifiers run in sandboxes all over a Ray cluster."""
    ray: RayConfig = RayConfig()
