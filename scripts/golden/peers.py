"""Models and single layers for `scripts/diffusion-bench peers`: the same weights, inputs and expected outputs for
ours (safetensors), ONNX Runtime (ONNX) and libtorch (TorchScript).

Usage: python scripts/golden/peers.py FOLDER [PATTERN ...]

PATTERN picks rows by name (fnmatch), such as 'sd15-*'; without any, all are written: some 40 GB, of which SDXL's U-Net
is 20. Each row is a folder:

    row.json             title, group, kind (op, step or train), what to build ("model") and the inputs in order
    diffusion_pytorch_model.safetensors, config.json     the weights, and the configuration of a whole model
    inputs.safetensors, expected.safetensors             float32; expected is what PyTorch computes without TorchScript
    model.onnx           refers to the weights in the safetensors file
    model.pt             frozen TorchScript

Needs requirements.txt and `pip install onnx`.
"""

import fnmatch
import json
import os
import sys
import warnings
import zlib
from pathlib import Path

import numpy
import onnx
import torch
from torch import nn
from torch.onnx import symbolic_helper
from torch.onnx._internal.torchscript_exporter.symbolic_opset14 import scaled_dot_product_attention as sdpa

import peer_models as models

OPSET = 18
WEIGHTS = "diffusion_pytorch_model.safetensors"


def write_tensors(path, tensors):
    """A safetensors file, tensor by tensor: the usual writer holds everything twice."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, t in tensors.items():
        size = t.numel() * 4
        header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for t in tensors.values():
            f.write(t.detach().float().contiguous().numpy().data)
    return {n: (8 + len(text) + h["data_offsets"][0], h["data_offsets"][1] - h["data_offsets"][0])
            for n, h in header.items() if n != "__metadata__"}


class Positional(nn.Module):
    """A row's function of its tensors, with the module as its only child `m`."""

    def __init__(self, row):
        super().__init__()
        self.m, self.call = row.module, row.call

    def forward(self, *inputs):
        return self.call(self.m, *inputs)


@symbolic_helper.parse_args("v", "v", "v", "v", "f", "b", "v", "b")
def attention(g, q, k, v, mask, dropout, causal, scale, gqa):
    """ONNX Runtime's own operator [B, tokens, features] for torch's [B, heads, tokens, size]: it holds no table of all pairs."""
    known = [sizes[1] for sizes in (t.type().varyingSizes() for t in (q, k, v)) if sizes and sizes[1]]
    heads = known[0] if known else None  # the exporter loses sizes now and then
    if causal or heads is None or not all(symbolic_helper._is_none(option) for option in (mask, scale)):
        return sdpa(g, q, k, v, mask, dropout, causal, scale, gqa)

    def flat(x):
        return g.op("Reshape", g.op("Transpose", x, perm_i=[0, 2, 1, 3]), g.op("Constant", value_t=torch.tensor([0, 0, -1])))

    y = g.op("com.microsoft::MultiHeadAttention", flat(q), flat(k), flat(v), num_heads_i=heads)
    y = g.op("Reshape", y, g.op("Constant", value_t=torch.tensor([0, 0, heads, -1])))
    y = g.op("Transpose", y, perm_i=[0, 2, 1, 3])
    y.setType(q.type())
    return y


def write_onnx(wrapped, row, path, places):
    """Exports without weights, which come in as further inputs, and makes these refer to the safetensors file."""
    torch.onnx.register_custom_op_symbolic("aten::scaled_dot_product_attention", attention, OPSET)
    torch.onnx.export(wrapped, tuple(row.inputs.values()), path, dynamo=False, export_params=False, opset_version=OPSET,
                      do_constant_folding=False, custom_opsets={"com.microsoft": 1},
                      input_names=list(row.inputs), output_names=["output"])
    model = onnx.load(path)
    buffers = dict(wrapped.named_buffers())
    kept = [i for i in model.graph.input if i.name in row.inputs]
    for value in [i for i in model.graph.input if i.name not in row.inputs]:
        name = value.name.removeprefix("m.")
        if name in places:
            tensor = model.graph.initializer.add()
            tensor.name, tensor.data_type = value.name, onnx.TensorProto.FLOAT
            tensor.dims.extend(d.dim_value for d in value.type.tensor_type.shape.dim)
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, text in (("location", WEIGHTS), ("offset", places[name][0]), ("length", places[name][1])):
                entry = tensor.external_data.add()
                entry.key, entry.value = key, str(text)
        else:
            model.graph.initializer.append(onnx.numpy_helper.from_array(buffers[value.name].numpy(), value.name))
    del model.graph.input[:]
    model.graph.input.extend(kept)
    path.write_bytes(model.SerializeToString())


def write_torchscript(wrapped, row, path):
    traced = torch.jit.trace(wrapped, tuple(row.inputs.values()), check_trace=False)
    torch.jit.freeze(traced.eval()).save(str(path))


def write(row, folder):
    place = folder / row.name
    place.mkdir(parents=True, exist_ok=True)
    weights = place / WEIGHTS
    weights.unlink(missing_ok=True)
    places = write_tensors(weights, dict(row.module.named_parameters()))
    if row.config is not None:
        (place / "config.json").write_text(row.config)
    write_tensors(place / "inputs.safetensors", row.inputs)
    if row.kind == "train":
        import peer_training

        expected = peer_training.write(row, place / "model.pt")
    else:
        wrapped = Positional(row).eval()
        with torch.no_grad():
            expected = wrapped(*row.inputs.values())
            write_torchscript(wrapped, row, place / "model.pt")
            write_onnx(wrapped, row, place / "model.onnx", places)
    assert bool(torch.isfinite(expected).all()), f"{row.name}: not all outputs are finite"
    write_tensors(place / "expected.safetensors", {"output": expected})
    facts = {"title": row.title, "group": row.group, "kind": row.kind, "model": row.model, "inputs": list(row.inputs),
             "made_with": f"torch {torch.__version__}, onnx {onnx.__version__}"}
    (place / "row.json").write_text(json.dumps(facts, indent=2) + "\n")
    print(f"{row.name}: outputs up to {float(expected.abs().max()):.3g}", flush=True)


def main(folder, patterns):
    warnings.filterwarnings("ignore")
    numpy.seterr(all="raise")
    torch.set_num_threads(os.cpu_count())
    for name, make in models.ROWS.items():
        if not patterns or any(fnmatch.fnmatch(name, p) for p in patterns):
            torch.manual_seed(zlib.crc32(name.removesuffix("-batch16").encode()))
            write(make(name), folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
