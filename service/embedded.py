"""The embedded backend: SavedModels in this process, each in a TensorFlow Session.

The only module of the gateway that touches TensorFlow, and only when it is asked to start.
"""

import asyncio
import gc
import importlib.util
import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from service.backend import Arrays, Call, SignatureSpec, TensorSpec, VersionStatus
from service.errors import (
    BatchRejected,
    InternalError,
    UnknownLabel,
    UnknownModel,
    UnknownVersion,
)
from service.memory import trim

_VERSION_FOLDER = re.compile(r"[1-9][0-9]{0,18}")


class EmbeddedBackend:
    """Runs the SavedModels below a folder, laid out as `<servable>/<version>/`.

    Each servable has one thread of its own, so that a large warp does not hold up a prediction.
    Labels are read from `<servable>/labels.json`, an object from label to version number.

    Args:
        folder: where the servables are.
        servables: the ones to load.
    """

    name = "embedded"
    is_remote = False
    # One thread computes for each servable; a second call would only wait behind the first.
    max_predict_calls = 1
    max_warp_calls = 1

    def __init__(self, folder: Path, servables: Sequence[str]) -> None:
        self._folder = folder
        self._models: dict[str, dict[int, _LoadedModel]] = {name: {} for name in servables}
        self._labels: dict[str, Mapping[str, int]] = {}
        self._threads = {name: ThreadPoolExecutor(1, f"model-{name}") for name in servables}

    async def start(self) -> None:
        """Load every version of every servable.

        Raises:
            InternalError: TensorFlow is not installed, or a folder holds no version.
        """
        loop = asyncio.get_running_loop()
        for servable in self._models:
            await loop.run_in_executor(self._threads[servable], self._load, servable)
        # TensorFlow's heap is large and permanent: walking it costs up to 200 ms a collection.
        gc.collect()
        gc.freeze()
        trim()

    async def close(self) -> None:
        """Stop the threads and close the sessions; calls not begun are dropped."""
        for thread in self._threads.values():
            thread.shutdown(wait=True, cancel_futures=True)
        for versions in self._models.values():
            for model in versions.values():
                model.close()

    async def versions(self, servable: str) -> Sequence[VersionStatus]:
        """Return the loaded versions; all of them are AVAILABLE."""
        labels = self._labels.get(servable, {})
        return [
            VersionStatus(version, "AVAILABLE", tuple(n for n, v in labels.items() if v == version))
            for version in sorted(self._servable(servable))
        ]

    async def resolve(self, servable: str, label: str) -> int:
        """Return the version that a label points to."""
        labels = self._labels.get(servable, {})
        if label not in labels:
            known = ", ".join(sorted(labels)) or "none"
            raise UnknownLabel(f"{servable} has no such label; it has {known}")
        return labels[label]

    async def signatures(self, servable: str, version: int) -> Mapping[str, SignatureSpec]:
        """Return the signatures of a loaded version."""
        return self._model(servable, version).signatures

    async def run(self, call: Call, deadline: float) -> Arrays:
        """Run a signature on the servable's thread. The deadline is the caller's to watch."""
        model = self._model(call.servable, call.version)
        thread = self._threads[call.servable]
        return await asyncio.get_running_loop().run_in_executor(thread, partial(model.run, call))

    def _load(self, servable: str) -> None:
        with _quiet_stderr():
            self._load_versions(servable)

    def _load_versions(self, servable: str) -> None:
        tf = _import_tensorflow()  # without it, no folder would help
        folder = self._folder / servable
        versions = [f for f in _subfolders(folder) if _VERSION_FOLDER.fullmatch(f.name)]
        if not versions:
            raise InternalError(
                f"{folder} holds no version of the model. Expected folders named 1, 2, ... with a "
                "SavedModel in each, as `stn-model export` writes them; --models names the folder "
                f"above {servable}."
            )
        for version in versions:
            self._models[servable][int(version.name)] = _load_model(tf, version)
        labels = folder / "labels.json"
        self._labels[servable] = json.loads(labels.read_text()) if labels.is_file() else {}

    def _servable(self, servable: str) -> "dict[int, _LoadedModel]":
        if servable not in self._models:
            raise UnknownModel(
                f"there is no model {servable!r}; there is {', '.join(self._models)}"
            )
        return self._models[servable]

    def _model(self, servable: str, version: int) -> "_LoadedModel":
        versions = self._servable(servable)
        if version not in versions:
            raise UnknownVersion(f"{servable} has no version {version}; it has {sorted(versions)}")
        return versions[version]


