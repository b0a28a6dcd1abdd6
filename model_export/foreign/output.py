"""What the output of a Keras classifier is: probabilities, or logits."""

from typing import Any, Literal, get_args

import keras

OutputKind = Literal["logits", "probabilities"]
KINDS: tuple[OutputKind, ...] = get_args(OutputKind)

# The softmax of logarithms of probabilities gives these back, so that they serve as logits.
_ACTIVATIONS: dict[str, OutputKind] = {
    "softmax": "probabilities",
    "linear": "logits",
    "log_softmax": "logits",
}


def output_kind(model: keras.Model, said: OutputKind | None = None) -> OutputKind:
    """Tell whether a model gives logits or probabilities, from its last activation.

    Args:
        model: functional or Sequential.
        said: what its owner says that it gives. Needed where the end of the model does not show
            it: a layer or an operation without `activation`.

    Raises:
        ValueError: it gives neither, or it cannot be told, or what is said is not so.
    """
    output = model.outputs[0] if isinstance(model, keras.Sequential) else model.output
    name, tensor = chosen_output(output)
    shown = _shown_kind(tensor)
    claims = {kind for kind in (name, said, shown) if kind is not None}
    if not claims:
        raise ValueError(
            "the end of the model does not show whether it gives logits or probabilities; say it "
            "with --output logits or --output probabilities"
        )
    if len(claims) > 1:
        raise ValueError(
            f"is it logits or probabilities? The model's output is named {name or 'nothing'}, "
            f"--output says {said or 'nothing'}, and the last activation is one for "
            f"{shown or 'neither'}"
        )
    kind: OutputKind = claims.pop()
    return kind


def chosen_output(output: Any) -> tuple[OutputKind | None, Any]:
    """Return a model's one output, from whatever it gives, and which kind its name says it is.

    Args:
        output: tensor, a list of one, or a dictionary with `logits` or `probabilities`.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(output, dict):
        for kind in KINDS:
            if kind in output:
                return kind, output[kind]
        raise ValueError(
            f"the model must give 'logits' or 'probabilities'; it gives {', '.join(output)}"
        )
    if isinstance(output, (list, tuple)):
        if len(output) != 1:
            raise ValueError(
                f"the model gives {len(output)} outputs without names; it must give one, or a "
                "dictionary with 'logits' or 'probabilities'"
            )
        return None, output[0]
    return None, output


def _shown_kind(tensor: Any) -> OutputKind | None:
    """What the operation that makes a symbolic tensor says of it; None when it says nothing."""
    operation, _, index = tensor._keras_history
    if isinstance(operation, keras.Model):
        # A subclassed one has no outputs to look at.
        outputs = getattr(operation, "outputs", None)
        return _shown_kind(outputs[index]) if outputs else None
    if isinstance(operation, keras.layers.Softmax):
        return "probabilities"
    activation = getattr(operation, "activation", None)
    if activation is None:
        return None
    name = getattr(activation, "__name__", type(activation).__name__)
    if isinstance(operation, keras.layers.Activation) and name == "linear":
        # Such a layer casts what a model of mixed precision gives, and leaves it as it is.
        return _shown_kind(operation.input)
    if name not in _ACTIVATIONS:
        raise ValueError(
            f"the model ends in {operation.name!r} with activation {name}; what is served is one "
            "distribution over the classes, so that it must end in softmax, or in logits (linear)"
        )
    return _ACTIVATIONS[name]
