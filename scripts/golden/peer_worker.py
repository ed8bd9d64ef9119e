"""PyTorch as an engine of `scripts/diffusion-bench peers --python PYTHON`, speaking the protocol of its Worker.java.

Loads the same TorchScript as libtorch does, but with torch.jit.optimize_for_inference, which cannot be saved in a file.
"""

import json
import resource
import sys
import time
import warnings
from pathlib import Path

import torch
from safetensors.torch import load_file


class Engine:
    def load(self, folder):
        start = time.perf_counter()
        row = json.loads((folder / "row.json").read_text())
        self.training = row["kind"] == "train"
        self.module = torch.jit.load(str(folder / "model.pt"))
        if not self.training:
            self.module = torch.jit.optimize_for_inference(self.module)
        inputs = load_file(folder / "inputs.safetensors")
        self.inputs = [inputs[name] for name in row["inputs"]]
        seconds = time.perf_counter() - start
        expected = load_file(folder / "expected.safetensors")["output"].flatten()
        actual = []
        while sum(a.numel() for a in actual) < expected.numel():
            actual.append(self.run().flatten())
        difference = (torch.cat(actual) - expected).abs().max() / expected.abs().max()
        version = f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, optimize_for_inference"
        return {"version": version, "seconds": seconds, "flops": 0, "bytes": 0, "difference": float(difference)}

    def run(self):
        with torch.set_grad_enabled(self.training):
            return self.module(*self.inputs)

    def time(self, seconds, least):
        times = []
        begin = time.perf_counter()
        while len(times) < least or time.perf_counter() - begin < seconds:
            start = time.perf_counter()
            self.run()
            times.append(time.perf_counter() - start)
        return {"seconds": times}


def main(threads):
    warnings.filterwarnings("ignore")
    torch.set_num_threads(threads)
    engine = Engine()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "load" in request:
                answer = engine.load(Path(request["load"]))
            else:
                answer = engine.time(request["run"], request["least"])
            answer["peak_bytes"] = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        except Exception as e:
            answer = {"error": repr(e)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[2]))
