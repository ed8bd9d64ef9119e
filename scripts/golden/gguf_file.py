"""A GGUF file with every element type, and what the gguf package reads from it, for GgufTest.

Usage: python scripts/golden/gguf_file.py src/test/resources/golden

Blocks of the K types are random bytes with tame scales: gguf 0.19.0 reads them but does not write them.
"""

import pathlib
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T
from safetensors.numpy import save_file

KS = {T.Q2_K: (84, (80, 82)), T.Q3_K: (110, (108,)), T.Q4_K: (144, (0, 2)), T.Q5_K: (176, (0, 2)), T.Q6_K: (210, (208,))}


def main(folder):
    rng = np.random.default_rng(7)
    path = folder / "types.gguf"
    writer = gguf.GGUFWriter(path, "diffusion-test")
    writer.add_string("general.name", "Gr\u00fc\u00dfe")
    writer.add_uint32("test.count", 4_000_000_000)
    writer.add_float32("test.share", 0.25)
    writer.add_array("test.words", ["a", "b", "c"])
    expected = {"source": rng.standard_normal((3, 64), dtype=np.float32)}
    expected["source"][1, :32] = 0
    writer.add_tensor("source", expected["source"])
    for kind in (T.F32, T.F16, T.BF16, T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, *KS):
        name = f"tensor.{kind.name}"
        if kind in KS:
            size, halves = KS[kind]
            data = rng.integers(0, 256, (3, 2 * size), dtype=np.uint8)
            for block in range(2):
                for at in halves:
                    scale = rng.uniform(0.001, 0.01, 3).astype(np.float16)
                    data[:, block * size + at : block * size + at + 2] = scale.view(np.uint8).reshape(3, 2)
        elif kind is T.F32:
            data = rng.standard_normal((3, 2, 32), dtype=np.float32)
        elif kind is T.F16:
            data = rng.standard_normal((3, 64), dtype=np.float32).astype(np.float16)
        else:
            data = gguf.quants.quantize(expected["source"], kind)
        plain = data if kind in (T.F32, T.F16) else gguf.quants.dequantize(data, kind)
        expected[name] = plain.astype(np.float32)
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, folder / "types.gguf.safetensors")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
