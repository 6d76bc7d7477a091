"""The way from PyTorch to a server and to a small device, with every conversion held against the one before it.

    python -m workloads.conversion.hybrid FOLDER [--options JSON]

writes the recurrent model of PyTorch into

- `FOLDER/versions/N`: by ONNX and onnx2tf a SavedModel, whose signature is that of the servers of `workloads.serving`;
- `FOLDER/int8.tflite`: version 1 as a program of LiteRT in int8, calibrated on a stream;
- `FOLDER/joints.json`: how far each conversion answers from the one before it, and how far it may.

Where one is further, nothing is served: exit status 1, and the line that says which. Version n has the weights of
seed + n - 1.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloads import executions, frameworks, networks, sources
from workloads.conversion import litert, onnx_file, onnx_to_tensorflow, saved_model, torch_to_int8
from workloads.executions import torch_tensorflow_litert_int8 as int8
from workloads.options import between, make, one_of
from workloads.protocol.contract import Clip, Setup
from workloads.protocol.order import StreamSpec
from workloads.serving.options import CLIP, NAME, PREDICTION, STATE, ServedModel

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from workloads.conversion.outside import OutsideProgram

    Array = npt.NDArray[np.float32]

REQUIRES = {**int8.REQUIRES, **onnx_file.RUN}
JOINTS = "joints.json"
_CLIPS = 8
"""How many are compared, the state carried from one to the next."""
_WRONG = 1.01
"""What a planted wrong weight is multiplied with."""


@dataclass(frozen=True, slots=True)
class HybridOptions(ServedModel):
    """Which model is converted, and for which clips: a converted model takes those of one shape alone."""

    versions: int = 1
    """How many are made: 1, 2, …"""
    frames: int = 8
    """Of a clip."""
    height: int = 32
    """Of a frame."""
    width: int = 32
    """Of a frame."""
    wrong_after: str = ""
    """Planted: from here on one weight is wrong (torch, onnx); the next joint must be refused."""

    def __post_init__(self) -> None:
        # Without arguments, super() is not to be had in a class with slots.
        ServedModel.__post_init__(self)
        for name, low, high in (("versions", 1, 100), ("frames", 1, 1000), ("height", 8, 4096), ("width", 8, 4096)):
            between(self, name, low, high)
        one_of(self, "wrong_after", "", "torch", "onnx")


@dataclass(frozen=True, slots=True)
class Joint:
    """One conversion, held against what it was made of."""

    version: int
    source: str
    target: str
    difference: float
    """The largest of outputs and states, as a part of the largest value."""
    tolerance: float

    @property
    def fits(self) -> bool:
        """Whether it answers as it should; what is no number does not."""
        return self.difference <= self.tolerance

    def __str__(self) -> str:
        said = f"version {self.version}, {self.source} → {self.target}: differs by {self.difference:.2g}"
        return f"{said} of the largest value, tolerance {self.tolerance:g}"


class JointError(Exception):
    """A conversion that answers otherwise than what it was made of; the message names it, and by how much."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One form of a model: what it is called, how it answers, and how far it may be from the form before."""

    name: str
    program: OutsideProgram
    tolerance: float = executions.TOLERANCE


def joints(
    version: int, stages: Iterable[Stage], clips: Sequence[Array], first: Array, scale: float = 0.0
) -> Iterator[Joint]:
    """Each stage against the one before it, as soon as it is made.

    Args:
        version: of the model.
        stages: in their order.
        clips: what they are asked, as the model takes them; each carries a state of its own.
        first: the state that they start from.
        scale: of the answers, where they are smaller by chance.

    Raises:
        JointError: one is further away than it may be; nothing is made of it any more.
    """
    before: Stage | None = None
    wanted: list[Array] = []
    for stage in stages:
        answers = _answers(stage.program, clips, first)
        if before is not None:
            joint = Joint(version, before.name, stage.name, _apart(answers, wanted, scale), stage.tolerance)
            if not joint.fits:
                raise JointError(str(joint))
            yield joint
        before, wanted = stage, answers


def _answers(program: OutsideProgram, clips: Sequence[Array], state: Array) -> list[Array]:
    found: list[Array] = []
    for clip in clips:
        output, state = program(clip, state)
        found += output, state
    return found


def _apart(answers: Sequence[Array], wanted: Sequence[Array], scale: float) -> float:
    """Of all of them together, the largest value being that of all."""
    import numpy as np

    from workloads.answers import apart

    largest = float(np.max([scale, *(np.abs(right).max() for right in wanted)]))
    return float(np.max([apart(found, right, largest) for found, right in zip(answers, wanted, strict=True)]))


def convert(options: HybridOptions, folder: Path, told: Callable[[Joint], object]) -> None:
    """All of it, as the module says. told: called with each joint that fits.

    Raises:
        JointError: one does not; what was made of it is not in the folder.
    """
    found: list[Joint] = []
    for version in range(1, options.versions + 1):
        network, clips = _network(options, version), _clips(options)
        given = [network.batched(network.pictures(clip)).contiguous().numpy() for clip in clips]
        stages, first = _stages(options, network, clips, folder, version), network.first.numpy()
        for joint in joints(version, stages, given, first, _scale(options, version, clips[0])):
            found.append(joint)
            told(joint)
        (folder / JOINTS).write_text(json.dumps([dataclasses.asdict(each) for each in found], indent=2) + "\n")


