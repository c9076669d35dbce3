"""TFRecord files: the wire format, and that independent readers read them."""

import crc32c as independent
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tfrecord import reader

from earmark.embeddings import records


def test_the_published_check_value():
    assert records.crc32c(b"123456789") == 0xE3069283


@given(st.binary(max_size=2000))
def test_checksums_are_those_of_an_independent_package(data):
    assert records.crc32c(data) == independent.crc32c(data)


def test_an_independent_reader_reads_ten_embeddings_bit_by_bit(tmp_path):
    embeddings_PK = np.random.default_rng(0).integers(0, 256, (10, 128)).astype(np.uint8)
    example = records.sequence_example("dog/bärk.wav", 0.0, 9.6, [0, 74, 526], embeddings_PK)
    path = tmp_path / "one.tfrecord"
    path.write_bytes(records.record(example) + records.record(example))
    kinds = {"video_id": "byte", "start_time_seconds": "float", "end_time_seconds": "float", "labels": "int"}
    read = list(reader.sequence_loader(str(path), None, kinds, {"audio_embedding": "byte"}))
    assert len(read) == 2
    context, features = read[1]
    assert bytes(context["video_id"]).decode() == "dog/bärk.wav"
    assert np.allclose([context["start_time_seconds"][0], context["end_time_seconds"][0]], [0.0, 9.6])
    assert context["labels"].tolist() == [0, 74, 526]
    found_PK = np.stack([np.frombuffer(bytes(value), np.uint8) for value in features["audio_embedding"]])
    assert np.array_equal(found_PK, embeddings_PK)


def test_every_record_has_the_masked_checksums_of_its_length_and_its_data(tmp_path):
    data = records.record(b"any bytes")
    length, data_crc = data[:8], int.from_bytes(data[-4:], "little")
    for payload, stored in ((length, int.from_bytes(data[8:12], "little")), (b"any bytes", data_crc)):
        crc = independent.crc32c(payload)
        assert stored == ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32
