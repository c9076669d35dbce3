from earmark.registry.card import MAX_CHARACTERS, model_card

NETWORK = {"architecture": "vgg", "width": 0.25, "steps": 600, "weights": 1234567, "multiplies": 7654321}
NETWORK |= {"run": "compare-1", "code_version": "0.1.0", "confidence": 0.95}
DATASET = {"digest": "d" * 32, "data": "/clips", "clips": {"train": 60, "test": 40}}


def card(labels, test):
    return model_card("esc10", NETWORK, labels, DATASET, {"test": test}, 40)


def test_a_score_that_is_not_defined_is_a_dash():
    text = card(["dog"], {"map": 0.5, "map_low": 0.25, "map_high": 0.75, "accuracy": None})
    assert "| mAP | 0.500 (0.250 to 0.750) |" in text
    assert "| 1-best accuracy | – |" in text
    assert "Intervals cover 95%" in text


def test_many_labels_fit_into_a_description():
    text = card([f"a label of some length, number {n}" for n in range(3087)], {})
    assert "and 3047 more, named in model.json" in text
    assert "## Limits" in text
    assert len(text) < MAX_CHARACTERS


def test_the_card_says_what_scores_are_worth_as_probabilities():
    fitted = {"method": "temperature", "clips": 20, "log_losses": {"none": 0.5, "temperature": 0.25}}
    text = model_card("esc10", NETWORK, ["dog"], DATASET, {"test": {}}, 40, fitted)
    assert "one temperature for all labels (log loss 0.250 instead of 0.500, cross-validated)" in text
    assert "no probabilities" in card(["dog"], {})
    as_they_are = model_card("esc10", NETWORK, ["dog"], DATASET, {"test": {}}, 40, {**fitted, "method": "none"})
    assert "Scores are used as they are" in as_they_are
