from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from ruamel.yaml import YAML

from loadlab.errors import ScenarioError
from loadlab.scenario import (
    Bursts,
    BurstsRate,
    LognormalForm,
    LognormalSize,
    Origin,
    Ramp,
    RampRate,
    Resources,
    cpuset_cores,
    fitted,
    json_schema,
    load,
    load_document,
)
from loadlab.scenario.expressions import Condition

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "scenarios").glob("*.yaml"))
VALID = sorted((ROOT / "tests" / "scenarios" / "valid").glob("*.yaml"))
EVERY_KEY = ROOT / "tests" / "scenarios" / "valid" / "every-key.yaml"
QUICKSTART = ROOT / "scenarios" / "quickstart.yaml"


def plain(path: Path) -> object:
    return YAML(typ="safe").load(path)


def test_the_promised_scenarios_are_shipped() -> None:
    assert {path.stem for path in SHIPPED} >= {
        "quickstart",
        "production-producer",
        "high-throughput",
        "low-latency",
        "large-records",
        "hot-partition",
        "fan-out",
        "many-partitions",
        "backlog-drain",
        "durable-3-brokers",
        "independent-senders",
        "trace-replay",
    }


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_scenario_loads_and_says_what_it_answers(path: Path) -> None:
    scenario = load(path).scenario
    assert scenario.name == path.stem
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# ")
    assert first.endswith("?")
    assert scenario.thresholds


@pytest.mark.parametrize("path", [*SHIPPED, *VALID], ids=lambda path: path.stem)
def test_the_document_of_a_scenario_loads_to_the_same_scenario(path: Path) -> None:
    loaded = load(path)
    document = json.loads(json.dumps(loaded.scenario.to_document()))
    assert load_document(document).scenario == loaded.scenario


@pytest.mark.parametrize("path", [*SHIPPED, *VALID], ids=lambda path: path.stem)
def test_the_json_schema_takes_a_right_scenario(path: Path) -> None:
    jsonschema.Draft202012Validator(json_schema()).validate(plain(path))


def test_the_json_schema_takes_resolved_documents() -> None:
    jsonschema.Draft202012Validator(json_schema()).validate(load(EVERY_KEY).scenario.to_document())


def test_the_json_schema_takes_fixed_words_in_capitals_as_loading_does() -> None:
    document = plain(EVERY_KEY)
    producers = document["producers"]
    assert isinstance(producers, dict)
    next(iter(producers.values()))["config"] = {"security.protocol": "SASL_SSL", "compression.type": "ZSTD"}
    jsonschema.Draft202012Validator(json_schema()).validate(document)


def test_replicas_are_checked_by_the_brokers_of_the_cluster_that_stands() -> None:
    document = {
        "name": "x",
        "topics": {"orders": {"replication_factor": 3}},
        "producers": {"web": {"topic": "orders", "schedule": {"rate": 1}, "records": {"size": 100}}},
    }
    assert load_document(document, brokers=3).scenario.cluster.brokers == 3
    with pytest.raises(ScenarioError, match="3 replicas need 3 brokers, and the cluster has 2"):
        load_document(document, brokers=2)
    external = {**document, "cluster": {"provider": "external", "bootstrap_servers": "127.0.0.1:9092"}}
    assert load_document(external, brokers=1).scenario.cluster.brokers == 1


def test_the_json_schema_knows_metrics_and_their_selectors() -> None:
    keys = json_schema()["properties"]["thresholds"]["propertyNames"]  # type: ignore[index]
    schema = jsonschema.Draft202012Validator(keys)
    right = ("send_delay", "end_to_end_latency{consumer=billing}", 'throughput{ topic = "orders" }')
    wrong = ("sendDelay", "send_delay{consumer=billing}", "send_delay{producer=}", "send_delay{producer")
    assert [key for key in (*right, *wrong) if schema.is_valid(key)] == list(right)


