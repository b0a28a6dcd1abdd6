"""What runs where: stock ops in what is exported, compiled ops in training, one answer."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from stn import SpatialTransformer, get_transform, warp
from tests.stn.test_core import random_theta
from tests.stn.test_transforms import NAMES, thetas

SPECS = [tf.TensorSpec([None, 12, 10, 1]), tf.TensorSpec([None, 6])]


def _ops(concrete: tf.types.experimental.ConcreteFunction) -> tuple[set[str], bool]:
    """Names of all ops in a graph and its functions, and whether any must be compiled."""
    definition = concrete.graph.as_graph_def()
    nodes = list(definition.node)
    compiled = any(node.attr["_XlaMustCompile"].b for node in nodes)
    for function in definition.library.function:
        nodes.extend(function.node_def)
        compiled |= function.attr["_XlaMustCompile"].b
        compiled |= any(node.attr["_XlaMustCompile"].b for node in function.node_def)
    return {node.op for node in nodes}, compiled


@pytest.mark.parametrize("name", NAMES)
def test_a_graph_for_serving_forces_no_compilation(name: str) -> None:
    """An unmodified TensorFlow Serving refuses what must be compiled."""
    parameters = get_transform(name).num_parameters
    function = tf.function(lambda i, t: warp(i, t, name, (6, 7)), autograph=False)

    ops, compiled = _ops(
        function.get_concrete_function(SPECS[0], tf.TensorSpec([None, parameters]))
    )

    assert not compiled
    assert ("ImageProjectiveTransformV3" in ops) == get_transform(name).has_matrix - (
        name == "attention"
    )
    assert ("CropAndResize" in ops) == (name == "attention")


def test_a_training_graph_is_compiled() -> None:
    """With `training`, the warp is one function that XLA compiles."""
    function = tf.function(lambda i, t: warp(i, t, training=True), autograph=False)

    _, compiled = _ops(function.get_concrete_function(*SPECS))

    assert compiled


def test_gradients_in_a_graph_are_compiled_and_only_those_asked_for() -> None:
    """With theta alone wanted, nothing leads to the gradient of the image, so it never runs."""

    @tf.function(autograph=False)
    def to_theta(image: tf.Tensor, theta: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(theta)
            warped = warp(image, theta, training=True)
        return tape.gradient(warped, theta)

    graph = to_theta.get_concrete_function(*SPECS).graph
    needed, waiting = set(), [tensor.op for tensor in graph.outputs]
    while waiting:
        op = waiting.pop()
        if op not in needed:
            needed.add(op)
            waiting.extend([tensor.op for tensor in op.inputs] + list(op.control_inputs))
    calls = {op.get_attr("f").name: op.type for op in needed if "Call" in op.type}

    assert any("to_theta" in name for name in calls)
    assert not any("to_image" in name for name in calls)
    # A stateful call would run whether it is needed or not.
    assert "StatefulPartitionedCall" not in calls.values()


def test_the_portable_backend_needs_no_image_kernel() -> None:
    """For TensorFlow Lite, whose builtin ops lack them."""
    function = tf.function(lambda i, t: warp(i, t, backend="gather"), autograph=False)

    ops, compiled = _ops(function.get_concrete_function(*SPECS))

    assert not compiled
    assert not {"ImageProjectiveTransformV3", "CropAndResize"} & ops


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("padding", ["zeros", "border"])
def test_all_backends_agree(name: str, padding: Any, rng: np.random.Generator) -> None:
    """Within float rounding, on thetas that look inside, across the border and outside."""
    image = rng.random((5, 9, 12, 3)).astype(np.float32)
    theta = thetas(name, rng, 5, 0.4).astype(np.float32)
    backends: list[Any] = ["gather", "auto", "xla"] if padding == "zeros" else ["gather", "auto"]

    results = [warp(image, theta, name, (6, 5), padding=padding, backend=b) for b in backends]

    for other in results[1:]:
        np.testing.assert_allclose(other, results[0], atol=1e-4)


@pytest.mark.parametrize("zoom", [1.0, 0.45, 1.7, 0.2])
@pytest.mark.parametrize("backend", ["gather", "xla"])
def test_gradient_to_the_image_is_the_adjoint_in_each_form(
    backend: Any, zoom: float, rng: np.random.Generator
) -> None:
    """The gathers that replace a scatter are exact while they suffice, and replaced beyond."""
    image = rng.normal(size=(3, 10, 8, 2)).astype(np.float32)
    upstream = rng.normal(size=(3, 9, 11, 2)).astype(np.float32)
    theta = (random_theta(rng, 3, 0.2) * zoom).astype(np.float32)

    tensor = tf.constant(image)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        warped = warp(tensor, theta, output_size=(9, 11), backend=backend)
    gradient = tape.gradient(warped, tensor, output_gradients=tf.constant(upstream))

    forward = np.vdot(warped.numpy(), upstream)
    scale = np.linalg.norm(warped) * np.linalg.norm(upstream)
    assert abs(np.vdot(image, gradient.numpy()) - forward) < 1e-5 * scale


@pytest.mark.parametrize("name", ["affine", "attention", "projective", "tps"])
def test_compiled_gradients_are_the_portable_ones(name: str, rng: np.random.Generator) -> None:
    """To theta and to the image, each element, for equal sizes."""
    image = tf.constant(rng.normal(size=(4, 8, 9, 2)), tf.float32)
    upstream = tf.constant(rng.normal(size=(4, 8, 9, 2)), tf.float32)
    theta = tf.constant(thetas(name, rng, 4, 0.1), tf.float32)
    gradients = []
    for backend in ("gather", "xla"):
        with tf.GradientTape() as tape:
            tape.watch([image, theta])
            warped = warp(image, theta, name, backend=backend)
        gradients.append(tape.gradient(warped, [image, theta], output_gradients=upstream))

    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-3)


def test_an_exported_layer_answers_in_a_session_as_it_did(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    """Through the loader that TensorFlow Serving uses, at a batch size it was not traced with."""
    images = keras.Input((14, 12, 1))
    model = keras.Model(images, SpatialTransformer(output_size=(6, 7), name="st")(images))
    for weight in model.trainable_variables:
        weight.assign(rng.normal(0, 0.2, weight.shape))
    batch = rng.random((3, 14, 12, 1)).astype(np.float32)
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serve", lambda x: model(x, training=False), [tf.TensorSpec([None, 14, 12, 1])]
    )
    archive.write_out(str(tmp_path / "saved"), verbose=False)

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path / "saved"))
        signature = loaded.signature_def["serve"]
        (inputs,), (outputs,) = signature.inputs.values(), signature.outputs.values()
        served = session.run(outputs.name, {inputs.name: batch})

    np.testing.assert_allclose(served, model(batch), atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning")
def test_the_portable_backend_converts_to_builtin_tflite_ops(rng: np.random.Generator) -> None:
    """And answers the same there."""
    function = tf.function(
        lambda i, t: warp(i, t, backend="gather"),
        autograph=False,
        input_signature=[tf.TensorSpec([1, 9, 8, 1]), tf.TensorSpec([1, 6])],
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    image, theta = rng.random((1, 9, 8, 1)).astype(np.float32), random_theta(rng, 1, 0.2)
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], image if detail["shape"].size == 4 else theta)
    interpreter.invoke()

    answer = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    np.testing.assert_allclose(answer, function(image, theta), atol=1e-5)
