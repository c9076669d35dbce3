"""A cluster's file: what it may say, and how what it may not say is refused."""

from pathlib import Path

import pytest

from earmark.errors import UserError
from earmark.pipelines.cluster import STAGES, Cluster, Profile, read_cluster, size_bytes

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples" / "clusters").glob("*.yaml"))


@pytest.fixture
def read(tmp_path):
    """Reads a file with the given text."""

    def read_text(text):
        path = tmp_path / "cluster.yaml"
        path.write_text(text)
        return read_cluster(path)

    return read_text


def test_both_examples_are_read_and_the_one_for_cpus_asks_for_no_gpu():
    gpus = {path.stem: [read_cluster(path).profile(stage).gpus for stage in STAGES] for path in EXAMPLES}
    assert gpus["cpu"] == [0] * len(STAGES)
    assert dict(zip(STAGES, gpus["gpu"], strict=True)) == {stage: 2 * (stage == "train") for stage in STAGES}


def test_every_field_is_in_the_documentation_with_its_default():
    page = (ROOT / "docs" / "cluster-file.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for name in (*Cluster.model_fields, *Profile.model_fields):
        [row] = [row for row in rows if f"`{name}" in row.split("|")[1]]
        default = {**Cluster.model_fields, **Profile.model_fields}[name].default
        assert not isinstance(default, str | int) or str(default) in row, row


def test_without_a_file_the_built_in_cluster_holds(monkeypatch, tmp_path):
    monkeypatch.delenv("EARMARK_CLUSTER", raising=False)
    assert read_cluster() == Cluster()
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert read_cluster(tmp_path / "empty.yaml") == Cluster()


def test_the_environment_names_a_file_and_the_option_wins(monkeypatch, tmp_path):
    (tmp_path / "a.yaml").write_text("namespace: a\n")
    (tmp_path / "b.yaml").write_text("namespace: b\n")
    monkeypatch.setenv("EARMARK_CLUSTER", str(tmp_path / "a.yaml"))
    assert read_cluster().namespace == "a"
    assert read_cluster(tmp_path / "b.yaml").namespace == "b"


def test_each_stage_has_only_its_own_keys_of_the_store():
    stores = {stage: [n for n in Cluster().profile(stage).secrets if n.startswith("earmark-store")] for stage in STAGES}
    assert stores == {
        "data": ["earmark-store-features"],
        "features": ["earmark-store-features"],
        "train": ["earmark-store-trainer"],
        "evaluate": ["earmark-store-trainer"],
        "register": ["earmark-store-exporter"],
        "notify": ["earmark-store-exporter"],
    }


def test_a_stage_says_it_or_default_does_or_it_is_built_in(read):
    cluster = read("profiles:\n  default: {cpu: 2, retries: 0}\n  data: {cpu: 300m}\n  notify:\n")
    assert [cluster.profile(stage).cpu for stage in ("data", "notify", "train")] == ["300m", "2", "2"]
    assert {cluster.profile(stage).retries for stage in STAGES} == {0}
    assert cluster.profile("train").memory == Cluster().profile("train").memory != Cluster().profile("data").memory


def test_a_secret_is_a_list_of_keys_or_says_that_it_may_be_missing(read):
    secrets = read("profiles: {train: {secrets: {a: [K, L], b: {keys: [M], optional: true}}}}").profile("train").secrets
    assert {name: (secret.keys, secret.optional) for name, secret in secrets.items()} == {
        "a": (("K", "L"), False),
        "b": (("M",), True),
    }


def test_an_alias_repeats_what_was_written_once(read):
    cluster = read("profiles:\n  train: &big {memory: 8Gi}\n  evaluate:\n    <<: *big\n    cpu: 3\n")
    assert (cluster.profile("evaluate").memory, cluster.profile("evaluate").cpu) == ("8Gi", "3")


@pytest.mark.parametrize(("size", "number"), [("64Mi", 64 * 2**20), ("2G", 2 * 10**9), ("1Ti", 2**40), ("512", 512)])
def test_sizes_in_bytes(size, number):
    assert size_bytes(size) == number


def test_an_unknown_stage_is_named_with_the_nearest():
    with pytest.raises(UserError, match="unknown stage 'trian'; did you mean 'train'"):
        Cluster().profile("trian")


TRAIN = "profiles:\n  train:\n    "


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("store: s3://a/b\nnamspace: x", 2, "unknown field 'namspace'; did you mean 'namespace'"),
        ("profiles:\n  data: {}\n  trian: {}", 3, "profiles: unknown name 'trian'; did you mean 'train'"),
        (TRAIN + "memroy: 3Gi", 3, "profiles.train: unknown field 'memroy'; did you mean 'memory'"),
        ("profiles:\n  default:\n    memory: 3 GB", 3, "profiles.default.memory: '3 GB' is no size: write it as 512Mi"),
        (TRAIN + "memory: 1.5Gi", 3, "profiles.train.memory: '1.5Gi' is no size"),
        (TRAIN + "cpu: 2 cores", 3, "profiles.train.cpu: '2 cores' is no CPU quantity: write it as 500m"),
        (TRAIN + "cpu: 0", 3, "profiles.train.cpu: '0' is no CPU quantity"),
        (TRAIN + "shm: 8Gi", 3, "profiles.train.shm: 8Gi counts in memory, which is 6Gi: make memory larger"),
        (TRAIN + "gpus: two", 3, "profiles.train.gpus: must be a valid integer"),
        (TRAIN + "gpus: -1", 3, "profiles.train.gpus: must be greater than or equal to 0 (got -1)"),
        (TRAIN + "run_as_user: 0", 3, "profiles.train.run_as_user: must be greater than or equal to 1"),
        (TRAIN + "node_selector:\n      gpu: true", 4, "profiles.train.node_selector.gpu: true must be text: put it"),
        (TRAIN + "pod_labels:\n      a b: c", 4, "profiles.train.pod_labels.a b: 'a b' is no label's key"),
        (TRAIN + "tolerations: {key: a}", 3, "profiles.train.tolerations: must be a list"),
        (TRAIN + "tolerations:\n      - key: a\n      - kye: a", 5, "unknown field 'kye'; did you mean 'key'"),
        (TRAIN + "tolerations:\n      - key: a\n        operator: Exist", 5, "operator: must be 'Equal' or 'Exists'"),
        (TRAIN + "tolerations:\n      - {key: a, operator: Exists, value: b}", 4, "Exists takes no value: leave"),
        (TRAIN + "tolerations:\n      - value: b", 4, "operator Equal needs a key"),
        (TRAIN + "secrets:\n      a: {keys: [K], optinal: true}", 4, "'optinal'; did you mean 'optional'"),
        (TRAIN + "secrets:\n      A_b: [K]", 4, "profiles.train.secrets.A_b: 'A_b' is no name"),
        (TRAIN + "cpu: 1\n    memory: 2Gi\n    cpu: 2", 5, "profiles.train.cpu: is given a second time (first"),
        ("profiles:\n  train: 3", 2, "profiles.train: must hold names and values (got 3)"),
        ("profiles: [train]", 1, "profiles: must hold names and values"),
        ("profiles: {default: 3}", 1, "profiles: default must hold fields"),
        ("profiles: &a\n  train: *a", 1, "an alias names what it stands in"),
        ("images:\n  steps: earmark", 2, "images.steps: 'earmark' names no version: write it as registry/name:tag"),
        ("images:\n  train: host:5000/train", 2, "images.train: 'host:5000/train' names no version"),
        ("store: /mnt/store", 1, "store: '/mnt/store' is no bucket: write it as s3://bucket"),
        ("deadline_hours: 0", 1, "deadline_hours: must be greater than 0"),
        ("environment:\n  A: 1", 2, "environment.A: 1 must be text: put it in quotes"),
        ("environment:\n  MLFLOW_TRACKING_TOKEN: x", 2, "MLFLOW_TRACKING_TOKEN: looks like a secret: keep"),
        ("environment:\n  EARMARK_GPUS: '2'", 2, "EARMARK_GPUS: is set from profiles.train.gpus: leave"),
        ("a: 1\nb: [", 2, "this is not YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_line_field_and_remedy(text, line, message, read, tmp_path):
    with pytest.raises(UserError) as refused:
        read(text)
    told = str(refused.value)
    assert told.startswith(f"{tmp_path / 'cluster.yaml'}, line {line}: "), told
    assert message in told


def test_a_token_in_a_file_is_no_secret(read):
    read("environment: {MLFLOW_TRACKING_TOKEN_FILE: /var/run/secrets/token}")


@pytest.mark.parametrize("text", ["- a", "text"])
def test_what_holds_no_fields_is_refused(text, read):
    with pytest.raises(UserError, match=r"cluster\.yaml must hold keys and values"):
        read(text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml: No such file"):
        read_cluster(tmp_path / "none.yaml")
