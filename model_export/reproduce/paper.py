"""What the paper reports: test errors in per cent."""

_COLUMNS = ("R", "RTS", "P", "E")
_TABLE: dict[str, tuple[float, float, float, float]] = {
    "fcn": (2.1, 5.2, 3.1, 3.2),
    "cnn": (1.2, 0.8, 1.5, 1.4),
    "st-fcn-affine": (1.2, 0.8, 1.5, 2.7),
    "st-fcn-projective": (1.3, 0.9, 1.4, 2.6),
    "st-fcn-tps": (1.1, 0.8, 1.4, 2.4),
    "st-cnn-affine": (0.7, 0.5, 0.8, 1.2),
    "st-cnn-projective": (0.8, 0.6, 0.8, 1.3),
    "st-cnn-tps": (0.7, 0.5, 0.8, 1.1),
}

# Jaderberg et al. (2015), table 1 and, for TC, appendix A.1.
PAPER: dict[str, float] = {
    f"{experiment}:{network}": error
    for network, errors in _TABLE.items()
    for experiment, error in zip(_COLUMNS, errors, strict=True)
} | {"TC:fcn": 13.2, "TC:cnn": 3.5, "TC:st-fcn-affine": 2.0, "TC:st-cnn-affine": 1.7}
