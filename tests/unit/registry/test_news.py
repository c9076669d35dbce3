import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from earmark.registry.news import News, news_of


def table(clips):
    """``{id: (key, labels)}`` as a table."""
    return pa.table(
        {
            "clip_id": pa.array(list(clips), pa.string()),
            "clip_key": pa.array([key for key, _ in clips.values()], pa.string()),
            "labels": pa.array([sorted(labels) for _, labels in clips.values()], pa.list_(pa.string())),
        }
    )


def news(before, after):
    return news_of(table(before), table(after))


BEFORE = {"a.wav": ("1", ["dog"]), "b.wav": ("2", ["rain"]), "c.wav": ("3", ["siren", "dog"])}


def test_the_same_clips_are_no_news():
    found = news(BEFORE, dict(reversed(BEFORE.items())))
    assert not found
    assert found.told() == "nothing new"


def test_each_kind_is_told_apart():
    after = {"a.wav": ("9", ["dog"]), "b.wav": ("2", ["dog"]), "d.wav": ("4", ["rain"])}
    found = news(BEFORE, after)
    assert found == News(new=("d.wav",), changed=("a.wav",), removed=("c.wav",), relabelled=("b.wav",))
    assert found.told() == "1 new, 1 changed, 1 removed, 1 relabelled"


def test_a_clip_that_was_renamed_is_no_news():
    assert not news(BEFORE, {**{k: v for k, v in BEFORE.items() if k != "a.wav"}, "z.wav": BEFORE["a.wav"]})


def test_the_order_of_labels_means_nothing():
    assert not news(BEFORE, {**BEFORE, "c.wav": ("3", ["dog", "siren"])})


def test_a_file_that_is_missing_is_one_that_is_not_there():
    assert news(BEFORE, {**BEFORE, "a.wav": ("", ["dog"])}).removed == ("a.wav",)
    assert not news({**BEFORE, "gone.wav": ("", ["dog"])}, {**BEFORE, "gone.wav": ("", ["dog"])})


CLIPS = st.dictionaries(
    st.sampled_from("abcdef"),
    st.tuples(st.sampled_from(["", *"123456"]), st.lists(st.sampled_from(["x", "y"]), min_size=1, unique=True)),
)


@given(CLIPS, CLIPS)
def test_there_is_news_where_sounds_or_their_labels_differ(before, after):
    sounds = [{(key, frozenset(labels)) for key, labels in clips.values() if key} for clips in (before, after)]
    found = news(before, after)
    assert not news(before, before)
    if sounds[0] != sounds[1] and len({key for key, _ in sounds[0] | sounds[1]}) == len(sounds[0] | sounds[1]):
        assert found
