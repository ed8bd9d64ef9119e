package diffusion.tornado;

import diffusion.backend.Backend;
import diffusion.pipeline.SamplingParity;

class TornadoSamplingParityTest extends SamplingParity {
    private final Backend backend = new TornadoBackend();

    @Override
    protected Backend backend() {
        return backend;
    }
}
