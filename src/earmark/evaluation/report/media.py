"""Pictures and sounds as data URIs, so that the report is one file."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import numpy as np
import numpy.typing as npt

SAMPLE_RATE_HZ = 16_000
# Anchors of matplotlib's magma, evenly spaced: dark is silence, and it stays readable in grey.
MAGMA = (
    (0, 0, 4),
    (20, 14, 54),
    (59, 15, 112),
    (100, 26, 128),
    (140, 41, 129),
    (183, 55, 121),
    (222, 73, 104),
    (247, 112, 92),
    (254, 159, 109),
    (254, 207, 146),
    (252, 253, 191),
)


def log_mel_png(shades_TF: npt.NDArray[np.uint8]) -> str:
    """A PNG data URI of log-mel frames (T frames × F bands, 0 to 255): time to the right, high bands on top."""
    image = np.ascontiguousarray(shades_TF.T[::-1])
    height, width = image.shape
    anchors = np.linspace(0, 255, len(MAGMA))
    palette = np.stack([np.interp(np.arange(256), anchors, channel) for channel in np.array(MAGMA).T], axis=1)
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", palette.round().astype(np.uint8).tobytes()),
            _chunk(b"IDAT", zlib.compress(rows, 9)),
            _chunk(b"IEND", b""),
        )
    )
    return _uri("image/png", png)


def mp3(samples_N: npt.NDArray[np.float32]) -> str:
    """An MP3 data URI of mono sound at 16 kHz, quiet clips raised to full scale by at most 20 dB."""
    import soundfile

    peak = float(np.abs(samples_N).max(initial=0.0))
    gain = min(10.0, 0.9 / peak) if peak > 0 else 1.0
    file = io.BytesIO()
    soundfile.write(file, samples_N * gain, SAMPLE_RATE_HZ, format="MP3", compression_level=0.6)
    return _uri("audio/mpeg", file.getvalue())


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
