"""The Open Inference Protocol v2 over REST, with the binary tensor extension.

KServe, Triton and MLServer speak it, and so do their clients. Everything between the route and the
model is pure: bytes to tensors, tensors to bytes. docs/protocol.md says what is supported.

Source: https://github.com/kserve/open-inference-protocol, and Triton's extensions to it.
"""
