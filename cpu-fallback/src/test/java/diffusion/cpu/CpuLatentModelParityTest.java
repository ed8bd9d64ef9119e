package diffusion.cpu;

import diffusion.backend.Backend;
import diffusion.model.LatentModelParity;

class CpuLatentModelParityTest extends LatentModelParity {
    private final Backend backend = new CpuBackend(2);

    @Override
    protected Backend backend() {
        return backend;
    }
}
