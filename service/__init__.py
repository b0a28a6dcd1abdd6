"""The gateway: bytes in, answers out. It carries no TensorFlow."""
