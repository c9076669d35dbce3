import pytest
import yaml
from made_rates import RATES

from earmark.errors import UserError
from earmark.planning import read_rates, write_rates


def test_rates_are_read_as_they_were_written(tmp_path):
    write_rates(tmp_path / "rates.yaml", RATES)
    assert read_rates(tmp_path / "rates.yaml") == RATES


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"extract_x_real_time": -3}, "extract_x_real_time: input should be greater than 0"),
        ({"extract_x_real_time": "fast"}, "extract_x_real_time: .*got 'fast'"),
        ({"store_bytes_per_second": float("nan")}, "store_bytes_per_second"),
        ({"store_byte_per_second": 5}, "did you mean.*store_bytes_per_second"),
        ({"networks": {"vgg": {"train": 3, "score": 4}}}, "networks.vgg.predict is missing.*--save-rates"),
        ({"networks": {}}, "networks"),
        ({"step_seconds": {"train_modle": 3}}, "step_seconds.*'train_model'.*got 'train_modle'"),
        ({"cores": None}, "cores"),
    ],
)
def test_a_field_that_cannot_be_is_named(tmp_path, change, told):
    path = tmp_path / "rates.yaml"
    path.write_text(yaml.safe_dump({**RATES.model_dump(), **change}))
    with pytest.raises(UserError, match=told):
        read_rates(path)


@pytest.mark.parametrize(("text", "told"), [("a: [", "is not YAML"), ("- 1", "the file"), (None, "--save-rates")])
def test_a_file_that_is_none_is_refused(tmp_path, text, told):
    path = tmp_path / "rates.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=told):
        read_rates(path)
