package diffusion.cpu;

import diffusion.backend.Backend;
import diffusion.pipeline.StylizeParity;

class CpuStylizeParityTest extends StylizeParity {
    private final Backend backend = new CpuBackend(2);

    @Override
    protected Backend backend() {
        return backend;
    }
}