def _load_model(tf: SimpleNamespace, folder: Path) -> "_LoadedModel":
    try:
        return _LoadedModel(tf, folder)
    except InternalError:
        raise
    except Exception as error:  # TensorFlow raises many kinds
        raise InternalError(f"{folder} cannot be loaded as a SavedModel: {error}") from error


class _LoadedModel:
    """One SavedModel in a Session with one thread, its signatures as callables."""

    def __init__(self, tf: SimpleNamespace, folder: Path) -> None:
        graph = tf.ops.Graph()
        with graph.as_default():
            # Below zero: in the thread that calls. All sessions of a process share the threads that
            # there are otherwise, and a large warp would hold up every prediction.
            config = tf.config.ConfigProto(
                intra_op_parallelism_threads=1, inter_op_parallelism_threads=-1
            )
            # Optimising these graphs doubles the cost of each first call, and gains nothing.
            config.graph_options.rewrite_options.disable_meta_optimizer = True
            self._session = tf.session.Session(graph=graph, config=config)
            meta_graph = tf.loader.SavedModelLoader(str(folder)).load(self._session, ["serve"])
        self._callable_options = tf.config.CallableOptions
        self._errors = tf.errors.OpError
        self._definitions = meta_graph.signature_def
        self._callables: dict[tuple[str, tuple[str, ...]], Callable[..., list[Any]]] = {}
        self.signatures = {
            name: SignatureSpec(
                inputs=_tensor_specs(tf, definition.inputs),
                outputs=_tensor_specs(tf, definition.outputs),
            )
            for name, definition in self._definitions.items()
            if not name.startswith("__")
        }

    def run(self, call: Call) -> Arrays:
        try:
            function = self._callable(call.signature, tuple(call.outputs))
            inputs = self.signatures[call.signature].inputs
            values = function(*(call.inputs[name] for name in inputs))
        except KeyError as error:
            raise InternalError(f"the model has no {error} as the gateway asked for") from error
        except self._errors as error:
            raise BatchRejected("the model refused this input") from error
        return dict(zip(call.outputs, (np.asarray(value) for value in values), strict=True))

    def close(self) -> None:
        self._session.close()

    def _callable(self, signature: str, outputs: tuple[str, ...]) -> Callable[..., list[Any]]:
        key = (signature, outputs)
        if key not in self._callables:
            definition = self._definitions[signature]
            inputs = self.signatures[signature].inputs
            options = self._callable_options(
                feed=[definition.inputs[name].name for name in inputs],
                fetch=[definition.outputs[name].name for name in outputs],
            )
            # Underscored, but the way past Session.run's Python, which costs 0.3 ms a call.
            self._callables[key] = self._session._make_callable_from_options(options)
            # Optimising a graph leaves much behind.
            trim()
        return self._callables[key]


def _tensor_specs(tf: Any, tensors: Mapping[str, Any]) -> dict[str, TensorSpec]:
    return {
        name: TensorSpec(
            dtype=tf.dtypes.as_dtype(info.dtype).name,
            shape=tuple(dimension.size for dimension in info.tensor_shape.dim),
        )
        for name, info in sorted(tensors.items())
    }


def _subfolders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Hold back what TensorFlow's C++ prints while it loads, and show it only when that fails.

    Its lines about oneDNN and missing GPUs heed no log level, and bury what people should read.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held_back:
        stderr = os.dup(2)
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        except BaseException:
            held_back.seek(0)
            os.write(stderr, held_back.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def _import_tensorflow() -> SimpleNamespace:
    """Import what runs a SavedModel: a fifth of TensorFlow's modules, a third of its start.

    `import tensorflow` brings Keras, matplotlib and SciPy along: 170 MB and seconds of CPU time
    that no SavedModel needs. While the modules that one does need are imported, their package
    stands in `sys.modules` without its contents; whoever imports TensorFlow afterwards gets all of
    it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    found = importlib.util.find_spec("tensorflow") if "tensorflow" not in sys.modules else None
    try:
        if found is not None:
            sys.modules["tensorflow"] = importlib.util.module_from_spec(found)
        from tensorflow.core.protobuf import config_pb2
        from tensorflow.python.client import session
        from tensorflow.python.framework import dtypes, errors, ops
        from tensorflow.python.saved_model import loader_impl
    except ImportError as error:
        raise InternalError(
            "without a model server the models run in this process, which needs TensorFlow, and it "
            "is not installed. Name a server (--model-server host:port, or STN_MODEL_SERVER), or "
            "install it: pip install 'stn-serving[tensorflow]'"
        ) from error
    finally:
        if found is not None:
            del sys.modules["tensorflow"]
    return SimpleNamespace(
        config=config_pb2,
        dtypes=dtypes,
        errors=errors,
        loader=loader_impl,
        ops=ops,
        session=session,
    )