@pytest.mark.parametrize(
    "case", ["unknown-keys", "provider-misspelt", "java-properties", "missing", "thresholds"]
)
def test_the_json_schema_refuses_what_it_can_know(case: str) -> None:
    wrong = plain(ROOT / "tests" / "scenarios" / "invalid" / f"{case}.yaml")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_schema()).validate(wrong)


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("acks", "quorum", False),
        ("acks", 2, False),
        ("acks", -1, True),
        ("acks", "0", True),
        ("batch.size", "64KiB", True),
        ("batch.size", "big", False),
        ("batch.size", 0, False),
        ("linger.ms", "5 ms", True),
    ],
)
def test_the_json_schema_knows_what_a_whole_number_may_be(name: str, value: object, *, right: bool) -> None:
    document = plain(EVERY_KEY)
    next(iter(document["producers"].values()))["config"] = {name: value}  # type: ignore[attr-defined]
    assert jsonschema.Draft202012Validator(json_schema()).is_valid(document) == right


def test_every_key_reaches_the_model_in_base_units() -> None:
    scenario = load(EVERY_KEY).scenario
    assert scenario.cluster.resources == Resources(cpus=0.5, memory=2**31, heap=2**30)
    assert scenario.cluster.config["log.retention.ms"] == "3600000"
    assert scenario.cluster.config["auto.leader.rebalance.enable"] == "false"
    assert scenario.topics["orders.v1"].names("orders.v1") == ["orders.v1-0000", "orders.v1-0001"]
    checkout = scenario.producers["checkout"]
    assert checkout.schedule.rate == RampRate(ramp=Ramp(**{"from": 0, "to": 20_000, "over": "10s"}))
    assert checkout.schedule.records == 1_000_000
    assert checkout.records.size == LognormalForm(
        lognormal=LognormalSize(median=1024, sigma=0.5, min=100, max=65536)
    )
    assert checkout.smallest_bytes == 100
    assert checkout.largest_bytes == 65536
    assert checkout.stamped
    assert checkout.config["batch.size"] == "65536"
    assert checkout.cpuset == "0"
    bursts = scenario.producers["app"].schedule.rate
    assert bursts == BurstsRate(bursts=Bursts(**{"rate": 20_000, "every": "5s", "for": "500ms"}))
    assert not scenario.producers["loader"].stamped
    assert scenario.producers["loader"].schedule.rate == "max"
    assert scenario.consumers["billing"].start_after_s == 10.0
    assert scenario.consumers["billing"].max_rate_per_s == 5000.0
    assert scenario.phases.total_s == 150.0


def test_a_file_that_the_scenario_names_is_found_beside_it() -> None:
    path = ROOT / "tests" / "scenarios" / "valid" / "external.yaml"
    assert load(path).scenario.cluster.client_properties == path.with_name("external.properties")


def test_thresholds_are_read_in_base_units() -> None:
    thresholds = load(EVERY_KEY).scenario.thresholds
    p99, p9999 = thresholds["publish_latency"]
    assert (p99.metric, p99.selector) == ("publish_latency", {})
    assert p99.condition == Condition("p99", "<", 50_000.0, "us")
    assert p9999.condition == Condition("p9999", "<=", 1e6, "us")
    (aborting,) = thresholds["publish_latency{producer=web}"]
    assert aborting.abort_on_fail
    assert aborting.delay_s == 10.0
    assert aborting.selector == {"producer": "web"}
    assert aborting.expression == "publish_latency{producer=web} max < 2s"
    records, volume = thresholds["throughput{topic=clicks}"]
    assert records.condition == Condition("records_per_s", ">", 900.0, "records/s")
    assert volume.condition == Condition("bytes_per_s", ">", 1e6, "bytes/s")


