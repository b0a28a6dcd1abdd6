"""What the server refuses, in its own words.

The sentences are those of tensorflow_model_server 2.20, odd spaces included: clients must not read
them, and tests compare them.
"""

from collections.abc import Iterable

import grpc

Code = grpc.StatusCode


class Refusal(Exception):
    """A call that ends in a status other than OK."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def exhausted() -> Refusal:
    return Refusal(Code.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")


def no_model_spec() -> Refusal:
    return Refusal(Code.INVALID_ARGUMENT, "Missing ModelSpec")


def no_name() -> Refusal:
    return Refusal(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")


def no_servable(name: str, version: int | None) -> Refusal:
    request = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return Refusal(Code.NOT_FOUND, f"Servable not found for request: {request}")


def no_versions(name: str) -> Refusal:
    return Refusal(Code.NOT_FOUND, f"Could not find any versions of model {name}")


def no_version(name: str, version: int) -> Refusal:
    return Refusal(Code.NOT_FOUND, f"Could not find version {version} of model {name}")


def no_label(label: str) -> Refusal:
    return Refusal(Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}")


def label_not_available(name: str, version: int) -> Refusal:
    return Refusal(
        Code.FAILED_PRECONDITION,
        f"Request to assign label to version {version} of model {name}, "
        "which is not currently available for inference",
    )


def no_signature(name: str) -> Refusal:
    return Refusal(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')


def input_count(sent: Iterable[str], required: Iterable[str]) -> Refusal:
    got, expected = set(sent), set(required)

    def joined(names: set[str]) -> str:
        return "{" + ",".join(sorted(names)) + "}"

    return Refusal(
        Code.INVALID_ARGUMENT,
        f"input size does not match signature: {len(got)}!={len(expected)} "
        f"len({joined(got)}) != len({joined(expected)}). Sent extra: {joined(got - expected)}. "
        f"Missing but required: {joined(expected - got)}.",
    )


def unknown_input(alias: str, known: Iterable[str]) -> Refusal:
    return Refusal(
        Code.INVALID_ARGUMENT,
        f"input tensor alias not found in signature: {alias}. "
        f"Inputs expected to be in the set {{{','.join(sorted(known))}}}.",
    )


def unknown_output(alias: str, known: Iterable[str]) -> Refusal:
    return Refusal(
        Code.INVALID_ARGUMENT,
        f"output tensor alias not found in signature: {alias} "
        f"Outputs expected to be in the set {{{','.join(sorted(known))}}}.",
    )


def output_twice(alias: str) -> Refusal:
    return Refusal(Code.INVALID_ARGUMENT, f"duplicate output tensor alias: {alias}")


def unreadable_tensor(alias: str) -> Refusal:
    return Refusal(Code.INVALID_ARGUMENT, f"tensor parsing error: {alias}")


def wrong_dtype(position: int, expected: str, got: str) -> Refusal:
    return Refusal(
        Code.INVALID_ARGUMENT, f"Expects arg[{position}] to be {expected} but {got} is provided"
    )


def no_metadata_field() -> Refusal:
    return Refusal(
        Code.INVALID_ARGUMENT, "GetModelMetadataRequest must specify at least one metadata_field"
    )


def unknown_metadata_field(field: str) -> Refusal:
    return Refusal(Code.INVALID_ARGUMENT, f"Metadata field {field} is not supported")


def batch_too_large(size: int, limit: int) -> Refusal:
    return Refusal(
        Code.INVALID_ARGUMENT,
        f"Task size {size} is larger than maximum input batch size {limit}",
    )


def batch_without_inputs() -> Refusal:
    return Refusal(Code.INVALID_ARGUMENT, "Batching Run() must have at least one input tensor")


def batch_of_scalar() -> Refusal:
    return Refusal(
        Code.INVALID_ARGUMENT, "Batching Run() input tensors must have at least one dimension"
    )


def batch_uneven() -> Refusal:
    return Refusal(
        Code.INVALID_ARGUMENT, "Batching Run() input tensors must have equal 0th-dimension size"
    )


def batch_queue_full() -> Refusal:
    return Refusal(
        Code.UNAVAILABLE, "The batch scheduling queue to which this task was submitted is full"
    )


def batch_shapes_differ(tensor: str) -> Refusal:
    return Refusal(
        Code.FAILED_PRECONDITION,
        f"Tensors with name '{tensor}' from different tasks have different shapes and padding is "
        "turned off. Set pad_variable_length_inputs to true, or ensure that all tensors with the "
        "same name have equal dimensions starting with the first dim.",
    )


def batch_dtypes_differ(first: str, other: str) -> Refusal:
    return Refusal(
        Code.INVALID_ARGUMENT,
        f"Cannot concatenate tensors that have different data types. Got {first} and {other}.",
    )


def batch_output_scalar() -> Refusal:
    return Refusal(Code.FAILED_PRECONDITION, "Batched output tensor has 0 dimensions")


def batch_output_uneven() -> Refusal:
    return Refusal(
        Code.FAILED_PRECONDITION,
        "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes "
        "of the input tensors",
    )


def no_model_config_list() -> Refusal:
    return Refusal(
        Code.INVALID_ARGUMENT,
        "ServerModelConfig type not supported by HandleReloadConfigRequest. "
        "Only ModelConfigList is currently supported",
    )
