"""The whole state of a training in one file, so that it can be killed at any moment."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Variables = Sequence[Any]

_NOTES = "notes"


def save_state(path: Path, groups: Mapping[str, Variables], notes: dict[str, Any]) -> None:
    """Write variables by group, and notes that fit into JSON.

    Written beside, forced to disk, and renamed: whoever reads finds the last whole state.
    """
    arrays: dict[str, Any] = {
        f"{group}.{index}": np.asarray(variable)
        for group, variables in groups.items()
        for index, variable in enumerate(variables)
    }
    arrays[_NOTES] = np.array(json.dumps(notes))
    part = path.with_name(f".part-{path.name}")
    with part.open("wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_notes(path: Path) -> dict[str, Any]:
    """Return the notes beside a state.

    Raises:
        FileNotFoundError: there is no state.
    """
    with np.load(path, allow_pickle=False) as stored:
        notes: dict[str, Any] = json.loads(str(stored[_NOTES]))
        return notes


def restore_state(path: Path, groups: Mapping[str, Variables]) -> None:
    """Put what `save_state` wrote into the variables.

    Raises:
        FileNotFoundError: there is no state.
        ValueError: it is that of another model.
    """
    with np.load(path, allow_pickle=False) as stored:
        wanted = {f"{group}.{i}" for group, members in groups.items() for i in range(len(members))}
        if wanted != set(stored) - {_NOTES}:
            raise ValueError(f"{path} is the state of another training; start in another folder")
        for group, variables in groups.items():
            for index, variable in enumerate(variables):
                values = stored[f"{group}.{index}"]
                if values.shape != tuple(variable.shape):
                    raise ValueError(
                        f"{path} is the state of another training: {group} {index} has shape "
                        f"{values.shape}, not {tuple(variable.shape)}; start in another folder"
                    )
                variable.assign(values)