def _stages(options: HybridOptions, network: Any, clips: Sequence[Any], folder: Path, version: int) -> Iterator[Stage]:
    """One form after the other, each made when it is asked for: once the one before fits."""
    shape = tuple(network.batched(network.pictures(clips[0])).shape)
    yield Stage("torch", _eager(network))
    if options.wrong_after == "torch":
        network.alter_head(lambda weights: weights * _WRONG)
    model = onnx_file.from_torch(network, shape, onnx_to_tensorflow.OPSET)
    yield Stage("onnx", onnx_file.OnnxProgram(model, options.threads))
    if options.wrong_after == "onnx":
        network.alter_head(lambda weights: weights * _WRONG)
        model = onnx_file.from_torch(network, shape, onnx_to_tensorflow.OPSET)
    plain = folder / "converted" / str(version)
    onnx_to_tensorflow.saved_model_of(model, plain)
    yield Stage("tensorflow", onnx_to_tensorflow.SavedModelProgram(plain))
    served = folder / "versions" / str(version)
    yield Stage("served", _Served(plain, served, clips[0].shape))
    if version == 1:
        exact = litert.Program(litert.from_saved_model(plain, "float32"), options.threads)
        yield Stage("litert", exact)
        examples = torch_to_int8.examples(network, _setup(options, version), clips[0].numpy(), exact)
        small = litert.from_saved_model(plain, "int8", examples)
        yield Stage("litert_int8", litert.Program(small, options.threads), int8.TOLERANCE)
        (folder / "int8.tflite").write_bytes(small)


class _Served:
    """The SavedModel as servers have it, written and loaded again: it takes clips as they come from a camera."""

    def __init__(self, plain: Path, folder: Path, shape: Sequence[int]) -> None:
        import tensorflow as tf

        loaded = tf.saved_model.load(str(plain))
        run = loaded.signatures[saved_model.SIGNATURE]
        pictures, state = (run.structured_input_signature[1][name] for name in saved_model.INPUTS)

        def predict(clip: Any, state: Any) -> dict[str, Any]:
            seen = tf.transpose(tf.cast(clip, tf.float32) / 255.0, (0, 3, 1, 2))
            answer = run(pictures=tf.reshape(seen, pictures.shape), state=state)
            return dict(zip((PREDICTION, STATE), (answer[name] for name in saved_model.OUTPUTS), strict=True))

        given = (tf.TensorSpec(tuple(shape), tf.uint8, CLIP), tf.TensorSpec(state.shape, state.dtype, STATE))
        module = tf.Module()
        module.model = loaded  # what is saved is found from here
        signature = tf.function(predict, input_signature=given)
        tf.saved_model.save(module, str(folder), {saved_model.SIGNATURE: signature})
        self._constant, self._model = tf.constant, tf.saved_model.load(str(folder))
        self._run = self._model.signatures[saved_model.SIGNATURE]

    def __call__(self, pictures: Array, state: Array) -> tuple[Array, Array]:
        """As others are asked: pictures of one lane, shape (T, channels, height, width), made a clip again."""
        import numpy as np

        clip = np.rint(np.transpose(pictures, (0, 2, 3, 1)) * 255).astype(np.uint8)
        answer = self._run(**{CLIP: self._constant(clip), STATE: self._constant(state)})
        return answer[PREDICTION].numpy(), answer[STATE].numpy()


def _eager(network: Any) -> OutsideProgram:
    import torch

    def run(pictures: Array, state: Array) -> tuple[Array, Array]:
        with torch.no_grad():
            output, after = network.model(torch.from_numpy(pictures), torch.from_numpy(state))
        return output.numpy(), after.numpy()

    return run


def _setup(options: HybridOptions, version: int) -> Setup:
    stream = {"clip_length": "set", "clip_frames": [options.frames], "height": options.height, "width": options.width}
    return Setup(NAME, "torch", "infer", "eager", options.seed + version - 1, options.channels, options.threads,
                 stream={**stream, "channels": options.channels}, source="synthetic")  # fmt: skip


def _network(options: HybridOptions, version: int) -> Any:
    return networks.load("torch").build(NAME, _setup(options, version), options.sizes(), False)


def _scale(options: HybridOptions, version: int, clip: Any) -> float:
    """Of the answers, as the weights alone give it."""
    from workloads.networks.reference import ReferenceNetwork

    network = ReferenceNetwork(NAME, options.channels, options.sizes(), _setup(options, version).seed)
    return network.known_answer(Clip(clip.numpy(), 0), 0.0).scale


def _clips(options: HybridOptions) -> list[Any]:
    """Frames of the same stream that int8 is calibrated on."""
    import torch

    setup = _setup(options, 1)
    source = sources.open_source(StreamSpec(setup.source, setup.stream), setup.seed)
    try:
        return [torch.tensor(source.next().frames) for _ in range(_CLIPS)]
    finally:
        source.close()


def main(words: Sequence[str] | None = None) -> int:
    """Convert; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m workloads.conversion.hybrid", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="where to write")
    parser.add_argument("--options", type=json.loads, default={}, help='a JSON object, such as {"seed": 2}')
    given = parser.parse_args(words)
    options = make(HybridOptions, given.options)
    for name in ("torch", "tensorflow"):
        frameworks.load(name).prepare(options.threads, options.seed)
    given.folder.mkdir(parents=True, exist_ok=True)
    try:
        convert(options, given.folder, lambda joint: print(joint, flush=True))  # noqa: T201  (a command)
    except JointError as error:
        print(f"refused: {error}", file=sys.stderr)  # noqa: T201  (a command)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
