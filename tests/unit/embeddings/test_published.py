"""Published TFRecords read back: what our writer wrote, checksums, what is cut or altered."""

import crc32c as independent
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.embeddings.published import checksums, read_examples
from earmark.embeddings.records import record, sequence_example
from earmark.errors import UserError

RANDOM = np.random.default_rng(0)
CLIPS = [
    ("--4gqARaEJE", 0.0, 10.0, [0, 74, 526], RANDOM.integers(0, 256, (10, 128)).astype(np.uint8)),
    ("ünï", 30.5, 32.0, [3], RANDOM.integers(0, 256, (2, 128)).astype(np.uint8)),
    ("none", 0.0, 0.0, [], np.empty((0, 128), np.uint8)),
]
RECORDS = [record(sequence_example(*clip)) for clip in CLIPS]
FILE = b"".join(RECORDS)


def test_clips_come_back_bit_by_bit():
    found = read_examples(FILE, "f")
    for example, (video_id, start_s, end_s, labels, embeddings_PK) in zip(found, CLIPS, strict=True):
        assert (example.video_id, example.start_s, example.end_s) == (video_id, start_s, end_s)
        assert list(example.labels) == labels
        assert np.array_equal(example.embeddings_PK.reshape(-1, 128), embeddings_PK)
    assert [example.at for example in found] == [0, len(RECORDS[0]), len(RECORDS[0] + RECORDS[1])]


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_checksums_of_many_blocks_are_those_of_each(blocks):
    assert checksums(blocks).tolist() == [independent.crc32c(block) for block in blocks]


@pytest.mark.parametrize(
    ("at", "told"),
    [(3, "checksum of a record's length"), (200, "checksum of a record differs"), (len(RECORDS[0]) - 2, "differs")],
)
def test_an_altered_byte_is_found_with_its_record(at, told):
    data = bytearray(RECORDS[1] + FILE)
    data[len(RECORDS[1]) + at] ^= 1
    with pytest.raises(UserError, match=rf"a\.tfrecord, byte {len(RECORDS[1])}: .*{told}"):
        read_examples(bytes(data), "a.tfrecord")


@pytest.mark.parametrize("left", [5, 13, 300])
def test_a_file_that_is_cut_off_is_found(left):
    with pytest.raises(UserError, match=rf"byte {len(RECORDS[0])}: the file ends within a record"):
        read_examples((RECORDS[0] + RECORDS[1])[: len(RECORDS[0]) + left], "a.tfrecord")


def test_a_record_of_something_else_is_refused():
    with pytest.raises(UserError, match=r"byte 0: the record is no clip"):
        read_examples(record(b"\x0a\x03abc"), "a.tfrecord")
