"""Model: an exported network together with what it says about itself."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from vitruvian.core.errors import WeightsError
from vitruvian.core.protocols import Backend
from vitruvian.runtime.backends import Precision, open_network
from vitruvian.systems.metadata import Metadata, read_metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A network that is ready to run, and what it is.

    Attributes:
        metadata: Input size, crop rule, codec, skeleton, test-time procedure.
        backend: Runs the network.
        sha256: Of the file it came from; "" for a network in memory.
    """

    metadata: Metadata
    backend: Backend
    sha256: str = ""

    def __post_init__(self) -> None:
        """Run once: that warms the runtime up and proves that outputs and codec agree.

        Raises:
            WeightsError: They do not.
        """
        height, width = self.metadata.size
        try:
            nobody = {
                name: np.full((1, *shape), np.nan, np.float32)
                for name, shape in self.metadata.given.items()
            }
            outputs = self.backend(np.zeros((1, height, width, 3), np.uint8), **nobody)
        except Exception as error:  # every runtime has exceptions of its own
            raise WeightsError(
                f"model {self.metadata.name!r} does not run on uint8 (B, {height}, {width}, 3), "
                f"which its metadata announce: {str(error).strip().splitlines()[0]}"
            ) from error
        given = {name: value.shape for name, value in outputs.items()}
        for field in self.metadata.codec.fields:
            cells = field.cells(self.metadata.size) if field.stride or field.axis else ()
            wanted = (1, field.channels, *cells)
            if given.get(field.name, ())[: len(wanted)] != wanted:
                raise WeightsError(
                    f"model {self.metadata.name!r}: its codec needs output {field.name!r} of shape "
                    f"{wanted}, the network gives {given}; export it again"
                )

    def chances(self, scores: Float32[np.ndarray, "N K"]) -> Float32[np.ndarray, "N K"]:
        """Keypoint scores of the codec as the model's calibration reads them, N K in [0, 1]."""
        calibration = self.metadata.calibration
        return scores if calibration is None else calibration(scores)


def load_model(
    data: bytes,
    name: str,
    *,
    backend: str = "openvino",
    device: str = "cpu",
    threads: int = 0,
    precision: Precision = "auto",
    metadata: Metadata | None = None,
) -> Model:
    """Model from the bytes of an ONNX file.

    Args:
        data: The file's bytes.
        name: What errors call it.
        backend: See :func:`open_network`, also for the rest.
        device: What runs the network.
        threads: Processor threads; 0 leaves it to the backend.
        precision: Arithmetic that may be used.
        metadata: What it is to say of itself; None is what the file says.

    Raises:
        WeightsError: It is not a model that this package exported, or it is corrupt.
        ConfigError: The backend or the device does not exist.
        MissingExtra: The backend is not installed.
    """
    metadata = metadata or read_metadata(data, name)
    network = open_network(
        data, backend=backend, device=device, threads=threads, precision=precision
    )
    return Model(metadata=metadata, backend=network, sha256=hashlib.sha256(data).hexdigest())


def read_model_file(path: str | Path) -> bytes:
    """The bytes of a model file.

    Raises:
        WeightsError: It cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot read model {path}: {error.strerror or error}") from error
