"""Inputs to begin with: what parsers accept, and the small part of the fixed corpus."""

import numpy as np

from service import wire
from tests.torture.corpus import bodies, fixed_pictures
from tests.torture.corpus.forms import BOUNDARY, IDENTITY, multipart_body, part

_MAX_BYTES = 4000


def seeds_of(target: str) -> list[bytes]:
    """Return the inputs with which the fuzzing of a target begins."""
    picture = bodies.PICTURE
    tensor = wire.encode_tensor(np.arange(12, dtype=np.float32).reshape(3, 4))
    typed = wire.TensorProto(dtype=wire.DataType.DT_FLOAT)
    typed.CopyFrom(tensor)
    answer = wire.PredictResponse(outputs={"probabilities": tensor, "theta": typed})
    match target:
        case "multipart":
            body = multipart_body(part(b"2", "; name=top_k"), part(picture))
            return [BOUNDARY.encode() + b"\n" + body]
        case "content_type":
            return [b'multipart/form-data; boundary="b"; charset=utf-8', b"image/png; a=b"]
        case "json_body":
            return [b'{"image": "data:image/png;base64,iVBORw0KGgo=", "top_k": 2, "fit": "pad"}']
        case "options":
            pairs = f"theta={IDENTITY}\nwidth=3\nheight=4\npadding=border\nlabel=stable\ntop_k=2"
            return [pairs.encode(), IDENTITY.encode(), b"[[1,0,0],[0,1,0]]"]
        case "accept":
            return [b"image/*;q=0.5, application/json;q=0.9, */*;q=0", b"text/html,*/*"]
        case "headers":
            return [b"an-id\n1500\n00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01"]
        case "image":
            return [p.content for p in fixed_pictures() if len(p.content) < _MAX_BYTES]
        case "wire_answer":
            return [answer.SerializeToString()]
        case "wire_tensor":
            return [tensor.SerializeToString(), typed.SerializeToString()]
        case _:
            response = wire.GetModelMetadataResponse()
            response.metadata["signature_def"].type_url = "x/tensorflow.serving.SignatureDefMap"
            return [response.SerializeToString()]
