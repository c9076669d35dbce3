"""What Hershey et al. (2017) print of their networks: the rounded sizes and Tables 2, 3 and 4. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PaperCounts:
    """A network's size as printed: rounded, at 3,087 labels."""

    title: str
    """The network's name in print."""
    weights: float
    """Elements of convolution and dense kernels."""
    multiplies: float
    """Multiplies for one 96 × 64 patch."""


PAPER: dict[str, PaperCounts] = {
    "fully_connected": PaperCounts("Fully connected", 11.2e6, 11.2e6),
    "alexnet": PaperCounts("AlexNet", 37.3e6, 767e6),
    "vgg": PaperCounts("VGG", 62e6, 2.4e9),
    "inception_v3": PaperCounts("Inception V3", 28e6, 4.7e9),
    "resnet50": PaperCounts("ResNet-50", 30e6, 1.9e9),
}


@dataclass(frozen=True)
class Table2Row:
    """A network of Table 2: 70 M videos, 3,087 labels, 100 K class-balanced evaluation videos."""

    name: str
    title: str
    steps: float
    hours: float
    auc: float
    d_prime: float
    map: float


PAPER_TABLE_2: tuple[Table2Row, ...] = (
    Table2Row("fully_connected", "Fully connected", 5e6, 35, 0.851, 1.471, 0.058),
    Table2Row("alexnet", "AlexNet", 5e6, 82, 0.894, 1.764, 0.115),
    Table2Row("vgg", "VGG", 5e6, 184, 0.911, 1.909, 0.161),
    Table2Row("inception_v3", "Inception V3", 5e6, 137, 0.918, 1.969, 0.181),
    Table2Row("resnet50", "ResNet-50", 5e6, 119, 0.916, 1.952, 0.182),
    # The paper's text says 405 h for this run, its table 356 h.
    Table2Row("resnet50", "ResNet-50, rate dropped after 13 M steps", 17e6, 356, 0.926, 2.041, 0.212),
)


@dataclass(frozen=True)
class Table3Row:
    """ResNet-50 trained on one label set, always evaluated on the 400 most frequent labels."""

    bottleneck: int | None
    trained_on: int
    auc: float | None
    d_prime: float | None
    map: float | None


PAPER_TABLE_3: tuple[Table3Row, ...] = (
    Table3Row(None, 30_871, None, None, None),
    Table3Row(None, 3_087, 0.930, 2.087, 0.381),
    Table3Row(None, 400, 0.928, 2.067, 0.376),
    Table3Row(128, 30_871, 0.925, 2.035, 0.369),
    Table3Row(128, 3_087, 0.919, 1.982, 0.347),
    Table3Row(128, 400, 0.924, 2.026, 0.365),
)


@dataclass(frozen=True)
class Table4Row:
    """ResNet-50 after 16 M steps on fewer and fewer videos."""

    videos: float
    auc: float
    d_prime: float
    map: float


PAPER_TABLE_4: tuple[Table4Row, ...] = (
    Table4Row(70e6, 0.923, 2.019, 0.206),
    Table4Row(7e6, 0.922, 2.006, 0.202),
    Table4Row(700e3, 0.921, 1.997, 0.203),
    Table4Row(70e3, 0.909, 1.883, 0.162),
    Table4Row(23e3, 0.868, 1.581, 0.118),
)


@dataclass(frozen=True)
class TransferRow:
    """A dense model on Audio Set, more than a million clips of ten seconds."""

    title: str
    auc: float
    d_prime: float
    map: float


PAPER_TRANSFER: tuple[TransferRow, ...] = (
    TransferRow("log-mel, 64 × 20 (200 ms)", 0.904, 1.846, 0.137),
    TransferRow("ResNet embedding (960 ms)", 0.959, 2.452, 0.314),
)
