"""How tests steer the double: calls of its own on the same port, with JSON inside."""

import json
from collections.abc import Callable
from typing import Any

import grpc

from tests.serving_double.calls import CallLog
from tests.serving_double.faults import Fault, FaultBook
from tests.serving_double.servables import STATES, Servables

SERVICE = "stn.double.Control"


def control_handler(
    servables: Servables, faults: FaultBook, calls: CallLog
) -> grpc.GenericRpcHandler:
    """Return the handler of AddFault, ClearFaults, Release, Reset, SetState and TakeCalls."""

    def add_fault(fault: dict[str, Any]) -> None:
        faults.add(Fault.read(fault))

    def clear_faults() -> None:
        faults.clear()

    def release() -> None:
        faults.release()

    def set_state(servable: str, version: int, state: str | None) -> None:
        if state is not None and state not in STATES:
            raise ValueError(f"no state {state!r}; there is {', '.join(STATES)}")
        servables.pretend(servable, version, state)

    def reset() -> None:
        faults.clear()
        faults.release()
        servables.pretend_nothing()
        calls.take()

    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "AddFault": _json_method(add_fault),
            "ClearFaults": _json_method(clear_faults),
            "Release": _json_method(release),
            "Reset": _json_method(reset),
            "SetState": _json_method(set_state),
            "TakeCalls": _json_method(calls.take),
        },
    )


def _json_method(function: Callable[..., Any]) -> Any:
    def call(request: dict[str, Any], context: grpc.ServicerContext) -> Any:
        try:
            return function(**request)
        except (TypeError, ValueError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    return grpc.unary_unary_rpc_method_handler(
        call,
        request_deserializer=json.loads,
        response_serializer=lambda answer: json.dumps(answer).encode(),
    )
