from earmark.tracking import RunContext, flat


def test_a_context_survives_its_travel():
    context = RunContext("compare-1f3a9c2e", "compare", "birds")
    assert RunContext.from_json(context.to_json()) == context


def test_a_nested_config_becomes_dotted_parameters():
    assert flat({"seed": 0, "train": {"steps": 3, "mask": {"bands": [1, 2]}}}) == {
        "seed": 0,
        "train.steps": 3,
        "train.mask.bands": [1, 2],
    }