def test_set_overrides_any_value_and_config_takes_the_rest_as_one_key() -> None:
    loaded = load(
        EVERY_KEY,
        [
            "producers.checkout.config.batch.size=128KiB",
            "producers.checkout.workers=3",
            "topics.orders.v1.partitions=12",
            "topics.orders.v1.config.retention.ms=",
            "thresholds.end_to_end_latency{consumer=billing}=[p99 < 1s]",
            "thresholds.publish_latency[0]=p99 < 5ms",
            "producers.web.schedule.rate={ramp: {from: 1k/s, to: 2k/s, over: 5s}}",
            "producers.app.schedule.rate.bursts.every=10s",
            "description=with = and , in it",
            "topics.extra={partitions: 3}",
        ],
    )
    scenario = loaded.scenario
    assert scenario.producers["checkout"].config["batch.size"] == "131072"
    assert scenario.producers["checkout"].workers == 3
    assert scenario.topics["orders.v1"].partitions == 12
    assert "retention.ms" not in scenario.topics["orders.v1"].config
    assert [one.text for one in scenario.thresholds["end_to_end_latency{consumer=billing}"]] == ["p99 < 1s"]
    assert scenario.thresholds["publish_latency"][0].condition.value == 5000.0
    assert isinstance(scenario.producers["web"].schedule.rate, RampRate)
    assert scenario.description == "with = and , in it"
    assert scenario.topics["extra"].partitions == 3


def test_the_environment_wins_over_the_file_and_set_over_the_environment() -> None:
    environ = {
        "LOADLAB_PROVIDER": "embedded",
        "LOADLAB_SET": "seed=2\nphases.measure=20s",
        "LOADLAB_SET_WORKERS": "producers.checkout.workers=2",
        "LOADLAB_RESULTS_DIR": "elsewhere",
        "PATH": "/bin",
    }
    loaded = load(QUICKSTART, ["seed=3"], environ)
    assert loaded.scenario.cluster.provider == "embedded"
    assert loaded.scenario.seed == 3
    assert loaded.scenario.phases.measure_s == 20.0
    assert loaded.origins["cluster.provider"] == Origin("environment", "LOADLAB_PROVIDER")
    assert loaded.origins["phases.measure"] == Origin("environment", "LOADLAB_SET: phases.measure=20s")
    assert loaded.origins["producers.checkout.workers"].kind == "environment"
    assert loaded.origins["seed"] == Origin("set", "--set seed=3")


