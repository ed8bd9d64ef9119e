package diffusion.cpu;

import diffusion.backend.Backend;
import diffusion.pipeline.EditingParity;

class CpuEditingParityTest extends EditingParity {
    private final Backend backend = new CpuBackend(2);

    @Override
    protected Backend backend() {
        return backend;
    }
}
