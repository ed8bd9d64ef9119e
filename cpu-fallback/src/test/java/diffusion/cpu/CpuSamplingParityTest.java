package diffusion.cpu;

import diffusion.backend.Backend;
import diffusion.pipeline.SamplingParity;

class CpuSamplingParityTest extends SamplingParity {
    @Override
    protected Backend backend() {
        return new CpuBackend(2);
    }
}