def test_origins_tell_of_every_value_of_the_document() -> None:
    loaded = load(QUICKSTART)
    assert loaded.origins["phases.measure"].kind == "file"
    assert loaded.origins["phases.measure"].place.startswith(f"{QUICKSTART}:")
    assert loaded.origins["seed"] == Origin("default", "default")
    assert loaded.origins["producers.checkout.config.linger.ms"].kind == "file"
    assert loaded.origins["thresholds.consumer_lag[0]"].kind == "file"


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("producers.checkout.wokers=2", 'did you mean "producers.checkout.workers"?'),
        ("producers.chekout.workers=2", 'did you mean "checkout"?'),
        ("phases.measure", "must be PATH=VALUE"),
        ("=5", "must be PATH=VALUE"),
        ("seed.x=5", "seed is one value and has no part called x"),
        ("seed=[1", "is not YAML"),
        ("seed=*alias", "aliases (*) are not allowed"),
        ("thresholds.publish_latency.7=p99 < 1s", "there is no [7]"),
        ("faults[1].at=2s", "faults has 0 entries, counted from [0]: there is no [1]"),
        ("producers.checkout.records.size.uniform.min=1", "is one value here"),
        ("producers.checkout.config.batch.size=64KiX", "producers.checkout.config.batch.size: "),
        ("producers.checkout.topic=order", 'did you mean "orders"?'),
        ("phases.measure=30", 'did you mean "30s"?'),
        ("thresholds.publish_latency.²=p99 < 1s", "is no metric"),
        ("producers.checkout.schedule.rate.steps.².rate=5", "²"),
        ("description=#1 question", "is cut at #"),
        ("description=ab #c", "is cut at #"),
        ("producers.checkout.config.client.id=#abc", "is cut at #"),
        ("topics.orders.={partitions: 3}", "topics.orders. ends in a point, behind which a key is missing"),
        ("producers.checkout.config.=5", "ends in a point"),
    ],
)
def test_a_wrong_override_names_itself_as_its_place(override: str, told: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        load(QUICKSTART, [override])
    assert refused.value.message.startswith(f"--set {override}: ")
    assert told in refused.value.message


def test_another_provider_sets_aside_what_the_file_asks_of_its_own() -> None:
    loaded = load(EVERY_KEY, ["cluster.provider=local"])
    assert loaded.scenario.cluster.resources == Resources(heap=2**30)
    assert loaded.scenario.cluster.network == "auto"
    assert loaded.warnings == (
        "cluster.network is set aside: provider local can't honour it",
        "cluster.resources.cpus is set aside: provider local can't honour it",
        "cluster.resources.memory is set aside: provider local can't honour it",
    )


def test_what_is_set_for_the_wrong_provider_is_an_error() -> None:
    with pytest.raises(ScenarioError, match="provider local has no use for round_trip"):
        load(QUICKSTART, ["cluster.provider=local", "cluster.round_trip=5ms"])


def test_a_cluster_is_fitted_to_the_provider_that_auto_chose() -> None:
    cluster = load(EVERY_KEY, ["cluster.provider=auto"]).scenario.cluster
    fit, warnings = fitted(cluster, "local")
    assert fit.provider == "local"
    assert fit.config == cluster.config
    assert fit.resources == Resources(heap=2**30)
    assert len(warnings) == 3


@pytest.mark.parametrize(
    "name",
    [
        "sasl.password",
        "ssl.key.password",
        "ssl.key.pem",
        "sasl.oauthbearer.client.secret",
        "ssl.keystore.password",
        "sasl.oauthbearer.config",
    ],
)
def test_secrets_leave_with_no_document_repr_origin_or_message(name: str) -> None:
    override = f"producers.checkout.config.{name}=hunter2"
    loaded = load(QUICKSTART, [override])
    assert loaded.scenario.producers["checkout"].config[name] == "hunter2"
    assert "hunter2" not in json.dumps(loaded.scenario.to_document())
    assert "hunter2" not in repr(loaded)
    with pytest.raises(ScenarioError) as refused:
        load(
            QUICKSTART,
            [override.replace("checkout", "chekout"), override.replace(".config.", ".confg."), "seed=no"],
        )
    assert "hunter2" not in refused.value.message


def test_a_document_with_mistakes_is_told_by_dotted_path() -> None:
    with pytest.raises(ScenarioError) as refused:
        load_document({"name": "x", "topics": {"orders": {"partitons": 1}}})
    assert "scenario: topics.orders.partitons: unknown key" in refused.value.message


@pytest.mark.parametrize(
    ("text", "cores"), [("0", (0,)), ("0-2", (0, 1, 2)), ("0,2-3", (0, 2, 3)), ("1,1", (1,))]
)
def test_a_list_of_cores_is_read_as_linux_does(text: str, cores: tuple[int, ...]) -> None:
    assert cpuset_cores(text) == cores


def test_what_follows_a_secret_in_a_variable_is_not_told() -> None:
    key = "producers.checkout.config.ssl.key.pem=-----BEGIN PRIVATE KEY-----\nhunter2=\nhunter2\n"
    with pytest.raises(ScenarioError) as refused:
        load(QUICKSTART, environ={"LOADLAB_SET_KEY": key})
    assert "LOADLAB_SET_KEY, line 2: begins with no key of a scenario" in refused.value.message
    assert "hunter2" not in refused.value.message


@pytest.mark.parametrize("written", ["0123456", "1.10", "1e10", "+5"])
def test_a_property_that_looks_like_a_number_stays_as_it_is_written(tmp_path: Path, written: str) -> None:
    path = tmp_path / "s.yaml"
    text = QUICKSTART.read_text(encoding="utf-8")
    path.write_text(text.replace("acks: all", f"acks: all, sasl.password: {written}"), encoding="utf-8")
    overridden = load(QUICKSTART, [f"producers.checkout.config.sasl.password={written}"])
    for loaded in (load(path), overridden):
        assert loaded.scenario.producers["checkout"].config["sasl.password"] == written


@pytest.mark.parametrize(
    ("override", "name", "value"),
    [
        ("producers.checkout.config={sasl.password: 0123456}", "sasl.password", "0123456"),
        ("producers.checkout.config={sasl.username: 0x10, acks: all}", "sasl.username", "0x10"),
        ("producers.checkout.config.sasl.password=0123456", "sasl.password", "0123456"),
    ],
)
def test_properties_that_are_set_as_a_map_stay_as_they_are_written(
    override: str, name: str, value: str
) -> None:
    assert load(QUICKSTART, [override]).scenario.producers["checkout"].config[name] == value


@pytest.mark.parametrize("text", ['description: "\\UFFFFFFFF"', 'description: "\\U00110000"'])
def test_an_escape_beyond_unicode_is_no_yaml(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(f"name: odd\n{text}\n", encoding="utf-8")

    with pytest.raises(ScenarioError, match="is not YAML: an escape"):
        load(path)


def test_plain_data_goes_to_another_provider_as_a_file_does() -> None:
    document = load(EVERY_KEY, ["cluster.provider=docker"]).scenario.to_document()
    loaded = load_document(document, ["cluster.provider=embedded"])

    assert loaded.scenario.cluster.provider == "embedded"
    assert any("is set aside: provider embedded" in warning for warning in loaded.warnings)


def test_a_secret_that_a_result_left_out_is_asked_for_again() -> None:
    config = "producers.checkout.config={sasl.password: hunter2, sasl.username: x}"
    document = load(QUICKSTART, [config]).scenario.to_document()

    with pytest.raises(ScenarioError, match=r"sasl\.password: is a secret that was left out"):
        load_document(document)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('topics: {orders: {}, "\\ud800": {}}', "half of a character"),
        ('"\\ud800": 1', "half of a character"),
        ('thresholds: {publish_latency: ["p99 < \\ud800"]}', r"\[0\]: .*\?"),
    ],
)
def test_half_of_a_character_is_refused_wherever_it_stands(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(f"name: half\n{text}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=told):
        load(path)


@pytest.mark.parametrize("override", ["topics.\udcff={}", "thresholds.\udcff=[p99]"])
def test_a_byte_of_no_character_in_an_argument_is_refused(override: str) -> None:
    with pytest.raises(ScenarioError, match="half of a character"):
        load(QUICKSTART, [override])


@pytest.mark.parametrize(("written", "read"), [('"#1 #2"', "#1 #2"), ("a#b", "a#b"), ("'#'", "#"), ("", "")])
def test_a_sign_of_comments_within_a_value_or_quotes_is_kept(written: str, read: str) -> None:
    assert load(QUICKSTART, [f"description={written}"]).scenario.description == read


def test_numbers_of_numpy_are_numbers() -> None:
    """As a loop in a notebook makes them."""
    schedule = {"rate": np.int64(500)}
    producer = {"topic": "orders", "schedule": schedule, "records": {"size": np.float64(100.0)}}
    document = {
        "name": "numbers",
        "seed": np.int64(4),
        "topics": {"orders": {"partitions": np.int32(3)}},
        "producers": {"checkout": {**producer, "config": {"batch.size": np.int64(65536)}}},
    }
    scenario = load_document(document).scenario
    assert (scenario.seed, scenario.topics["orders"].partitions) == (4, 3)
    assert scenario.producers["checkout"].schedule.rate == 500
    assert scenario.producers["checkout"].config["batch.size"] == "65536"
    assert isinstance(schedule["rate"], np.int64)
